// What both pages are made with: elements, text for reading, times, themes.
//
// Every text goes through `readable`, and into the page as text. Nothing is ever made of markup.

const data = JSON.parse(document.getElementById("data").textContent);

// Characters that are not for reading: they would hide or turn around what stands beside them.
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu;
const escapeOf = (c) => "\\u{" + c.codePointAt(0).toString(16) + "}";

/** `text` with what is not for reading escaped; `lines` keeps line ends and tabs. */
function readable(text, lines = false) {
  return String(text).replace(UNREADABLE, (c) =>
    lines && (c === "\n" || c === "\t") ? c : c === "\n" ? "\\n" : escapeOf(c));
}

function put(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : readable(child));
  }
  return node;
}

/** An element. Attributes that begin with `on` are listeners; those without a value are left out. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : readable(value));
  }
  return put(node, children);
}

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  return put(node, children);
}

const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const count = (n, what) => `${grouped(n)} ${what}${n === 1 ? "" : "s"}`;

/** Microseconds of virtual time as reports have it: `3.100s`. */
function clock(us) {
  const ms = Math.floor(us / 1000);
  return `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}s`;
}

const DAY = 86_400e6; // microseconds
const START = 1_767_225_600_000; // what the clock of a run shows at its beginning, in milliseconds since 1970

/** The date and time of a run's clock: `2026-02-01 00:00`. */
const day = (us) => new Date(START + us / 1000).toISOString().slice(0, 16).replace("T", " ");

/** How long, in the two largest units. */
function span(us) {
  const ms = Math.round(us / 1000);
  if (ms < 1000) return ms ? `${ms} ms` : `${us} µs`;
  const s = ms / 1000;
  if (s < 60) return `${Number(s.toFixed(s < 10 ? 2 : 1))} s`;
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let left = Math.round(s);
  const parts = [];
  for (const [size, unit] of units) {
    const n = Math.floor(left / size);
    if (n && parts.length < 2) parts.push(`${n} ${unit}`);
    left -= n * size;
  }
  return parts.join(" ");
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
const COLOURED_MAX = 20000;

/** A value for reading: JSON in colours. */
function value(text) {
  const pre = el("pre", { class: "value", tabindex: text.length > 2000 ? 0 : null });
  text = readable(text, true);
  if (!/^[\s]*[[{"\d-]|^(true|false|null)$/.test(text) || text.length > COLOURED_MAX) {
    pre.append(text);
    return pre;
  }
  let end = 0;
  for (const token of text.matchAll(TOKEN)) {
    const [all, string, colon, number, word] = token;
    pre.append(text.slice(end, token.index));
    const kind = string ? (colon ? "name" : "string") : number ? "number" : word ? "word" : "";
    const span = document.createElement("span");
    span.className = "json-" + kind;
    span.append(string ?? all);
    pre.append(span);
    if (colon) pre.append(colon);
    end = token.index + all.length;
  }
  pre.append(text.slice(end));
  return pre;
}

/** A command to copy. */
function command(text) {
  const code = el("code", {}, text);
  const copy = el("button", { type: "button", class: "quiet", title: "Copy", "aria-label": "Copy the command" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = "Selected";
    }
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  return el("span", { class: "command" }, code, copy);
}

const THEME = "onceproof-theme";
const root = document.documentElement;

function chosenTheme() {
  try { return localStorage.getItem(THEME); } catch { return null; }
}

function setTheme(theme) {
  root.dataset.theme = theme;
  try { localStorage.setItem(THEME, theme); } catch { /* pages of files may have no memory */ }
}

if (["light", "dark"].includes(chosenTheme())) root.dataset.theme = chosenTheme();

function toggleTheme() {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(dark ? "light" : "dark");
}

function themeButton() {
  return el("button", { type: "button", class: "icon", title: "Light or dark (t)", "aria-label": "Light or dark", onclick: toggleTheme }, "◐");
}

const brand = () => el("span", { class: "brand" }, "onceproof");
