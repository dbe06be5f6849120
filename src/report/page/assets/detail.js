// What is known of one event: everything it holds, the journal and the attempts of its invocation, the state of its
// object before and after, and what handlers logged.

const LINES_MAX = 400; // of a difference
const LIST_MAX = 300; // entries of a journal, lines of a log

const invocationOf = new Map(data.invocations.map((invocation) => [invocation.inv, invocation]));
const fieldOf = (event, name) => {
  const field = event.fields.find(([this_]) => this_ === name);
  return field && data.texts[field[1]];
};

/** By object: every change of its state, in order. */
const changes = data.objects.map(() => []);
data.events.forEach((event, row) => {
  if (event.state) changes[event.state[0]].push({ row, name: event.state[1], text: fieldOf(event, "value") ?? null });
});

/** By invocation: the rows of its journal. */
const journals = new Map();
data.events.forEach((event, row) => {
  if (event.group !== "journal" || event.inv === undefined) return;
  if (!journals.has(event.inv)) journals.set(event.inv, []);
  journals.get(event.inv).push(row);
});

/** By invocation: what its attempts logged. */
const logs = new Map();
for (const log of data.logs) {
  const key = log.inv ?? -1;
  if (!logs.has(key)) logs.set(key, []);
  logs.get(key).push(log);
}

/** The state of an object after all rows before `row`. */
function stateBefore(object, row) {
  const state = new Map();
  for (const change of changes[object]) {
    if (change.row >= row) break;
    if (change.text === null) state.delete(change.name); else state.set(change.name, change.text);
  }
  return state;
}

/** Lines of two texts: `[mark, line]`, where the mark is a space, `-` or `+`. */
function difference(before, after) {
  const a = before === undefined ? [] : before.split("\n"), b = after === undefined ? [] : after.split("\n");
  if (a.length > LINES_MAX || b.length > LINES_MAX) {
    return [...a.map((line) => ["-", line]), ...b.map((line) => ["+", line])];
  }
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { lines.push([" ", a[i]]); i++; j++; }
    else if (i < a.length && (j >= b.length || best[i + 1][j] >= best[i][j + 1])) lines.push(["-", a[i++]]);
    else lines.push(["+", b[j++]]);
  }
  return lines;
}

/** The line of a change of state: what is other than before. None if that cannot be said part by part. */
function stateWords(event) {
  if (event.change === undefined) return null;
  const [object, name] = event.state;
  const lane = data.lanes[event.lane]?.name;
  return `${lane === data.objects[object] ? "" : data.objects[object] + " "}${name}: ${event.change}`;
}

/** The line of an event in the diagram. */
const lines = new Map();
function lineOf(row) {
  const event = data.events[row];
  if (!lines.has(row)) {
    lines.set(row, stateWords(event) ?? withoutLane(event));
  }
  return lines.get(row);
}

/** The words of an event without the name of the object in whose lane its invocation is. */
function withoutLane(event) {
  const invocation = invocationOf.get(event.inv);
  const lane = invocation && data.lanes[invocation.lane].name + "/";
  if (!lane || !invocation.name.startsWith(lane)) return event.text;
  return event.text.replaceAll(invocation.name, invocation.name.slice(lane.length));
}

const TITLE_OF_MARK = { "-": "before", "+": "after" };

/** Two states as a difference, name by name. */
function differenceOf(before, after) {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const node = el("div", { class: "difference" });
  for (const name of names) {
    const lines = difference(before.get(name), after.get(name));
    const changed = lines.some(([mark]) => mark !== " ");
    const pre = el("pre", { class: "value" });
    for (const [mark, line] of lines) {
      const kind = { "-": "gone", "+": "new" }[mark] ?? "same";
      pre.append(el("span", { class: `line ${kind}`, title: TITLE_OF_MARK[mark] }, mark + " " + line));
    }
    node.append(el("div", { class: `state-name ${changed ? "changed" : ""}` }, name), pre);
  }
  if (!names.length) node.append(el("p", { class: "faint" }, "It holds nothing."));
  return node;
}

class Detail {
  /** `choose(row)` shows another event. */
  constructor(choose, close) {
    this.choose = choose;
    this.body = el("div", { class: "detail-body" });
    this.node = el("section", { class: "detail", "aria-label": "The chosen event", tabindex: -1 },
      el("button", { type: "button", class: "icon close", "aria-label": "Close (Esc)", title: "Close (Esc)", onclick: close }, "×"),
      this.body);
    this.body.append(el("p", { class: "faint hint" }, "Choose an event to see all that it holds."));
  }

  show(row) {
    const event = data.events[row];
    const invocation = invocationOf.get(event.inv);
    this.body.replaceChildren(...[
      this.head(event, row),
      this.blame(row),
      ...(event.state ? [this.state(event, row), this.fields(event)] : [this.fields(event), this.state(event, row, invocation)]),
      this.invocation(event, row, invocation),
      this.journal(event, row),
      this.log(event, row, invocation),
    ].filter(Boolean));
    this.body.scrollTop = 0;
  }

  link(row, ...words) {
    return el("button", { type: "button", class: "link", onclick: () => this.choose(row) }, ...words);
  }

  head(event, row) {
    return el("header", { class: "detail-head" },
      el("p", { class: "faint" },
        event.n === undefined ? "decision" : `event ${grouped(event.n)}`, " · ", clock(event.at), " · ", event.who, " · ", event.kind.replaceAll("_", " ")),
      el("h2", {}, event.kind === "state_changed" ? lineOf(row) : event.text));
  }

  blame(row) {
    const broken = data.violations.filter((violation) => violation.events.includes(row));
    const parts = broken.map(({ oracle, message, events }) => el("div", { class: "note bad" },
      el("b", {}, oracle), " ", message,
      events.length > 1 ? el("p", {}, "Together with ",
        events.filter((other) => other !== row).slice(0, 8).map((other, at) =>
          [at ? ", " : "", this.link(other, `event ${data.events[other].n} at ${clock(data.events[other].at)}`)])) : null));
    if (data.events[row].decisive) {
      parts.push(el("div", { class: "note decisive-note" }, el("b", {}, "Decisive. "),
        data.passing ? `Everything holds ${data.passing.without}.` : "Without this the run does not fail in this way."));
    }
    return parts.length ? el("div", {}, parts) : null;
  }

  fields(event) {
    if (!event.fields.length) return null;
    const list = el("dl", { class: "fields" });
    for (const [name, text] of event.fields) {
      const all = data.texts[text];
      if (all === "") continue;
      list.append(el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, value(all)));
    }
    return this.part("Values", list);
  }

  part(title, ...content) {
    return el("section", { class: "part" }, el("h3", {}, title), ...content);
  }

  state(event, row, invocation) {
    if (event.state) {
      const [object] = event.state;
      const title = `State of ${data.objects[object]}, before and after`;
      return this.part(title, differenceOf(stateBefore(object, row), stateBefore(object, row + 1)));
    }
    if (!invocation || invocation.object === null) return null;
    const object = invocation.object;
    const now = stateBefore(object, row + 1);
    const began = stateBefore(object, invocation.from);
    const title = `State of ${data.objects[object]}, since this invocation was accepted`;
    return this.part(title, differenceOf(began, now));
  }

  invocation(event, row, invocation) {
    if (!invocation) return null;
    const attempts = data.attempts.filter((bar) => bar.inv === invocation.inv);
    const chips = attempts.slice(0, 40).map((bar) => {
      const here = bar.from <= row && (bar.to === null || row <= bar.to);
      const chip = this.link(bar.from, `${bar.attempt} ${bar.end}`);
      chip.className = `chip ends-${bar.end} ${here ? "here" : ""}`;
      chip.title = `Attempt ${bar.attempt} began at ${clock(data.events[bar.from].at)}`;
      return chip;
    });
    return this.part("Invocation",
      el("p", {}, this.link(invocation.from, invocation.name), " ", el("span", { class: "faint" }, invocation.id)),
      el("p", { class: "chips" }, el("span", { class: "faint" }, "attempts "), chips.length ? chips : "none yet"),
      invocation.to === null ? el("p", { class: "faint" }, "It has no end.")
        : el("p", {}, "It ", this.link(invocation.to, invocation.end), ` at ${clock(data.events[invocation.to].at)}.`));
  }

  journal(event, row) {
    if (event.inv === undefined) return null;
    const all = (journals.get(event.inv) ?? []).filter((entry) => entry <= row);
    if (!all.length) return this.part("Journal so far", el("p", { class: "faint" }, "No entry yet."));
    const table = el("table", { class: "journal" });
    for (const entry of all.slice(-LIST_MAX)) {
      const of = data.events[entry];
      const holds = fieldOf(of, "value") ?? fieldOf(of, "error") ?? fieldOf(of, "until") ?? "";
      const line = holds.replace(/\s*\n\s*/g, " ");
      table.append(el("tr", { class: entry === row ? "here" : null },
        el("td", {}, fieldOf(of, "index")),
        el("td", {}, this.link(entry, (fieldOf(of, "kind") ?? "").replace("Command: ", "").replace("Notification: ", "↩ ")), " ", el("span", {}, fieldOf(of, "name"))),
        el("td", { class: "holds", title: line.slice(0, 600) }, line.slice(0, 120))));
    }
    return this.part(`Journal so far: ${count(all.length, "entry").replace("entrys", "entries")}`, table);
  }

  log(event, row, invocation) {
    const lines = (invocation ? logs.get(invocation.inv) : logs.get(-1)) ?? [];
    if (!lines.length || !invocation) return null;
    const running = data.attempts.find((bar) => bar.inv === invocation.inv && bar.from <= row && (bar.to === null || row <= bar.to));
    const list = el("div", { class: "logs" });
    for (const log of lines.slice(0, LIST_MAX)) {
      const later = log.row > row;
      const other = running && log.attempt !== running.attempt;
      list.append(el("div", { class: `log level-${log.level} ${later ? "later" : ""} ${other ? "other" : ""}` },
        el("span", { class: "faint" }, `${clock(log.at)} · ${log.attempt} `), el("b", {}, log.level), " ", data.texts[log.text]));
    }
    return this.part("What its handler logged", list);
  }
}
