// What a page does beyond links and forms: times in the reader's zone, keys, the theme,
// waiting. Everything it reaches works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const store = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch { /* no storage: for this page */ }
    return null;
  };
  const find = (selector, within = document) => within.querySelector(selector);
  const say = (text) => { find("#live").textContent = text; };

  const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const near = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  function times(within) {
    for (const t of within.querySelectorAll("time[datetime]")) {
      const at = new Date(t.dateTime), minutes = Math.round((at - Date.now()) / 60000);
      t.title = long.format(at);
      t.textContent = Math.abs(minutes) < 60 ? near.format(minutes, "minute")
        : Math.abs(minutes) < 24 * 60 ? near.format(Math.round(minutes / 60), "hour") : long.format(at);
    }
  }
  times(document);
  document.addEventListener("htmx:after:swap", () => { times(document); copies(document); });

  // Where all views do not fit, the one that is shown is in sight.
  find(".views [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  // Theme: the system's, until the reader chooses.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = find("#theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    store("theme", root.dataset.theme);
    document.dispatchEvent(new Event("theme"));
  });

  // Menus close by Escape, and when the reader goes elsewhere.
  document.addEventListener("click", (e) => {
    for (const m of document.querySelectorAll("details[data-menu][open]")) if (!m.contains(e.target)) m.open = false;
  });

  for (const range of document.querySelectorAll("[data-output]")) {
    range.addEventListener("input", () => { find("#" + range.dataset.output).value = (+range.value).toFixed(2); });
  }
  const search = find("#search");
  if (search) search.addEventListener("change", (e) => {
    if (e.target.matches("[type=radio], [type=checkbox]") && search.elements.q.value) search.requestSubmit();
  });

  // What is being worked out is asked for again; the rest of a page stays.
  const again = document.body.dataset.refresh;
  if (again) setTimeout(() => location.reload(), again * 1000);

  // The answer to a request of the API stands beside it, as text. What is long is cut.
  const most = 256 * 1024;
  async function send(link) {
    const reply = find(link.dataset.send), status = find(link.dataset.send + "-status");
    try {
      const answer = await fetch(link.href);
      const media = answer.headers.get("Content-Type") || "";
      let told = `${answer.status} ${answer.statusText}, ${media}`, text = "";
      if (/json|text|yaml/.test(media)) {
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let part = await reader.read(); !part.done && text.length <= most; part = await reader.read()) text += part.value;
        if (text.length > most) { reader.cancel(); text = text.slice(0, most); told += "; the beginning of the answer"; }
        try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not one value */ }
      } else { answer.body?.cancel(); told += "; follow the link to keep it"; }
      reply.textContent = text;
      reply.hidden = !text;
      status.textContent = told;
    } catch (e) { status.textContent = "No answer: " + e.message; }
  }
  for (const link of document.querySelectorAll("[data-send]")) send(link);

  // What is to be pasted elsewhere; where the browser does not allow it, it is selected.
  function copies(within) {
    for (const button of within.querySelectorAll("[data-copy]")) {
      button.hidden = false;
      button.onclick = async () => {
        const of = find(button.dataset.copy);
        try { await navigator.clipboard.writeText(of.textContent); say("Copied"); button.textContent = "Copied"; }
        catch { getSelection().selectAllChildren(of); say("Selected: copy it with Ctrl C"); }
      };
    }
  }
  copies(document);

  // Keys.
  const help = find("#help"), keys = find("#keys"), off = find("#keys-off");
  help.hidden = false;
  help.addEventListener("click", () => keys.showModal());
  off.checked = store("keys") === "off";
  off.addEventListener("change", () => store("keys", off.checked ? "off" : "on"));
  const typing = (el) => el.isContentEditable || /^(TEXTAREA|SELECT)$/.test(el.tagName) || (el.tagName === "INPUT" && !/^(checkbox|radio|button|submit|range)$/.test(el.type));
  let prefix = 0;
  function step(by) {
    const items = [...document.querySelectorAll("[data-item]")];
    if (!items.length) return;
    const at = items.findIndex((i) => i.contains(document.activeElement));
    const next = items[Math.min(Math.max(at + by, 0), items.length - 1)];
    find("a", next).focus();
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") {
      const menu = find("details[data-menu][open]");
      if (menu) { menu.open = false; find("summary", menu).focus(); }
      else if (typing(e.target)) e.target.blur();
      return;
    }
    if (e.ctrlKey || e.altKey || e.metaKey || typing(e.target) || off.checked || keys.open) return;
    if (Date.now() - prefix < 1500) {
      prefix = 0;
      const to = find(`[data-go="${CSS.escape(e.key)}"]`);
      if (to) { e.preventDefault(); to.click(); }
      return;
    }
    if (e.key === "g") { prefix = Date.now(); return; }
    if (e.key === "?") { e.preventDefault(); keys.showModal(); return; }
    if (e.key === "j" || e.key === "k") { e.preventDefault(); step(e.key === "j" ? 1 : -1); return; }
    const to = [...document.querySelectorAll(`[data-key="${CSS.escape(e.key)}"]`)].find((el) => !el.hidden);
    if (!to) return;
    e.preventDefault();
    if (to.tagName === "DETAILS") to.open = !to.open;
    else if (to.tagName === "INPUT") { to.focus(); to.select(); }
    else to.click();
  });

  // After a decision the reader is at the next pair.
  if (location.hash === "#pair") {
    const pair = find("#pair");
    if (pair) pair.focus({ preventScroll: true });
    const undo = find(".undo");
    if (undo) say(undo.firstElementChild.textContent + " " + (find("#pair-title")?.textContent || "No pair is left."));
  }
})();
