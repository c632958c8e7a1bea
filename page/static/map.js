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
  if (!context) { problem("This browser cannot draw the map. The list of groups says the same."); return; }

  // now is the commit that is shown: its points, of which x and y go from 0 to 1 in the
  // square of the commit that the page is about, home.
  let now = null, home = null, stop = set.stops.find((s) => s.now);
  let view = { x: 0.5, y: 0.5, zoom: 1 }, middle = view; // the middle, and how near
  let outline = null, only = "", hover = -1, near = [];   // a selection, a kind, a point and its neighbours
  const lit = new Set();                                  // hashes of ids
  let bright = null, few = false;                         // which points are, and whether not all
  let image, pixels, width = 0, height = 0, ratio = 1, asked = 0, palette;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function packed(color) { // as one number of the picture
    context.fillStyle = "#000"; context.fillStyle = color;
    context.clearRect(0, 0, 1, 1); context.fillRect(0, 0, 1, 1);
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
  }
  function colors() {
    const hue = (k) => packed(`oklch(${style("--hue-l")} ${style("--hue-c")} ${k.hue * 22.5 + 20})`);
    palette = { ground: packed(style("--surface")), grey: packed(style("--rest")), bold: packed(style("--soft")), kinds: [], shapes: [] };
    if (!now) return;
    palette.kinds = now.kinds.map((k) => k.tone ? packed(style(k.tone === "rest" ? "--strong" : "--" + k.tone)) : hue(k));
    palette.strong = palette.kinds.map((c, k) => (now.kinds[k].tone === "rest" ? palette.bold : c)); // beside grey ones
    palette.shapes = now.kinds.map((k) => k.shape);
  }

  async function load(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`The points cannot be had (${answer.status}).`);
    const buffer = await answer.arrayBuffer(), length = new DataView(buffer).getUint32(0, true);
    const m = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))), n = m.n;
    let at = 4 + length;
    const part = (Type) => { const of = new Type(buffer, at, n); at += n * Type.BYTES_PER_ELEMENT; return of; };
    m.ids = part(Uint32Array); m.xs = part(Uint16Array); m.ys = part(Uint16Array); m.kind = part(Uint8Array); m.group = part(Uint8Array);
    const square = home || m, span = square.step * 65535;
    m.x = Float32Array.from(m.xs, (v) => (m.left + v * m.step - square.left) / span);
    m.y = Float32Array.from(m.ys, (v) => (m.bottom + v * m.step - square.bottom) / span);
    return m;
  }

  function scale() { return 0.92 * Math.min(width, height) * view.zoom; }
  const sx = (i, s) => (now.x[i] - view.x) * s + width / 2, sy = (i, s) => height / 2 - (now.y[i] - view.y) * s;

  // inside reports whether a point is within the outline, which is of the plane that all
  // commits share. The server counts in the same way.
  function inside(i) {
    const px = now.left + now.xs[i] * now.step, py = now.bottom + now.ys[i] * now.step;
    let yes = false;
    for (let k = 0, j = outline.length - 1; k < outline.length; j = k++) {
      const [ax, ay] = outline[k], [bx, by] = outline[j];
      if ((ay > py) !== (by > py) && px < (bx - ax) * (py - ay) / (by - ay) + ax) yes = !yes;
    }
    return yes;
  }
  // mark notes which points are bright; the others are drawn grey.
  function mark() {
    const kind = only ? now.kinds.findIndex((k) => k.name === only) : -1;
    const change = now.kinds.findIndex((k) => k.tone === "rest" && now.kinds.some((o) => o.tone === "warn"));
    few = !!(only || outline || lit.size || change >= 0);
    bright = new Uint8Array(now.n).fill(1);
    if (few) for (let i = 0; i < now.n; i++) {
      bright[i] = (!only || now.kind[i] === kind) && (change < 0 || only || now.kind[i] !== change) && (!lit.size || lit.has(now.ids[i])) && (!outline || inside(i)) ? 1 : 0;
    }
    canvas.dataset.bright = bright.reduce((a, b) => a + b, 0);
    again();
  }

  // stamps are the rows of a shape around a point, three numbers each.
  function stamps(r) {
    return [0, 1, 2, 3].map((shape) => {
      const rows = [], q = [1, 0.9, 1.25, 1.2][shape] * r, most = Math.floor(q);
      for (let dy = -most; dy <= most; dy++) {
        const w = shape === 0 ? Math.sqrt((most + 0.4) ** 2 - dy * dy) : shape === 1 ? q : shape === 2 ? q - Math.abs(dy) : (dy + q) / 2;
        rows.push(dy, -Math.floor(w), Math.floor(w));
      }
      return rows;
    });
  }
  function put(rows, cx, cy, color) {
    cx = Math.round(cx); cy = Math.round(cy);
    for (let k = 0; k < rows.length; k += 3) {
      const py = cy + rows[k];
      if (py < 0 || py >= height) continue;
      const end = py * width + Math.min(width - 1, cx + rows[k + 2]);
      for (let p = py * width + Math.max(0, cx + rows[k + 1]); p <= end; p++) pixels[p] = color;
    }
  }
  function draw() {
    asked = 0;
    if (!now || !pixels) return;
    const begin = performance.now();
    pixels.fill(palette.ground);
    const s = scale(), r = Math.max(1.2, Math.min(6, 2.2 * Math.sqrt(view.zoom) * Math.sqrt(4000 / Math.max(now.n, 200)))) * ratio;
    const shapes = stamps(r), large = few ? stamps(r * 1.4) : shapes, tints = few ? palette.strong : palette.kinds, { n, kind } = now;
    for (let pass = few ? 0 : 1; pass < 2; pass++) {
      for (let i = 0; i < n; i++) {
        if (few && bright[i] !== pass) continue;
        const cx = sx(i, s), cy = sy(i, s);
        if (cx < -r || cy < -r || cx > width + r || cy > height + r) continue;
        const k = kind[i];
        if (pass) put(large[palette.shapes[k]], cx, cy, tints[k]); else put(shapes[palette.shapes[k]], cx, cy, palette.grey);
      }
    }
    context.putImageData(image, 0, 0);
    canvas.dataset.frame = (performance.now() - begin).toFixed(2);
    if (hover >= 0) pointed(s, r);
    labels(s);
    if (loop.length > 1) path(loop, true);
    else if (outline) path(outline.map(([a, b]) => [((a - home.left) / (home.step * 65535) - view.x) * s + width / 2, height / 2 - ((b - home.bottom) / (home.step * 65535) - view.y) * s]), true);
  }
  const again = () => { if (!asked) asked = requestAnimationFrame(draw); };
  function path(points, closed) {
    context.strokeStyle = style("--accent"); context.lineWidth = 2 * ratio; context.beginPath();
    points.forEach(([px, py], k) => (k ? context.lineTo(px, py) : context.moveTo(px, py)));
    if (closed) context.closePath();
    context.stroke();
  }
  // pointed draws the document that is pointed at, and lines to those most like it.
  function pointed(s, r) {
    for (const k of near) path([[sx(hover, s), sy(hover, s)], [sx(k, s), sy(k, s)]], false);
    context.fillStyle = style("--ink"); context.beginPath(); context.arc(sx(hover, s), sy(hover, s), r * 1.8, 0, 7); context.fill();
  }

  function centers(m) {
    const sums = m.groups.map(() => [0, 0, 0]);
    for (let i = 0; i < m.n; i++) { const g = sums[m.group[i]]; if (g) { g[0] += m.x[i]; g[1] += m.y[i]; g[2]++; } }
    m.middles = sums.map(([a, b, c], k) => (c && !m.groups[k].tone ? [a / c, b / c] : null));
  }
  function labels(s) {
    context.font = `600 ${12 * ratio}px ${style("--sans")}`;
    context.textAlign = "center"; context.textBaseline = "middle"; context.lineJoin = "round";
    const boxes = [], ground = style("--surface"), ink = style("--ink");
    now.middles.forEach((m, i) => {
      if (!m) return;
      const text = now.groups[i].name, px = (m[0] - view.x) * s + width / 2, py = height / 2 - (m[1] - view.y) * s, w = context.measureText(text).width / 2 + 4 * ratio, h = 9 * ratio;
      if (px < w || py < h || px > width - w || py > height - h || boxes.some(([a, b, c, d]) => Math.abs(px - a) < w + c && Math.abs(py - b) < h + d)) return;
      boxes.push([px, py, w, h]);
      context.globalAlpha = few && only !== text ? 0.45 : 1;
      context.lineWidth = 4 * ratio; context.strokeStyle = ground; context.strokeText(text, px, py);
      context.fillStyle = ink; context.fillText(text, px, py);
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
  for (const [of, name] of [[document, "theme"], [matchMedia("(prefers-color-scheme: dark)"), "change"]]) of.addEventListener(name, () => { colors(); again(); });

  // Texts are asked for when the pointer rests.
  const tip = $("map-tip");
  let timer = 0, asking = null;
  const plus = (address, more) => address + (address.includes("?") ? "&" : "?") + more;
  async function told(i) {
    if (asking) asking.abort();
    asking = new AbortController();
    const answer = await fetch(plus(stop.texts, "i=" + i), { signal: asking.signal });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.json();
  }
  const open = async (i) => { location.href = plus(stop.doc, "id=" + encodeURIComponent((await told(i)).id)); };
  function nearest(px, py, reach) {
    const s = scale();
    let best = -1, least = reach * reach;
    for (let i = 0; i < now.n; i++) {
      const dx = sx(i, s) - px, dy = sy(i, s) - py, d = dx * dx + dy * dy;
      if (d < least) { best = i; least = d; }
    }
    return best;
  }
  function show(i) {
    if (i === hover) return;
    hover = i; near = []; again(); clearTimeout(timer);
    if (i < 0) { tip.hidden = true; return; }
    timer = setTimeout(async () => {
      try {
        const d = await told(i);
        if (hover !== i) return;
        near = d.near; again();
        tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: d.name }), d.text.slice(0, 160));
        const s = scale();
        tip.hidden = false;
        tip.style.left = Math.max(0, Math.min(sx(i, s) / ratio + 14, canvas.clientWidth - tip.offsetWidth - 6)) + "px";
        tip.style.top = Math.max(0, Math.min(sy(i, s) / ratio + 14, canvas.clientHeight - tip.offsetHeight - 6)) + "px";
      } catch { /* the pointer went on */ }
    }, 80);
  }

  // A selection is an outline in the address, and has a list, which the server makes.
  function select(corners) {
    const u = new URL(location.href), span = home.step * 65535, s = scale(), each = Math.ceil(corners.length / 100);
    outline = corners.filter((_, k) => k % each === 0).map(([px, py]) => [
      +(home.left + ((px - width / 2) / s + view.x) * span).toFixed(3), +(home.bottom + ((height / 2 - py) / s + view.y) * span).toFixed(3)]);
    u.searchParams.delete("start");
    if (outline.length > 2) u.searchParams.set("sel", outline.map((c) => c.join(",")).join(";"));
    else { outline = null; u.searchParams.delete("sel"); }
    history.replaceState(null, "", u);
    mark();
    htmx.ajax("GET", u.pathname + u.search, { target: "#chosen", select: "#chosen", swap: "outerHTML" });
  }
  let loop = [], down = null, lasso = false;
  const at = (e) => { const b = canvas.getBoundingClientRect(); return [(e.clientX - b.left) * ratio, (e.clientY - b.top) * ratio]; };
  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    const [px, py] = at(e);
    down = { px, py, x: view.x, y: view.y, moved: false, loop: lasso || e.shiftKey };
    loop = down.loop ? [[px, py]] : [];
  });
  canvas.addEventListener("pointermove", (e) => {
    if (!now) return;
    const [px, py] = at(e);
    if (!down) { show(nearest(px, py, 14 * ratio)); return; }
    if (Math.hypot(px - down.px, py - down.py) > 4 * ratio) down.moved = true;
    if (down.loop) loop.push([px, py]);
    else if (down.moved) { view.x = down.x - (px - down.px) / scale(); view.y = down.y + (py - down.py) / scale(); }
    again();
  });
  canvas.addEventListener("pointerup", (e) => {
    const [px, py] = at(e), was = down;
    down = null;
    if (!was || !now) return;
    if (was.loop) {
      const corners = loop;
      loop = [];
      select(corners);
    } else if (!was.moved) {
      const i = nearest(px, py, 14 * ratio);
      if (i >= 0) open(i);
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
  function whole() { view = { ...middle }; again(); remember(); }
  function choose(name) {
    only = only === name ? "" : name;
    for (const o of document.querySelectorAll(".key button")) o.setAttribute("aria-pressed", only !== "" && o.dataset.kind === only);
    mark();
  }
  let order = null, tab = -1;
  canvas.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey) return;
    const step = 60 * ratio / scale(), move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[e.key];
    if (move) { view.x += move[0]; view.y += move[1]; order = null; again(); remember(); }
    else if (e.key === "+" || e.key === "=") { order = null; zoom(1.4); }
    else if (e.key === "-") { order = null; zoom(1 / 1.4); }
    else if (e.key === "0") { order = null; whole(); }
    else if (e.key === "," || e.key === ".") { // through the points in view, from the middle on
      if (!order) { const s = scale(); order = [...Array(now.n).keys()].map((i) => [Math.hypot(sx(i, s) - width / 2, sy(i, s) - height / 2), i]).filter(([d]) => d < width / 2).sort((a, b) => a[0] - b[0]).map(([, i]) => i); tab = -1; }
      tab = Math.min(Math.max(tab + (e.key === "." ? 1 : -1), 0), order.length - 1);
      show(order[tab] ?? -1);
    } else if (e.key === "Enter" && hover >= 0) open(hover);
    else if (e.key === "Escape") { show(-1); if (only) choose(only); if (outline) select([]); return; }
    else return;
    e.preventDefault(); e.stopPropagation();
  });
  $("whole").addEventListener("click", whole);
  $("view").addEventListener("click", () => select([[0, 0], [width, 0], [width, height], [0, height]]));
  $("lasso").addEventListener("click", (e) => { lasso = !lasso; e.currentTarget.setAttribute("aria-pressed", lasso); canvas.classList.toggle("lasso", lasso); });
  for (const b of document.querySelectorAll(".key button")) b.addEventListener("click", () => choose(b.dataset.kind));

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

  // Commits: points glide by their ids, those that come are there at once. All commits
  // share one plane, so what has not moved stands still.
  let gliding = 0;
  const kept = new Map();
  const named = () => { const a = $("stop"); a.textContent = stop.name; a.href = stop.here; };
  async function go(k) {
    const to = set.stops[k];
    $("stop").textContent = to.name;
    let m = to.now ? home : kept.get(k);
    if (!m) {
      try { m = await load(to.points); } catch (e) { $("stop").textContent = `${to.name}: ${e.message}`; return; }
      kept.set(k, m);
    }
    const from = new Map();
    for (let i = 0; i < now.n; i++) from.set(now.ids[i], [now.x[i], now.y[i]]);
    const x = m.x, y = m.y;
    now = { ...m, x: Float32Array.from(x), y: Float32Array.from(y) };
    stop = to; hover = -1; tip.hidden = true; order = null;
    if (!m.middles) centers(m);
    now.middles = m.middles;
    colors(); mark(); named();
    const start = performance.now(), mine = ++gliding, still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const frame = (t) => {
      if (mine !== gliding) return;
      const p = still ? 1 : Math.min(1, Math.max(0, t - start) / 300), q = p * (2 - p);
      for (let i = 0; i < now.n; i++) {
        const f = from.get(now.ids[i]);
        if (f) { now.x[i] = f[0] + (x[i] - f[0]) * q; now.y[i] = f[1] + (y[i] - f[1]) * q; }
      }
      draw();
      if (p < 1) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  load(stop.points).then((m) => {
    home = now = m;
    centers(m);
    for (const i of set.lit) lit.add(m.ids[i]);
    let right = 0, top = 0;
    for (let i = 0; i < m.n; i++) { right = Math.max(right, m.x[i]); top = Math.max(top, m.y[i]); }
    middle = { x: right / 2, y: top / 2, zoom: 1 };
    const given = new URL(location.href).searchParams, v = (given.get("v") || "").split(",").map(Number);
    view = v.length === 3 && v.every(Number.isFinite) && v[2] > 0 ? { x: v[0], y: v[1], zoom: v[2] } : { ...middle };
    const corners = (given.get("sel") || "").split(";").map((c) => c.split(",").map(Number));
    if (corners.length > 2 && corners.every((c) => c.length === 2 && c.every(Number.isFinite))) outline = corners;
    size();
    mark();
    canvas.dataset.ready = "1";
    if (set.stops.length > 1) {
      const range = $("stops"), play = $("play");
      range.max = set.stops.length - 1; range.value = set.stops.indexOf(stop); range.hidden = play.hidden = false;
      named();
      range.addEventListener("input", () => go(+range.value));
      play.addEventListener("click", async () => {
        for (let k = 0; k <= +range.max; k++) { range.value = k; await go(k); await new Promise((r) => setTimeout(r, 900)); }
      });
    }
  }).catch((e) => problem(e.message));
})();
