// This run beside the nearest one in which everything held: what both have in one row, and folded where it is long.

const SAME_MAX = 5; // more rows that say the same are folded
const SAME_KEPT = 2;
const BESIDE_ROW = 26;

class Beside {
  constructor(choose) {
    this.choose = choose;
    this.open = new Set();
    this.list = el("div", { class: "beside-list", tabindex: 0, role: "region", "aria-label": "This run beside one that passes" });
    this.content = el("div", { class: "content" });
    this.list.append(this.content);
    const { passing } = data;
    const difference = passing.rows.findIndex(([, , same]) => !same);
    this.node = el("div", { class: "beside" },
      el("div", { class: "beside-heads" },
        el("div", {}, el("b", { class: "bad-text" }, "This run"), el("span", { class: "faint" }, ` · ${count(data.events.filter((e) => e.n).length, "event")}`)),
        el("div", {}, el("b", { class: "good-text" }, "The nearest run in which everything holds"), el("span", { class: "faint" }, ` · ${passing.without}`))),
      this.list);
    this.first = difference;
    this.list.addEventListener("scroll", () => this.draw());
    this.list.addEventListener("click", (event) => {
      const fold = event.target.closest("[data-fold]"), row = event.target.closest("[data-row]");
      if (fold) { this.open.add(Number(fold.dataset.fold)); this.layout(); }
      else if (row) this.choose(Number(row.dataset.row));
    });
    new ResizeObserver(() => this.layout()).observe(this.list);
  }

  layout() {
    const unified = (this.list.clientWidth || 800) < 620;
    this.node.classList.toggle("unified", unified);
    const { rows } = data.passing;
    const items = [];
    for (let at = 0; at < rows.length;) {
      let end = at;
      while (end < rows.length && rows[end][2] && !this.isDecisive(rows[end])) end++;
      if (end > at) {
        const long = end - at > SAME_MAX && !this.open.has(at);
        const kept = at === 0 ? 0 : SAME_KEPT, tail = end === rows.length ? 0 : SAME_KEPT;
        for (let row = at; row < end; row++) {
          if (long && row === at + kept) { items.push({ fold: at, length: end - at - kept - tail }); row = end - tail; }
          if (row < end) items.push({ pair: rows[row] });
        }
        at = end;
      } else {
        const [here, there, same] = rows[at];
        if (unified && here !== null && there !== null && !same) items.push({ pair: [here, null, false] }, { pair: [null, there, false] });
        else items.push({ pair: rows[at] });
        at++;
      }
    }
    this.items = items;
    this.content.style.height = items.length * BESIDE_ROW + "px";
    this.draw();
  }

  isDecisive([here]) { return here !== null && data.events[here].decisive; }

  draw() {
    const whole = this.whole;
    const first = whole ? 0 : Math.max(0, Math.floor(this.list.scrollTop / BESIDE_ROW) - 10);
    const last = whole ? this.items.length : Math.min(this.items.length, first + Math.ceil(this.list.clientHeight / BESIDE_ROW) + 20);
    const parts = [];
    for (let at = first; at < last; at++) {
      const node = this.item(this.items[at]);
      node.style.top = at * BESIDE_ROW + "px";
      parts.push(node);
    }
    this.content.replaceChildren(...parts);
  }

  item({ pair, fold, length }) {
    if (!pair) {
      return el("div", { class: "pair" }, el("button", { type: "button", class: "fold-button", "data-fold": fold }, `${count(length, "event")} the same in both`));
    }
    const [here, there, same] = pair;
    const kind = same ? "same" : here === null ? "only-there" : there === null ? "only-here" : "other";
    const node = el("div", { class: `pair ${kind} ${this.isDecisive(pair) ? "decisive" : ""}` });
    node.append(this.side(here === null ? null : data.events[here], here), this.side(there === null ? null : data.passing.events[there], null));
    return node;
  }

  side(event, row) {
    if (!event) return el("div", { class: "side empty" });
    return el("div", { class: `side is-${event.group} ${row !== null && app.diagram.marked.has(row) ? "marked" : ""}`, "data-row": row, title: event.text },
      el("span", { class: "at" }, clock(event.at)),
      row !== null && event.decisive ? el("b", { class: "badge decisive-badge" }, "decisive") : null,
      el("span", { class: "who" }, event.who), " ", event.text);
  }
}
