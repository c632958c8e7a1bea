// The map: all documents as points, drawn by the processor into one picture, so that it
// is the same on every machine. Points that are not chosen turn grey and never vanish.
"use strict";
(() => {
  const canvas = document.getElementById("map");
  if (!canvas) return;
  const $ = (id) => document.getElementById(id);
  const set = JSON.parse(canvas.dataset.settings);
  const problem = (text) => { const p = $("map-problem"); p.textContent = text; p.hidden = false; };
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) { problem("This browser cannot draw the map."); return; }

  let n = 0, ids, x, y, kind, group;       // ids are hashes; x and y go from 0 to 1
  let view = { x: 0.5, y: 0.5, zoom: 1 };  // the middle, and how near
  let picked = null;                       // Uint8Array, 1 for what is chosen; null: all
  let only = -1, hover = -1, loaded = false;
  const lit = new Set(set.lit);
  let image, pixels, width = 0, height = 0, ratio = 1, asked = 0, palette;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function packed(color) { // as one number of the picture
    context.fillStyle = "#000"; context.fillStyle = color;
    context.clearRect(0, 0, 1, 1); context.fillRect(0, 0, 1, 1);
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
  }
  const degrees = [8, 30, 48, 68, 95, 125, 150, 172, 192, 210, 228, 248, 270, 292, 318, 342];
  function colors() {
    const hue = (i) => packed(`hsl(${degrees[i]} ${style("--hue-s")} ${style("--hue-l")})`);
    palette = { ground: packed(style("--surface")), grey: packed(style("--line")), strong: packed(style("--strong")), ink: packed(style("--ink")),
      good: packed(style("--good")), warn: packed(style("--warn")), classes: set.classes.map(hue), groups: set.groups.map(hue) };
  }

  function read(buffer) {
    n = new DataView(buffer).getUint32(0, true);
    const part = (Type, at) => new Type(buffer.slice(at, at + n * Type.BYTES_PER_ELEMENT));
    const of = { ids: part(Uint32Array, 4), xs: part(Uint16Array, 4 + 4 * n), ys: part(Uint16Array, 4 + 6 * n), kind: part(Uint8Array, 4 + 8 * n), group: part(Uint8Array, 4 + 9 * n) };
    return { ...of, n, x: Float32Array.from(of.xs, (v) => v / 65535), y: Float32Array.from(of.ys, (v) => v / 65535) };
  }
  async function load(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`The points cannot be had (${answer.status}).`);
    return read(await answer.arrayBuffer());
  }
  const take = (m) => { n = m.n; ids = m.ids; x = m.x; y = m.y; kind = m.kind; group = m.group; };

  function scale() { return 0.92 * Math.min(width, height) * view.zoom; }
  const sx = (i, s) => (x[i] - view.x) * s + width / 2, sy = (i, s) => height / 2 - (y[i] - view.y) * s;

  function colorOf(i) {
    if (set.color === "change") {
      const change = set.changed[i];
      return change === "added" ? palette.good : change === "changed" ? palette.warn : palette.grey;
    }
    const k = set.color === "class" ? kind[i] : group[i];
    const c = set.color === "class" ? palette.classes[k] : palette.groups[k];
    return c === undefined ? palette.strong : c;
  }
  const isPicked = (i) => (!picked || picked[i]) && (only < 0 || (set.color === "class" ? kind[i] : group[i]) === only) && (!lit.size || lit.has(i));

  function disc(cx, cy, r, color) {
    const x0 = Math.max(0, Math.ceil(cx - r)), x1 = Math.min(width - 1, Math.floor(cx + r));
    for (let py = Math.max(0, Math.ceil(cy - r)); py <= Math.min(height - 1, Math.floor(cy + r)); py++) {
      const d = py - cy, w = r * r - d * d;
      for (let px = x0; px <= x1; px++) if ((px - cx) * (px - cx) <= w) pixels[py * width + px] = color;
    }
  }
  function draw() {
    asked = 0;
    if (!loaded) return;
    const begin = performance.now();
    pixels.fill(palette.ground);
    const s = scale(), r = Math.max(1.2, Math.min(6, 2.2 * Math.sqrt(view.zoom) * Math.sqrt(4000 / Math.max(n, 200)))) * ratio;
    const few = picked || only >= 0 || lit.size || set.color === "change";
    for (let pass = few ? 0 : 1; pass < 2; pass++) {
      for (let i = 0; i < n; i++) {
        const bright = isPicked(i) && !(set.color === "change" && !set.changed[i]);
        if (few && bright !== (pass === 1)) continue;
        const cx = sx(i, s), cy = sy(i, s);
        if (cx < -r || cy < -r || cx > width + r || cy > height + r) continue;
        disc(cx, cy, bright && few ? r * 1.5 : r, bright || !few ? colorOf(i) : palette.grey);
      }
    }
    if (hover >= 0) disc(sx(hover, s), sy(hover, s), r * 2, palette.ink);
    context.putImageData(image, 0, 0);
    canvas.dataset.frame = (performance.now() - begin).toFixed(2);
    labels(s);
    if (loop.length > 1) {
      context.strokeStyle = style("--accent"); context.lineWidth = 2 * ratio; context.beginPath();
      loop.forEach(([px, py], k) => (k ? context.lineTo(px, py) : context.moveTo(px, py)));
      context.closePath(); context.stroke();
    }
  }
  const again = () => { if (!asked) asked = requestAnimationFrame(draw); };

  let middles = [];
  function centers() {
    const sums = set.labels.map(() => [0, 0, 0]);
    for (let i = 0; i < n; i++) { const g = sums[group[i]]; if (g) { g[0] += x[i]; g[1] += y[i]; g[2]++; } }
    middles = sums.map(([a, b, c]) => (c ? [a / c, b / c] : null));
  }
  function labels(s) {
    context.font = `600 ${12 * ratio}px ${style("--sans")}`;
    context.textAlign = "center"; context.textBaseline = "middle";
    const boxes = [];
    middles.forEach((m, i) => {
      if (!m || (set.color === "group" && only >= 0 && only !== i)) return;
      const px = (m[0] - view.x) * s + width / 2, py = height / 2 - (m[1] - view.y) * s, w = context.measureText(set.labels[i]).width / 2 + 4 * ratio, h = 9 * ratio;
      if (px < w || py < h || px > width - w || py > height - h || boxes.some(([a, b, c, d]) => Math.abs(px - a) < w + c && Math.abs(py - b) < h + d)) return;
      boxes.push([px, py, w, h]);
      context.globalAlpha = only >= 0 || picked || lit.size ? 0.45 : 1;
      context.lineWidth = 4 * ratio; context.strokeStyle = style("--surface"); context.strokeText(set.labels[i], px, py);
      context.fillStyle = style("--ink"); context.fillText(set.labels[i], px, py);
      context.globalAlpha = 1;
    });
  }

  function size() {
    ratio = Math.min(window.devicePixelRatio || 1, 2);
    width = canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    height = canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    image = context.createImageData(width, height);
    pixels = new Uint32Array(image.data.buffer);
    colors();
    again();
  }
  new ResizeObserver(size).observe(canvas);
  document.addEventListener("theme", () => { colors(); again(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colors(); again(); });

  // Texts are asked for when the pointer rests.
  const tip = $("map-tip");
  let timer = 0, stop = null;
  async function texts(list) {
    if (stop) stop.abort();
    stop = new AbortController();
    const address = set.texts + (set.texts.includes("?") ? "&" : "?") + "i=" + list.join(",");
    return (await fetch(address, { signal: stop.signal })).json();
  }
  function nearest(px, py, reach) {
    const s = scale();
    let best = -1, least = reach * reach;
    for (let i = 0; i < n; i++) {
      const dx = sx(i, s) - px, dy = sy(i, s) - py, d = dx * dx + dy * dy;
      if (d < least) { best = i; least = d; }
    }
    return best;
  }
  function show(i) {
    if (i === hover) return;
    hover = i; again(); clearTimeout(timer);
    if (i < 0 || current !== home) { tip.hidden = true; return; }
    timer = setTimeout(async () => {
      try {
        const [d] = await texts([i]);
        if (hover !== i || !d) return;
        tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: d.name }), d.text.slice(0, 160));
        const s = scale();
        tip.hidden = false;
        tip.style.left = Math.min(sx(i, s) / ratio + 14, canvas.clientWidth - tip.offsetWidth - 6) + "px";
        tip.style.top = Math.min(sy(i, s) / ratio + 14, canvas.clientHeight - tip.offsetHeight - 6) + "px";
      } catch { /* the pointer went on */ }
    }, 80);
  }
  const doc = (id) => set.doc + (set.doc.includes("?") ? "&" : "?") + "id=" + encodeURIComponent(id);

  // A choice has a list.
  async function choose(list) {
    picked = null;
    const title = $("chosen-title"), ul = $("chosen");
    ul.replaceChildren();
    title.hidden = !list.length;
    if (list.length) {
      picked = new Uint8Array(n);
      for (const i of list) picked[i] = 1;
      title.textContent = list.length > 100 ? `Chosen: 100 of ${list.length}` : `Chosen: ${list.length}`;
      if (current === home) for (const d of await texts(list.slice(0, 100))) {
        const li = document.createElement("li"), a = document.createElement("a");
        a.href = doc(d.id); a.textContent = d.name; a.dir = "auto";
        li.append(a); ul.append(li);
      }
    }
    again();
  }
  let loop = [], down = null, lasso = false;
  const at = (e) => { const b = canvas.getBoundingClientRect(); return [(e.clientX - b.left) * ratio, (e.clientY - b.top) * ratio]; };
  function inside(px, py) {
    let yes = false;
    for (let i = 0, j = loop.length - 1; i < loop.length; j = i++) {
      const [ax, ay] = loop[i], [bx, by] = loop[j];
      if ((ay > py) !== (by > py) && px < (bx - ax) * (py - ay) / (by - ay) + ax) yes = !yes;
    }
    return yes;
  }
  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    const [px, py] = at(e);
    down = { px, py, x: view.x, y: view.y, moved: false, loop: lasso || e.shiftKey };
    loop = down.loop ? [[px, py]] : [];
  });
  canvas.addEventListener("pointermove", (e) => {
    const [px, py] = at(e);
    if (!down) { show(nearest(px, py, 14 * ratio)); return; }
    if (Math.hypot(px - down.px, py - down.py) > 4 * ratio) down.moved = true;
    if (down.loop) loop.push([px, py]);
    else if (down.moved) { view.x = down.x - (px - down.px) / scale(); view.y = down.y + (py - down.py) / scale(); }
    again();
  });
  canvas.addEventListener("pointerup", async (e) => {
    const [px, py] = at(e), was = down;
    down = null;
    if (!was) return;
    if (was.loop) {
      const s = scale(), list = [];
      for (let i = 0; i < n; i++) if (inside(sx(i, s), sy(i, s))) list.push(i);
      loop = [];
      choose(list);
    } else if (!was.moved && current === home) {
      const i = nearest(px, py, 14 * ratio);
      if (i >= 0) { const [d] = await texts([i]); if (d) location.href = doc(d.id); } else choose([]);
    }
    remember();
  });
  canvas.addEventListener("pointerleave", () => { if (!down) show(-1); });
  function zoom(by, px = width / 2, py = height / 2) {
    const s = scale(), gx = (px - width / 2) / s + view.x, gy = (height / 2 - py) / s + view.y;
    view.zoom = Math.min(Math.max(view.zoom * by, 0.5), 200);
    const t = scale();
    view.x = gx - (px - width / 2) / t; view.y = gy - (height / 2 - py) / t;
    again(); remember();
  }
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(-e.deltaY / 400), ...at(e)); }, { passive: false });
  function whole() { view = { ...middle, zoom: 1 }; again(); remember(); }
  let middle = { x: 0.5, y: 0.5 }, order = null, tab = -1;
  canvas.addEventListener("keydown", async (e) => {
    const step = 60 * ratio / scale(), move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[e.key];
    if (move) { view.x += move[0]; view.y += move[1]; order = null; again(); remember(); }
    else if (e.key === "+" || e.key === "=") { order = null; zoom(1.4); }
    else if (e.key === "-") { order = null; zoom(1 / 1.4); }
    else if (e.key === "0") { order = null; whole(); }
    else if (e.key === "," || e.key === ".") { // through the points in view, from the middle on
      if (!order) { const s = scale(); order = [...Array(n).keys()].map((i) => [Math.hypot(sx(i, s) - width / 2, sy(i, s) - height / 2), i]).filter(([d]) => d < width / 2).sort((a, b) => a[0] - b[0]).map(([, i]) => i); tab = -1; }
      tab = Math.min(Math.max(tab + (e.key === "." ? 1 : -1), 0), order.length - 1);
      show(order[tab]);
    } else if (e.key === "Enter" && hover >= 0 && current === home) { const [d] = await texts([hover]); if (d) location.href = doc(d.id); }
    else if (e.key === "Escape") { show(-1); choose([]); only = -1; for (const b of document.querySelectorAll(".key button")) b.setAttribute("aria-pressed", "false"); return; }
    else return;
    e.preventDefault(); e.stopPropagation();
  });
  $("whole").addEventListener("click", whole);
  $("lasso").addEventListener("click", (e) => { lasso = !lasso; e.currentTarget.setAttribute("aria-pressed", lasso); canvas.classList.toggle("lasso", lasso); });
  for (const b of document.querySelectorAll(".key button")) b.addEventListener("click", () => {
    const k = +(b.dataset.class ?? b.dataset.group);
    only = only === k ? -1 : k;
    for (const o of document.querySelectorAll(".key button")) o.setAttribute("aria-pressed", o === b && only === k);
    again();
  });

  // The view is in the address.
  let later = 0;
  function remember() {
    clearTimeout(later);
    later = setTimeout(() => {
      const u = new URL(location.href);
      u.searchParams.set("v", [view.x, view.y, view.zoom].map((v) => +v.toFixed(4)).join(","));
      history.replaceState(null, "", u);
    }, 300);
  }

  // Commits: points glide by their ids, those that come grow, those that go stay where
  // they were as long as the glide takes.
  let home = null, current = null, gliding = 0;
  const kept = new Map();
  async function go(k) {
    const to = set.stops[k], out = $("stop");
    out.textContent = to.name;
    let m = to.now ? home : kept.get(k);
    if (!m) {
      try { m = await load(to.points); } catch (e) { out.textContent = `${to.name}: ${e.message}`; return; }
      kept.set(k, m);
    }
    const from = new Map();
    for (let i = 0; i < n; i++) from.set(ids[i], [x[i], y[i]]);
    take({ ...m, x: Float32Array.from(m.x), y: Float32Array.from(m.y) });
    current = m; hover = -1; tip.hidden = true; picked = null; order = null;
    const start = performance.now(), mine = ++gliding, still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const frame = (t) => {
      if (mine !== gliding) return;
      const p = still ? 1 : Math.min(1, (t - start) / 300), q = p * (2 - p);
      for (let i = 0; i < n; i++) {
        const f = from.get(ids[i]);
        if (f) { x[i] = f[0] + (m.x[i] - f[0]) * q; y[i] = f[1] + (m.y[i] - f[1]) * q; }
      }
      draw();
      if (p < 1) requestAnimationFrame(frame); else { centers(); again(); }
    };
    requestAnimationFrame(frame);
  }

  load(set.points).then((m) => {
    home = current = m;
    take({ ...m, x: Float32Array.from(m.x), y: Float32Array.from(m.y) });
    let right = 0, top = 0;
    for (let i = 0; i < n; i++) { right = Math.max(right, x[i]); top = Math.max(top, y[i]); }
    middle = { x: right / 2, y: top / 2 };
    const given = (new URL(location.href).searchParams.get("v") || "").split(",").map(Number);
    view = given.length === 3 && given.every(Number.isFinite) && given[2] > 0 ? { x: given[0], y: given[1], zoom: given[2] } : { ...middle, zoom: 1 };
    loaded = true;
    centers();
    size();
    canvas.dataset.ready = "1";
    if (set.stops.length > 1) {
      const range = $("stops"), play = $("play"), now = set.stops.findIndex((s) => s.now);
      range.max = set.stops.length - 1; range.value = now; range.hidden = play.hidden = false;
      $("stop").textContent = set.stops[now]?.name || "";
      range.addEventListener("input", () => go(+range.value));
      play.addEventListener("click", async () => {
        for (let k = 0; k <= +range.max; k++) { range.value = k; await go(k); await new Promise((r) => setTimeout(r, 900)); }
      });
    }
  }).catch((e) => problem(e.message));
})();
