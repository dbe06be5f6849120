// The diagram: a row for each event that is shown, a column for each lane. Only the rows in sight are in the page.

const ZOOMS = [5, 9, 14, 20, 26, 34];
const ZOOM_USUAL = 4;
const TEXT_FROM = 14; // rows that are lower have no text
const OVERSCAN = 30;
const FOLD_FROM = 100000; // microseconds: a longer wait is folded, and its length written
const LANE_MIN = 24;
const LANE_MAX = 118;

class Diagram {
  /** `choose(row)` is called when a person chooses a row. */
  constructor(choose) {
    this.choose = choose;
    this.zoom = ZOOM_USUAL;
    this.rows = []; // the indices of the events that are shown
    this.tops = [];
    this.height = 0;
    this.selected = -1;
    this.matches = new Set();
    // what the violation that is meant shows, and what others do
    this.marked = new Set(data.violations[0]?.events);
    this.also = new Set(data.violations.slice(1).flatMap((violation) => violation.events).filter((row) => !this.marked.has(row)));
    this.drawn = [0, -1];
    this.covered = 0; // pixels of the list that are under the chosen event
    this.lanes = [];
    this.heads = el("div", { class: "heads", "aria-hidden": "true" });
    this.list = el("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": "Events, in virtual time" });
    // lanes and bars, what stands in rows, what joins rows
    [this.under, this.marks, this.over] = [svg("g"), svg("g"), svg("g")];
    this.picture = svg("svg", { class: "picture", "aria-hidden": "true" }, this.under, this.marks, this.over);
    this.inPage = new Map(); // by place: the nodes of a row
    this.content = el("div", { class: "content", role: "presentation" });
    this.list.append(this.content);
    this.map = el("div", { class: "map", "aria-hidden": "true" });
    this.node = el("div", { class: "diagram" }, this.heads, el("div", { class: "list-frame" }, this.list, this.map));
    this.map.addEventListener("click", (event) => {
      const part = event.offsetY / this.map.clientHeight;
      this.list.scrollTop = part * this.height - this.list.clientHeight / 2;
    });
    this.list.addEventListener("scroll", () => this.draw(), { passive: true });
    this.heads.addEventListener("scroll", () => this.draw(true), { passive: true });
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-row]");
      if (row) this.choose(Number(row.dataset.row));
    });
    new ResizeObserver(() => { this.measure(); this.draw(true); }).observe(this.node);
  }

  get rowHeight() { return ZOOMS[this.zoom]; }

  /** Shows these events, and these lanes. */
  show(rows, lanes) {
    this.rows = rows;
    this.lanes = lanes;
    this.place();
  }

  setZoom(zoom) {
    const middle = this.list.scrollTop + this.list.clientHeight / 2;
    const at = this.rowAt(middle);
    this.zoom = Math.max(0, Math.min(ZOOMS.length - 1, zoom));
    this.place();
    if (this.rows.length) this.list.scrollTop = this.tops[at] - this.list.clientHeight / 2;
    this.draw(true);
  }

  /** Where each row stands: close to what happens at the same time, further from what happens later. */
  place() {
    const height = this.rowHeight, scale = height / ZOOMS[ZOOM_USUAL];
    let top = Math.round(6 * scale);
    this.tops = new Array(this.rows.length);
    this.folds = new Map();
    for (let at = 0; at < this.rows.length; at++) {
      const wait = at ? data.events[this.rows[at]].at - data.events[this.rows[at - 1]].at : 0;
      if (wait >= FOLD_FROM) {
        this.folds.set(at, { top, wait, until: data.events[this.rows[at]].at });
        top += Math.round(Math.max(8, 26 * scale));
      } else if (wait > 0) {
        top += Math.round((2 + 2 * Math.log10(1 + wait / 1000)) * scale) + 1;
      }
      this.tops[at] = top;
      top += height;
    }
    this.height = top + Math.round(12 * scale);
    this.content.style.height = this.height + this.covered + "px";
    this.where = new Map(this.rows.map((row, at) => [row, at]));
    this.measure();
    this.drawMap();
    this.draw(true);
  }

  /** Beside the scroll bar: where what matters stands. */
  drawMap() {
    const TICKS_MAX = 400;
    const tones = [["fault", (row) => data.events[row].group === "fault"], ["decisive", (row) => data.events[row].decisive], ["bad", (row) => this.marked.has(row)]];
    const ticks = tones.flatMap(([tone, is]) => this.rows.map((row, at) => [row, at]).filter(([row]) => is(row)).slice(0, TICKS_MAX).map(([, at]) => {
      const tick = el("i", { class: `tick-${tone}` });
      tick.style.top = (100 * this.tops[at]) / Math.max(1, this.height) + "%";
      return tick;
    }));
    this.map.replaceChildren(...ticks);
  }

  /** How wide the lanes are. */
  measure() {
    const width = this.list.clientWidth || 800;
    const narrow = width < 620;
    const longest = clock(data.events.at(-1)?.at ?? 0).length;
    const gutter = narrow ? 14 + 6.4 * longest : Math.max(72, 24 + 7 * longest);
    const room = width - gutter - (narrow ? width * 0.5 : Math.max(320, width * 0.5));
    const lane = Math.floor(Math.max(LANE_MIN, Math.min(LANE_MAX, room / Math.max(1, this.lanes.length))));
    const graph = Math.min(lane * this.lanes.length, Math.max(LANE_MIN, Math.floor(room)));
    Object.assign(this, { gutter, lane, graph });
    this.node.style.setProperty("--gutter", gutter + "px");
    this.node.style.setProperty("--graph", graph + "px");
    this.node.style.setProperty("--row", this.rowHeight + "px");
    this.node.classList.toggle("upright", lane < 56);
    this.node.classList.toggle("wordless", this.rowHeight < TEXT_FROM);
    this.center = new Map(this.lanes.map((lane_, at) => [lane_, at * lane + lane / 2]));
    const inner = el("div", { class: "heads-inner" });
    inner.style.width = lane * this.lanes.length + "px";
    for (const number of this.lanes) {
      const { kind, name } = data.lanes[number];
      const slash = kind === "object" ? name.indexOf("/") + 1 : 0;
      const [service, key] = [name.slice(0, slash), name.slice(slash)];
      // one line upright: the key first, since that may be cut least
      const words = lane < 40 ? (slash ? [key, " ", el("small", {}, service.slice(0, -1))] : name)
        : slash ? [el("small", {}, this.breakable(service)), this.breakable(key)] : this.breakable(name);
      const head = el("div", { class: `head lane-${kind}`, title: `${kind}: ${name}` },
        el("span", {}, words));
      head.style.width = lane + "px";
      inner.append(head);
    }
    const scrolled = this.heads.scrollLeft;
    this.heads.replaceChildren(inner);
    this.heads.scrollLeft = scrolled;
  }

  /** A name that may be broken between its words. */
  breakable(name) {
    return name.split(/(?<=[a-z])(?=[A-Z])|(?<=[-_/])/).map((part, at) => [at ? el("wbr") : null, part]);
  }

  /** The place among the shown rows of the first that ends below `y`. */
  rowAt(y) {
    let low = 0, high = this.tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle] + this.rowHeight <= y) low = middle + 1; else high = middle;
    }
    return Math.min(low, Math.max(0, this.tops.length - 1));
  }

  /** The height of an event; of one that is not shown, of the next one that is. */
  middleOf(row) {
    let low = 0, high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle] < row) low = middle + 1; else high = middle;
    }
    return low < this.rows.length ? this.tops[low] + this.rowHeight / 2 : this.height;
  }

  draw(anew = false) {
    const { list } = this;
    const top = this.whole ? 0 : list.scrollTop, bottom = this.whole ? this.height : top + list.clientHeight;
    const first = this.rowAt(top), last = this.rowAt(bottom);
    if (!anew && first >= this.drawn[0] && last <= this.drawn[1]) return;
    const from = Math.max(0, first - OVERSCAN), to = Math.min(this.rows.length - 1, last + OVERSCAN);
    this.drawn = [from === 0 ? -1 : from, to === this.rows.length - 1 ? Infinity : to];
    if (anew) {
      this.inPage.clear();
      this.content.replaceChildren(this.picture);
      this.marks.replaceChildren();
    }
    this.drawRows(from, to);
    this.drawPicture(from, to);
    list.setAttribute("aria-activedescendant", this.where.has(this.selected) ? `row-${this.selected}` : "");
  }

  /** Takes away the rows that are out of sight, and adds those that came into it. */
  drawRows(from, to) {
    let first = Infinity;
    for (const [at, nodes] of this.inPage) {
      if (at >= from && at <= to) { first = Math.min(first, at); continue; }
      nodes.forEach((node) => node.remove());
      this.inPage.delete(at);
    }
    const anchor = this.inPage.get(first)?.[0] ?? null;
    for (let at = from; at <= to; at++) {
      if (this.inPage.has(at)) continue;
      const nodes = [this.row(at)];
      if (this.folds.has(at)) nodes.push(this.fold(this.folds.get(at)));
      for (const node of nodes) this.content.insertBefore(node, at < first ? anchor : null);
      const marks = [];
      this.drawRow(marks, at, this.lane);
      const group = svg("g", {}, marks);
      this.marks.append(group);
      this.inPage.set(at, [...nodes, group]);
    }
  }

  row(at) {
    const index = this.rows[at], event = data.events[index];
    const before = at ? data.events[this.rows[at - 1]].at : -1;
    const classes = ["row", `is-${event.group}`];
    if (this.marked.has(index)) classes.push("marked");
    if (this.also.has(index)) classes.push("also");
    if (event.decisive) classes.push("decisive");
    if (event.lane === undefined) classes.push("of-all");
    if (this.matches.has(index)) classes.push("match");
    const node = el("div", {
      class: classes.join(" "), id: `row-${index}`, "data-row": index, role: "option",
      "aria-selected": index === this.selected ? "true" : "false",
      "aria-setsize": this.rows.length, "aria-posinset": at + 1,
    });
    node.style.top = this.tops[at] + "px";
    if (this.rowHeight < TEXT_FROM) {
      node.setAttribute("aria-label", readable(`${clock(event.at)} ${event.who}: ${event.text}`));
      return node;
    }
    node.append(
      el("span", { class: "at" }, event.at === before ? "" : clock(event.at)),
      el("span", { class: "words", title: event.text },
        event.decisive ? el("b", { class: "badge decisive-badge", title: "Without this the run passes" }, "decisive") : null,
        this.marked.has(index) ? el("b", { class: "badge bad-badge", title: "Shows the violation" }, "!") : null,
        this.also.has(index) ? el("b", { class: "badge also-badge", title: "Shows another violation" }, "!") : null,
        event.who === "restate" ? null : [el("span", { class: "who" }, event.who), " "], this.text(lineOf(index))));
    return node;
  }

  /** The line of an event, with what is searched for marked. */
  text(text) {
    if (!this.needle) return text;
    const lower = text.toLowerCase();
    const parts = [];
    let end = 0;
    for (let at = lower.indexOf(this.needle); at >= 0; at = lower.indexOf(this.needle, end)) {
      parts.push(text.slice(end, at), el("mark", {}, text.slice(at, at + this.needle.length)));
      end = at + this.needle.length;
    }
    parts.push(text.slice(end));
    return parts;
  }

  fold({ top, wait, until }) {
    const words = until < DAY ? `${span(wait)} later` : `${span(wait)} later, ${day(until)}`;
    const node = el("div", { class: "fold", role: "presentation" }, el("span", {}, words));
    node.style.top = top + "px";
    return node;
  }

  drawPicture(from, to) {
    const { graph, rowHeight } = this;
    const top = this.rows.length ? this.tops[from] - 40 : 0;
    const bottom = this.rows.length ? this.tops[to] + rowHeight + 40 : 0;
    const offset = this.heads.scrollLeft;
    const picture = this.picture;
    picture.style.top = top + "px";
    picture.setAttribute("width", graph);
    picture.setAttribute("height", Math.max(0, bottom - top));
    picture.setAttribute("viewBox", `${offset} ${top} ${graph} ${Math.max(1, bottom - top)}`);
    const parts = [];
    for (const number of this.lanes) {
      const x = this.center.get(number);
      parts.push(svg("line", { class: `lifeline lane-${data.lanes[number].kind}`, x1: x, x2: x, y1: Math.max(0, top), y2: Math.min(this.height, bottom) }));
    }
    this.drawSpans(parts, top, bottom);
    const joins = [];
    this.drawJoins(joins, top, bottom);
    this.under.replaceChildren(...parts);
    this.over.replaceChildren(...joins);
  }

  /** Invocations as thin lines, attempts as bars over them. */
  drawSpans(parts, top, bottom) {
    const ends = (item) => {
      const y1 = this.middleOf(item.from);
      const y2 = item.to === null ? this.height : this.middleOf(item.to);
      return y2 < top || y1 > bottom ? null : [y1, Math.max(y1 + 3, y2)];
    };
    for (const inv of data.invocations) {
      const x = this.center.get(inv.lane), y = x === undefined ? null : ends(inv);
      if (y) parts.push(svg("line", { class: "waiting", x1: x, x2: x, y1: y[0], y2: y[1] }));
    }
    const wide = Math.min(12, this.lane / 2.4);
    for (const bar of data.attempts) {
      const x = this.center.get(bar.lane), y = x === undefined ? null : ends(bar);
      if (!y) continue;
      const left = x - wide / 2 + Math.min(bar.depth, 3) * wide * 0.7;
      const kind = data.lanes[bar.lane].kind;
      parts.push(svg("rect", {
        class: `bar lane-${kind} ends-${bar.end}`, x: left, y: y[0], width: wide, height: y[1] - y[0], rx: Math.min(3, wide / 3),
      }));
      if (["crashed", "killed", "failed"].includes(bar.end)) {
        parts.push(svg("rect", { class: "bar-end", x: left - 1, y: y[1] - 2.5, width: wide + 2, height: 3, rx: 1 }));
      }
      if (bar.attempt > 1 && y[1] - y[0] >= 12 && this.rowHeight >= TEXT_FROM) {
        parts.push(svg("text", { class: "bar-number", x: left + wide + 3, y: y[0] + 4 }, bar.attempt));
      }
    }
  }

  drawRow(parts, at, lane) {
    const index = this.rows[at], event = data.events[index];
    const y = this.tops[at] + this.rowHeight / 2;
    const tone = this.marked.has(index) ? "tone-bad" : event.group === "fault" ? "tone-fault" : "";
    const end = this.lanes.length * lane;
    if (event.lane === undefined || event.wide) {
      parts.push(svg("line", { class: `strike ${event.wide ? "tone-fault" : ""}`, x1: 0, x2: end, y1: y, y2: y }));
    }
    // beside its call, an effect needs no arrow of its own
    const told = event.kind === "system_effect" && this.where.size === data.events.length;
    if (event.arrow && !told) this.drawArrow(parts, event, y, tone);
    const x = this.center.get(event.lane);
    if (x !== undefined) parts.push(this.sign(event, index, x, y, tone));
    if (index === this.selected && x !== undefined) {
      parts.push(svg("circle", { class: "chosen", cx: x, cy: y, r: Math.min(10, this.rowHeight / 2) }));
    }
  }

  drawArrow(parts, { arrow: [from, to], lost, group }, y, tone) {
    const x1 = this.center.get(from);
    let x2 = this.center.get(to);
    if (x1 === undefined || x2 === undefined) return;
    const towards = Math.sign(x2 - x1);
    x2 -= towards * 5;
    const classes = `arrow is-${group} ${tone} ${lost ? "lost" : ""}`;
    if (lost) x2 = x1 + (x2 - x1) * 0.6;
    parts.push(svg("line", { class: classes, x1: x1 + towards * 5, x2, y1: y, y2: y }));
    const head = lost
      ? `M${x2 - 4} ${y - 4}l8 8m0 -8l-8 8`
      : `M${x2 - towards * 6} ${y - 4}L${x2} ${y}L${x2 - towards * 6} ${y + 4}`;
    parts.push(svg("path", { class: classes + " arrow-head", d: head }));
  }

  /** What stands in the lane: a shape for each kind of thing. */
  sign({ sign, decisive }, index, x, y, tone) {
    const size = Math.max(1.5, Math.min(5.5, this.rowHeight / 4));
    const is = `sign sign-${sign} ${tone} ${decisive ? "is-decisive" : ""}`;
    const path = (d) => svg("path", { class: is, d });
    const s = size;
    switch (sign) {
      case "effect": return path(`M${x} ${y - s - 1}L${x + s + 1} ${y}L${x} ${y + s + 1}L${x - s - 1} ${y}Z`);
      case "state": return svg("rect", { class: is, x: x - s + 0.5, y: y - s + 0.5, width: 2 * s - 1, height: 2 * s - 1, rx: 1.5 });
      case "entry": return svg("circle", { class: is, cx: x, cy: y, r: Math.max(1, s / 2.4) });
      case "cut": return path(`M${x - s} ${y - s}L${x + s} ${y + s}M${x + s} ${y - s}L${x - s} ${y + s}`);
      case "fault": return path(`M${x + s * 0.5} ${y - s * 1.4}L${x - s * 0.9} ${y + s * 0.3}H${x}L${x - s * 0.5} ${y + s * 1.4}L${x + s * 0.9} ${y - s * 0.3}H${x}Z`);
      case "refused": return path(`M${x - s * 0.8} ${y - s * 0.8}L${x + s * 0.8} ${y + s * 0.8}M${x + s * 0.8} ${y - s * 0.8}L${x - s * 0.8} ${y + s * 0.8}`);
      case "order": return path(`M${x - s} ${y - s * 0.6}H${x + s}M${x + s} ${y + s * 0.6}H${x - s}`);
      case "wait": return svg("circle", { class: is, cx: x, cy: y, r: s * 0.8 });
      case "end": return svg("rect", { class: is, x: x - s * 1.2, y: y - 1.25, width: s * 2.4, height: 2.5, rx: 1 });
      default: return svg("circle", { class: is, cx: x, cy: y, r: s * 0.7 });
    }
  }

  /** The events that break a rule, joined: effects if there are two, or else all of them. */
  drawJoins(parts, top, bottom) {
    for (const { events } of data.violations.slice(0, 1)) {
      const effects = events.filter((row) => data.events[row].sign === "effect");
      const joined = (effects.length > 1 ? effects : events).filter((row) => this.center.has(data.events[row].lane));
      for (let at = 1; at < joined.length && at < 12; at++) {
        const [a, b] = [joined[at - 1], joined[at]];
        const [xa, xb] = [this.center.get(data.events[a].lane), this.center.get(data.events[b].lane)];
        const [ya, yb] = [this.middleOf(a), this.middleOf(b)];
        if (yb < top || ya > bottom) continue;
        const bend = Math.max(xa, xb) + Math.min(34, Math.max(12, this.lane * 0.4));
        parts.push(svg("path", { class: "join", d: `M${xa + 7} ${ya}C${bend} ${ya} ${bend} ${ya} ${bend} ${Math.min(ya + 14, (ya + yb) / 2)}V${Math.max(yb - 14, (ya + yb) / 2)}C${bend} ${yb} ${bend} ${yb} ${xb + 7} ${yb}` }));
      }
    }
  }

  /** Chooses a row, and brings it into sight. */
  select(row, quietly = false) {
    this.selected = row;
    const at = this.where.get(row);
    if (at !== undefined && !quietly) {
      const top = this.tops[at], { list } = this, seen = Math.max(this.rowHeight, list.clientHeight - this.covered);
      const margin = Math.min(80, seen / 4);
      if (top < list.scrollTop + margin) list.scrollTop = top - margin;
      else if (top + this.rowHeight > list.scrollTop + seen - margin) list.scrollTop = top + this.rowHeight - seen + margin;
    }
    this.draw(true);
  }
}
