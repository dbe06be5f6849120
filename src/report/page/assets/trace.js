// The page of one run: what came of it and why, the diagram, and the event that is chosen.

const KINDS = {
  request: "requests and replies", invocation: "invocations and attempts", journal: "journal entries", state: "state",
  call: "calls to systems", effect: "effects", fault: "faults and crashes", operator: "operators", order: "order", run: "the run itself",
};
const KEYS = [
  ["j k ↓ ↑", "next, previous event"], ["g G", "first, last event"], ["m M", "next, previous event that breaks the rule"],
  ["f F", "next, previous fault"], ["/", "search"], ["n N", "next, previous match"], ["1 2 3", "the story, all events, beside a run that passes"],
  ["+ - 0", "zoom in, out, as usual"], ["t", "light or dark"], ["?", "this help"], ["Esc", "close, or clear the search"],
];
const SIGNS = [
  ["effect", "an effect: a system did something"], ["state", "a state changes"], ["entry", "a journal entry"], ["fault", "a fault or a crash strikes"],
  ["cut", "a cancel or a kill"], ["refused", "refused, failed, or lost"], ["order", "something goes first"],
];
const VERDICTS = { violated: "violated", held: "held", inconclusive: "inconclusive", unfinished: "no end" };

const app = {
  view: data.violations.length ? "story" : "all",
  kinds: new Set(Object.keys(KINDS)),
  hidden: new Set(), // lanes
  needle: "",
  matches: [],
  boxes: [], // bring the boxes of the filters up to date

  start() {
    this.diagram = new Diagram((row) => this.choose(row));
    this.detail = new Detail((row) => this.choose(row, true), () => this.close());
    this.beside = data.passing ? new Beside((row) => this.choose(row)) : null;
    this.help = this.makeHelp();
    this.main = el("main", { class: "main" }, this.diagram.node, this.beside?.node, this.detail.node);
    document.body.append(this.head(), this.toolbar(), this.main, this.help);
    document.body.className = "trace-page";
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.follow());
    const printing = matchMedia("print");
    printing.addEventListener("change", () => this.print(printing.matches));
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
    this.show();
    if (!this.follow()) this.first();
  },

  /** The event that a reader should see first. */
  first() {
    const marked = data.violations[0]?.events ?? [];
    const effects = marked.filter((row) => data.events[row].sign === "effect");
    const row = effects[0] ?? marked[0];
    if (!marked.length) return;
    if (!this.isNarrow()) this.choose(row, false, true);
    // what breaks the rule is in sight, with the start of the story if both fit
    const { tops, where, list, rowHeight } = this.diagram;
    const top = tops[where.get(marked.at(-1))] ?? 0;
    if (top > list.clientHeight - 2 * rowHeight) list.scrollTop = Math.min(top - list.clientHeight * 0.7, (tops[where.get(row)] ?? 0) - 2 * rowHeight);
  },

  isNarrow() { return innerWidth < 900; },

  head() {
    const planted = data.expected && data.violations.some((violation) => violation.oracle === data.expected);
    const [first, ...others] = data.violations;
    const verdict = planted ? "planted bug found" : VERDICTS[data.verdict];
    const tone = planted || data.verdict === "held" ? "good" : data.verdict === "violated" ? "bad" : "warn";
    const events = data.events.filter((event) => event.n !== undefined).length;
    const shownBy = (violation) => violation.events.slice(0, 6).map((row, at) => [at ? ", " : "",
      el("button", { type: "button", class: "link", onclick: () => this.choose(row, true) }, `event ${data.events[row].n}`)]);
    return el("header", { class: `top ${tone}` },
      el("div", { class: "top-line" }, brand(),
        el("span", { class: "title", title: data.title }, data.title),
        el("span", { class: "faint file", title: data.file }, data.file), el("span", { class: "faint" }, `seed ${data.seed}`),
        el("span", { class: "spring" }), themeButton(),
        el("button", { type: "button", class: "icon", title: "Keys and signs (?)", "aria-label": "Keys and signs", onclick: () => this.help.showModal() }, "?")),
      el("div", { class: "verdict" },
        el("span", { class: `verdict-badge ${tone}` }, verdict),
        first ? el("h1", {}, el("span", { class: "oracle" }, first.oracle), " ", first.message) : el("h1", {}, data.title),
        first?.events.length ? el("span", { class: "faint shown-by" }, "shown by ", shownBy(first)) : null),
      first?.demands ? el("p", { class: "demands" }, el("b", {}, "must hold "), first.demands) : null,
      data.because.length ? el("ul", { class: "why" }, data.because.map((sentence) => el("li", {}, el("b", {}, "why "), sentence))) : null,
      others.length || data.notes.length || first ? el("details", { class: "more", open: !this.isNarrow() && (data.notes.length > 0) },
        el("summary", {}, "about this run"),
        el("div", { class: "more-body" },
          el("p", {}, el("b", {}, data.title), data.about ? `: ${data.about}` : ""),
          others.map((violation) => el("p", {}, el("b", {}, `also ${violation.oracle}`), " ", violation.message, " (", shownBy(violation), ")")),
          data.notes.map((note) => el("p", { class: "note warn" }, note)),
          el("p", { class: "faint" }, `${count(events, "event")}, ${count(data.invocations.length, "invocation")}, digest ${data.digest}, onceproof ${data.onceproof}`))) : null,
      el("p", { class: "again" }, el("span", { class: "faint" }, "run it again "), command(data.command)));
  },

  toolbar() {
    const story = data.events.filter((event) => event.brief).length;
    const tab = (view, words, number) => el("button", { type: "button", role: "tab", "data-view": view, onclick: () => this.setView(view) }, words,
      number === null ? null : el("span", { class: "number" }, grouped(number)));
    this.tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "What is shown" },
      data.violations.length ? tab("story", "Story", story) : null, tab("all", "All events", data.events.length), this.beside ? tab("beside", "Beside a run that passes", null) : null);
    this.field = el("input", { type: "search", placeholder: "Search (/)", "aria-label": "Search events and their values", autocomplete: "off", spellcheck: "false" });
    this.field.addEventListener("input", () => this.search(this.field.value));
    this.found = el("span", { class: "found", role: "status" });
    const boxes = (items, isOn, change) => items.map(([key, words]) => {
      const box = el("input", { type: "checkbox" });
      this.boxes.push(() => (box.checked = isOn(key)));
      box.addEventListener("change", () => { change(key, box.checked); this.show(); });
      return el("label", {}, box, " ", words);
    });
    const used = new Set(data.events.map((event) => event.group));
    const kinds = boxes(Object.entries(KINDS).filter(([kind]) => used.has(kind)), (kind) => this.kinds.has(kind),
      (kind, on) => on ? this.kinds.add(kind) : this.kinds.delete(kind));
    const lanes = boxes(data.lanes.map((lane, at) => [at, lane.name]), (at) => !this.hidden.has(at),
      (at, on) => on ? this.hidden.delete(at) : this.hidden.add(at));
    const menu = (words, content) => el("details", { class: "menu" }, el("summary", {}, words), el("div", { class: "menu-body" }, content));
    const zoom = (by, words, label) => el("button", { type: "button", class: "icon", title: label, "aria-label": label, onclick: () => this.diagram.setZoom(by ? this.diagram.zoom + by : ZOOM_USUAL) }, words);
    this.shown = el("span", { class: "faint shown", role: "status" });
    const bar = el("div", { class: "toolbar" }, this.tabs, el("div", { class: "search" }, this.field, this.found),
      menu("Kinds", kinds), menu("Lanes", lanes),
      el("span", { class: "zoom", role: "group", "aria-label": "Zoom" }, zoom(-1, "−", "Zoom out (-)"), zoom(1, "+", "Zoom in (+)")), this.shown);
    addEventListener("click", (event) => {
      for (const open of bar.querySelectorAll("details[open]")) if (!open.contains(event.target)) open.open = false;
    });
    return bar;
  },

  makeHelp() {
    const sign = (kind) => svg("svg", { width: 22, height: 18, viewBox: "0 0 22 18", "aria-hidden": "true" },
      Diagram.prototype.sign.call({ rowHeight: 22 }, { sign: kind }, 0, 11, 9, kind === "fault" ? "tone-fault" : ""));
    const help = el("dialog", { class: "help", "aria-label": "Keys and signs" },
      el("h2", {}, "Keys"), el("table", {}, KEYS.map(([keys, words]) => el("tr", {}, el("td", {}, keys.split(" ").map((key) => el("kbd", {}, key))), el("td", {}, words)))),
      el("h2", {}, "Signs"), el("table", {}, SIGNS.map(([kind, words]) => el("tr", {}, el("td", {}, sign(kind)), el("td", {}, words)))),
      el("p", { class: "faint" }, "Time goes down. A bar is an attempt of a handler; the thin line under it is its invocation. An arrow with a cross never arrived. Where nothing happens, time is folded."),
      el("form", { method: "dialog" }, el("button", {}, "Close")));
    help.addEventListener("click", (event) => { if (event.target === help) help.close(); });
    return help;
  },

  setView(view) {
    if ((view === "beside" && !this.beside) || (view === "story" && !data.violations.length)) return;
    this.view = view;
    this.show();
    this.link();
  },

  /** Shows what view and filters leave. */
  show() {
    for (const tab of this.tabs.children) tab.setAttribute("aria-selected", tab.dataset.view === this.view ? "true" : "false");
    this.boxes.forEach((update) => update());
    const beside = this.view === "beside";
    this.diagram.node.hidden = beside;
    if (this.beside) { this.beside.node.hidden = !beside; if (beside) this.beside.layout(); }
    const rows = [];
    data.events.forEach((event, row) => {
      if (this.view === "story" && !event.brief) return;
      if (!this.kinds.has(event.group) || this.hidden.has(event.lane)) return;
      rows.push(row);
    });
    const used = new Set();
    for (const row of rows) {
      const { lane, arrow } = data.events[row];
      for (const one of [lane, ...(arrow ?? [])]) if (one !== undefined) used.add(one);
    }
    const lanes = data.lanes.map((_, at) => at).filter((at) => used.has(at) && !this.hidden.has(at));
    this.diagram.show(rows, lanes);
    const filtered = this.hidden.size || this.kinds.size < Object.keys(KINDS).length;
    this.shown.textContent = beside ? "" : filtered ? `${grouped(rows.length)} of ${grouped(data.events.length)} shown` : "";
    this.mark();
    if (this.diagram.selected >= 0) this.diagram.select(this.diagram.selected);
  },

  choose(row, anywhere = false, quietly = false) {
    if (anywhere && (this.view === "beside" || !this.diagram.where.has(row))) {
      this.view = data.events[row].brief && this.view !== "all" ? "story" : "all";
      this.kinds.add(data.events[row].group);
      this.hidden.delete(data.events[row].lane);
      this.show();
    }
    this.diagram.select(row, quietly);
    this.detail.show(row);
    document.body.classList.add("has-detail");
    this.cover();
    this.diagram.measure();
    this.diagram.draw(true);
    if (!quietly) { this.link(); this.diagram.select(row); }
  },

  /** On a narrow screen, the chosen event lies over the end of the list. */
  cover() {
    const { diagram } = this;
    diagram.covered = this.isNarrow() && document.body.classList.contains("has-detail") ? this.detail.node.offsetHeight : 0;
    diagram.content.style.height = diagram.height + diagram.covered + "px";
  },

  close() {
    document.body.classList.remove("has-detail");
    this.diagram.selected = -1;
    this.cover();
    this.diagram.measure();
    this.diagram.draw(true);
    this.link();
    this.diagram.list.focus({ preventScroll: true });
  },

  /** The address of what is shown. */
  link() {
    const event = data.events[this.diagram.selected];
    const parts = [];
    if (event?.n !== undefined) parts.push(`e=${event.n}`);
    parts.push(`v=${this.view}`);
    const hash = "#" + parts.join("&");
    try { history.replaceState(null, "", hash); } catch { location.hash = hash; }
  },

  /** Shows what the address says; true if that is an event. */
  follow() {
    const said = new URLSearchParams(location.hash.slice(1));
    const view = said.get("v");
    if (["story", "all", "beside"].includes(view) && view !== this.view) this.setView(view);
    const number = Number(said.get("e"));
    const row = number ? data.events.findIndex((event) => event.n === number) : -1;
    if (row < 0) return false;
    this.choose(row, this.view !== "beside");
    return true;
  },

  search(needle) {
    this.needle = needle.trim().toLowerCase();
    this.mark();
    if (this.needle && this.matches.length && !this.matches.includes(this.diagram.selected)) this.jump(this.matches, 1);
  },

  /** Marks what is searched for. */
  mark() {
    if (this.needle) this.texts ??= data.texts.map((text) => text.toLowerCase());
    const has = (event) => event.text.toLowerCase().includes(this.needle) || event.who.toLowerCase().includes(this.needle)
      || event.fields.some(([, text]) => this.texts[text].includes(this.needle));
    const all = this.needle ? data.events.map((_, row) => row).filter((row) => has(data.events[row])) : [];
    this.matches = all.filter((row) => this.diagram.where.has(row));
    this.diagram.matches = new Set(this.matches);
    this.diagram.needle = this.needle;
    this.diagram.draw(true);
    this.count(all.length);
  },

  count(all = this.matches.length) {
    if (!this.needle) { this.found.replaceChildren(); return; }
    const at = this.matches.indexOf(this.diagram.selected);
    const words = this.matches.length ? `${at >= 0 ? grouped(at + 1) + " of " : ""}${grouped(this.matches.length)}` : "nothing";
    const hidden = all - this.matches.length;
    this.found.replaceChildren(words);
    if (hidden > 0) {
      this.found.append(" ", el("button", { type: "button", class: "link", onclick: () => {
        Object.keys(KINDS).forEach((kind) => this.kinds.add(kind));
        this.hidden.clear();
        this.setView("all");
      } }, `${grouped(hidden)} not shown`));
    }
  },

  breaks(row) { return this.diagram.marked.has(row) || this.diagram.also.has(row); },

  /** The next of some rows, seen from the chosen one. */
  jump(rows, by) {
    if (!rows.length) return;
    const now = this.diagram.selected;
    const after = rows.find((row) => row > now), before = rows.findLast((row) => row < now);
    const next = by > 0 ? after ?? rows[0] : before ?? rows[rows.length - 1];
    this.choose(next);
    this.count();
  },

  step(by) {
    const { rows, where, selected } = this.diagram;
    if (!rows.length) return;
    const at = where.get(selected);
    const next = at === undefined ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by));
    this.choose(rows[next]);
    if (this.needle) this.count();
  },

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === this.field;
    if (event.key === "Escape") {
      if (this.help.open) return;
      const open = document.querySelector(".toolbar details[open]");
      if (open) open.open = false;
      else if (this.needle || typing) { this.field.value = ""; this.search(""); this.diagram.list.focus({ preventScroll: true }); }
      else this.close();
      return;
    }
    if (typing) {
      if (event.key === "Enter") { this.jump(this.matches, event.shiftKey ? -1 : 1); event.preventDefault(); }
      return;
    }
    if (this.help.open && event.key !== "?") return;
    const shown = (test) => this.diagram.rows.filter(test);
    const page = Math.max(1, Math.floor(this.diagram.list.clientHeight / this.diagram.rowHeight) - 2);
    const keys = {
      j: () => this.step(1), ArrowDown: () => this.step(1), k: () => this.step(-1), ArrowUp: () => this.step(-1),
      PageDown: () => this.step(page), PageUp: () => this.step(-page),
      g: () => this.step(-Infinity), Home: () => this.step(-Infinity), G: () => this.step(Infinity), End: () => this.step(Infinity),
      m: () => this.jump(shown((row) => this.breaks(row)), 1), M: () => this.jump(shown((row) => this.breaks(row)), -1),
      f: () => this.jump(shown((row) => data.events[row].group === "fault"), 1), F: () => this.jump(shown((row) => data.events[row].group === "fault"), -1),
      n: () => this.jump(this.matches, 1), N: () => this.jump(this.matches, -1),
      "/": () => { this.field.focus(); this.field.select(); },
      "1": () => this.setView("story"), "2": () => this.setView("all"), "3": () => this.setView("beside"),
      "+": () => this.diagram.setZoom(this.diagram.zoom + 1), "=": () => this.diagram.setZoom(this.diagram.zoom + 1),
      "-": () => this.diagram.setZoom(this.diagram.zoom - 1), "0": () => this.diagram.setZoom(ZOOM_USUAL),
      t: toggleTheme, "?": () => this.help.open ? this.help.close() : this.help.showModal(),
    };
    const inText = event.target.closest?.("summary, .menu-body, .detail pre");
    if (!keys[event.key] || (inText && /^(Arrow|Page|Home|End)/.test(event.key))) return;
    event.preventDefault();
    keys[event.key]();
  },

  /** On paper there is no scrolling: all rows that are shown are drawn, if they are not too many. */
  print(on) {
    const PRINTED_MAX = 3000;
    // paper is light
    if (on && !this.printing) this.theme = root.dataset.theme;
    if (on) root.dataset.theme = "light";
    else if (this.theme) root.dataset.theme = this.theme;
    else delete root.dataset.theme;
    this.printing = on;
    this.diagram.whole = on && this.diagram.rows.length <= PRINTED_MAX;
    if (this.beside) { this.beside.whole = on; if (this.view === "beside") this.beside.layout(); }
    document.body.classList.toggle("printing", on);
    this.diagram.measure();
    this.diagram.draw(true);
  },
};

app.start();
