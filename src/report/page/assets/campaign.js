// The page of a campaign: what came of each scenario, what the faults did, what the runs reached, how soon planted bugs
// are found.

const VERDICTS = {
  violated: ["violated", "bad"], not_found: ["not found", "bad"], nondeterministic: ["nondeterministic", "bad"], oracle_panicked: ["oracle panicked", "bad"],
  crashed: ["crashed", "bad"], hung: ["hung", "bad"], ineffective: ["ineffective", "bad"], inconclusive: ["inconclusive", "warn"], found: ["bug found", "good"], held: ["held", "good"],
};
const ORDER = Object.keys(VERDICTS);
const SLOWEST = 12;
const report = data.report;
const scenarios = report?.scenarios ?? [];
const bugs = data.bugs?.bugs ?? [];
const entries = (object) => Object.entries(object ?? {});
const percent = (part, of) => (of ? `${Math.round((100 * part) / of)} %` : "");
const seconds = (s) => (s === undefined ? "" : s < 60 ? `${s.toFixed(s < 10 ? 2 : 1)} s` : span(s * 1e6));
const sum = (list, of) => list.reduce((all, item) => all + of(item), 0);
const base = (file) => file.split("/").pop();
const badge = (verdict) => {
  const [words, tone] = VERDICTS[verdict] ?? [verdict, "warn"];
  return el("span", { class: `verdict-badge ${tone}` }, words);
};

/** A bar from 0 to 1; `title` says it in words. */
function meter(part, title, tone = "") {
  const bar = svg("svg", { class: `meter ${tone}`, width: 96, height: 10, role: "img", "aria-label": readable(title) });
  bar.append(svg("title", {}, title), svg("rect", { class: "meter-all", width: 96, height: 10, rx: 3 }),
    svg("rect", { class: "meter-part", width: Math.max(part > 0 ? 2 : 0, 96 * Math.min(1, part)), height: 10, rx: 3 }));
  return bar;
}

function section(id, title, note, ...content) {
  return el("section", { class: "panel", id, "aria-labelledby": id + "-title" },
    el("h2", { id: id + "-title" }, title), note ? el("p", { class: "faint" }, note) : null, ...content);
}

function table(headings, rows, label) {
  return el("div", { class: "scroll-x", tabindex: 0, role: "region", "aria-label": label },
    el("table", { class: "grid" }, el("thead", {}, el("tr", {}, headings.map((words) => el("th", { scope: "col", class: words.startsWith("#") ? "figure" : null }, words.replace("#", ""))))),
      el("tbody", {}, rows)));
}

const row = (...cells) => el("tr", {}, cells.map((cell) => cell instanceof Element && cell.tagName === "TD" ? cell : el("td", {}, cell)));
const figure = (...words) => el("td", { class: "figure" }, ...words);

/** What did not hold, with the way to see it. */
function violation(found, scenario) {
  const href = Object.hasOwn(data.links, found.reproducer ?? "") ? data.links[found.reproducer] : null;
  return el("div", { class: "violation" },
    el("p", {}, el("span", { class: "oracle" }, found.oracle), " ", found.message),
    el("ul", { class: "why" }, (found.because ?? []).map((sentence) => el("li", {}, el("b", {}, "why "), sentence))),
    el("p", { class: "faint" }, `${grouped(found.occurrences)} of ${count(scenario.runs, "run")}, first with seed ${found.seed}`,
      href ? [" · ", el("a", { href }, "see the failure")] : null),
    !href && found.reproducer ? el("p", {}, command(`onceproof show ${found.reproducer}`)) : null);
}

function figures() {
  const passed = scenarios.filter((s) => ["held", "found"].includes(s.verdict)).length;
  const faults = sum(scenarios, (s) => sum(entries(s.faults), ([, counts]) => counts.fired));
  const item = (number, words, tone) => el("div", { class: `figure-box ${tone ?? ""}` }, el("b", {}, number), el("span", {}, words));
  return el("div", { class: "figures" },
    item(`${grouped(passed)} / ${grouped(scenarios.length)}`, "scenarios passed", passed === scenarios.length ? "good" : "bad"),
    item(grouped(report.runs), "runs"), item(grouped(report.events), "events"), item(grouped(faults), "faults fired"), item(seconds(report.elapsed_seconds), "to wait"));
}

/** The scenarios that did not pass, whole. */
function failures() {
  const failed = scenarios.filter((s) => !["held", "found"].includes(s.verdict));
  if (!failed.length) return null;
  return section("failures", `Not passed: ${failed.length}`, null, failed.map((scenario) => el("article", { class: "failure" },
    el("h3", {}, badge(scenario.verdict), " ", scenario.file), el("p", { class: "faint" }, scenario.title),
    scenario.verdict === "not_found" ? el("p", {}, `No run violated ${scenario.expected}, which the planted bug must violate.`) : null,
    scenario.violations.map((found) => violation(found, scenario)),
    scenario.notes.map((note) => el("p", { class: "note warn" }, note)))));
}

/** Every scenario in a line that opens. */
function all() {
  const sorts = {
    "worst first": (a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict),
    "as they were run": () => 0,
    "slowest first": (a, b) => (b.elapsed_seconds ?? 0) - (a.elapsed_seconds ?? 0),
    "by name": (a, b) => (a.file < b.file ? -1 : 1),
  };
  const list = el("div", { class: "scenarios" });
  const search = el("input", { type: "search", placeholder: "Filter (/)", "aria-label": "Filter scenarios", id: "filter" });
  const sort = el("select", { "aria-label": "Sort scenarios" }, Object.keys(sorts).map((name) => el("option", { value: name }, name)));
  const shown = el("span", { class: "faint", role: "status" });
  const draw = () => {
    const needle = search.value.trim().toLowerCase();
    const has = (s) => [s.file, s.title, s.verdict, ...s.violations.map((v) => v.oracle)].some((text) => text.toLowerCase().includes(needle));
    const some = scenarios.filter(has).sort(sorts[sort.value]);
    shown.textContent = needle ? `${grouped(some.length)} of ${grouped(scenarios.length)}` : "";
    list.replaceChildren(...some.map(scenarioLine));
  };
  search.addEventListener("input", draw);
  sort.addEventListener("change", draw);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(event.target.tagName)) {
      if (event.key === "Escape" && event.target === search) { search.value = ""; draw(); search.blur(); }
      return;
    }
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "t") toggleTheme();
  });
  draw();
  return section("scenarios", `Scenarios: ${scenarios.length}`, null, el("div", { class: "tools" }, search, sort, shown), list);
}

function scenarioLine(s) {
  const fired = entries(s.faults).filter(([, counts]) => counts.fired > 0).length;
  const body = () => [
    s.violations.length ? el("div", {}, el("h4", {}, "What did not hold"), s.violations.map((found) => violation(found, s))) : null,
    entries(s.faults).length ? el("div", {}, el("h4", {}, "Faults"), faultTable(entries(s.faults))) : null,
    entries(s.replies).length ? el("div", {}, el("h4", {}, "Replies"), replies(s)) : null,
    s.sometimes.length ? el("div", {}, el("h4", {}, "Expected in some run"), el("ul", {}, s.sometimes.map(({ what, reached }) => el("li", { class: reached ? null : "bad-text" }, `${what}: ${grouped(reached)} of ${grouped(s.runs)}`)))) : null,
    s.coverage ? el("div", {}, el("h4", {}, "Reached"), coverage(s.coverage)) : null,
    s.left_behind ? el("div", {}, el("h4", {}, "Left half done by kills"), el("ul", {}, s.left_behind.what.map((words) => el("li", {}, words)))) : null,
    s.notes.map((note) => el("p", { class: "note warn" }, note)),
    el("p", { class: "faint" }, `digest ${s.digest}`),
  ];
  const inside = el("div", { class: "scenario-body" });
  const line = el("details", { class: "scenario" }, el("summary", {}, badge(s.verdict),
    el("span", { class: "scenario-name" }, el("b", {}, base(s.file)), " ", el("span", { class: "faint" }, s.title)),
    el("span", { class: "faint figure" }, count(s.runs, "run")), el("span", { class: "faint figure" }, fired ? count(fired, "fault kind") : ""), el("span", { class: "faint figure" }, seconds(s.elapsed_seconds))), inside);
  line.addEventListener("toggle", () => { if (line.open && !inside.childNodes.length) put(inside, body()); });
  return line;
}

function faultTable(faults) {
  return table(["fault", "#planned", "#fired", "#effective", "of those that fired"], faults.map(([name, c]) => row(el("code", {}, name), figure(grouped(c.planned)),
    el("td", { class: `figure ${c.fired ? "" : "bad-text"}` }, grouped(c.fired)), figure(grouped(c.effective)),
    meter(c.fired ? c.effective / c.fired : 0, `${percent(c.effective, c.fired) || "none"} of those that fired were effective`, "fault"))), "Faults");
}

function replies(s) {
  const rows = entries(s.replies).map(([step, r]) => {
    const failed = sum(entries(r.failed), ([, f]) => f.times), total = r.succeeded + failed + r.gave_up;
    const messages = entries(r.failed).flatMap(([code, f]) => entries(f.messages).map(([words, times]) => el("li", {}, `${grouped(times)} × ${code} ${words}`)));
    return row(el("code", {}, step), figure(grouped(r.succeeded)), figure(grouped(failed)), figure(grouped(r.gave_up)),
      meter(total ? r.succeeded / total : 0, `${percent(r.succeeded, total) || "none"} of the replies are successes`, "good"), messages.length ? el("ul", { class: "messages" }, messages) : "");
  });
  return table(["step", "#success", "#failed", "#no reply", "success", "errors"], rows, "Replies");
}

function coverage(c) {
  return el("div", {}, el("p", {}, meter(c.places ? c.interrupted / c.places : 0, `${c.interrupted} of ${c.places}`), ` attempts ended at ${grouped(c.interrupted)} of ${count(c.places, "place")} that runs came to`),
    c.never_interrupted.length ? el("p", {}, "never at ", c.never_interrupted.map((place, at) => [at ? ", " : "", el("code", {}, place)])) : null,
    el("p", { class: "faint" }, `${count(c.things, "different thing")} seen, ${grouped(c.seen_once)} of them once`));
}

/** All faults over all scenarios. */
function faults() {
  const totals = new Map();
  for (const s of scenarios) for (const [name, c] of entries(s.faults)) {
    const t = totals.get(name) ?? { planned: 0, fired: 0, effective: 0 };
    for (const key of Object.keys(t)) t[key] += c[key];
    totals.set(name, t);
  }
  if (!totals.size) return null;
  return section("faults", "Faults", "A fault counts as planned, as fired if what it was to hit was still there, and as effective if it made a difference.", faultTable([...totals].sort(([a], [b]) => (a < b ? -1 : 1))));
}

function reached() {
  const covered = scenarios.filter((s) => s.coverage?.runs > 0);
  if (!covered.length) return null;
  const rows = covered.map((s) => row(base(s.file), figure(grouped(s.coverage.places)), figure(grouped(s.coverage.interrupted)),
    meter(s.coverage.places ? s.coverage.interrupted / s.coverage.places : 0, percent(s.coverage.interrupted, s.coverage.places)), figure(grouped(s.coverage.things)),
    figure(s.coverage.seen_once ? `1 in ${grouped(Math.ceil(s.coverage.runs / s.coverage.seen_once))}` : "none"),
    el("ul", { class: "messages" }, s.coverage.never_interrupted.map((place) => el("li", {}, place)))));
  return section("reached", "What the runs reached", "Places are the entries of journals that some run came to. An attempt that ended there shows what a service does when it is cut off at that point.",
    table(["scenario", "#places", "#ended at", "share", "#things", "#a run shows a new one", "never ended at"], rows, "What the runs reached"));
}

function slowest() {
  const timed = scenarios.filter((s) => s.elapsed_seconds > 0).sort((a, b) => b.elapsed_seconds - a.elapsed_seconds).slice(0, SLOWEST);
  if (!timed.length) return null;
  const most = timed[0].elapsed_seconds;
  return section("slowest", "Slowest scenarios", null, table(["scenario", "#time", "", "#runs", "#runs a second"], timed.map((s) => row(base(s.file), figure(seconds(s.elapsed_seconds)),
    meter(s.elapsed_seconds / most, seconds(s.elapsed_seconds)), figure(grouped(s.runs)), figure(grouped(Math.round(s.runs / s.elapsed_seconds))))), "Slowest scenarios"));
}

/** Planted bugs: seeds until each was found, a line for each strategy, from the best to the worst range. */
function planted() {
  if (!bugs.length) return null;
  const strategies = [...new Set(bugs.flatMap((bug) => bug.strategies.map((s) => s.strategy)))];
  const most = Math.max(10, ...bugs.flatMap((bug) => bug.strategies.flatMap((s) => s.ranges.map((r) => r.seeds))));
  const LEFT = 8, WIDTH = 560, LINE = 13, MISSED = 56;
  const top = 10 ** Math.ceil(Math.log10(most));
  const x = (seeds) => LEFT + ((WIDTH - LEFT - MISSED) * Math.log10(Math.max(1, seeds))) / Math.log10(top);
  const ticks = [];
  for (let n = 1; n <= top; n *= 10) ticks.push(n);
  const mark = (at, y, kind) => kind % 4 === 0 ? svg("circle", { class: `plot-${kind % 6}`, cx: at, cy: y, r: 3.6 })
    : kind % 4 === 1 ? svg("rect", { class: `plot-${kind % 6}`, x: at - 3.3, y: y - 3.3, width: 6.6, height: 6.6 })
    : kind % 4 === 2 ? svg("path", { class: `plot-${kind % 6}`, d: `M${at} ${y - 4.4}L${at + 4.2} ${y + 3.2}H${at - 4.2}Z` })
    : svg("path", { class: `plot-${kind % 6}`, d: `M${at} ${y - 4.6}L${at + 4.6} ${y}L${at} ${y + 4.6}L${at - 4.6} ${y}Z` });
  const plot = (bug) => {
    const height = Math.max(22, bug.strategies.length * LINE + 8);
    const said = bug.strategies.map((s) => `${s.strategy} ${s.median_seeds ?? "not found"}`).join(", ");
    const node = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": readable(`seeds until found: ${said}`) });
    for (const n of ticks) node.append(svg("line", { class: "tick", x1: x(n), x2: x(n), y1: 0, y2: height }));
    bug.strategies.forEach((s, at) => {
      const y = height / 2 + (at - (bug.strategies.length - 1) / 2) * LINE, kind = strategies.indexOf(s.strategy);
      const found = s.ranges.filter((r) => r.found).map((r) => r.seeds);
      const group = svg("g", {}, svg("title", {}, `${s.strategy}: median ${s.median_seeds ?? "none"} seeds; ${s.ranges.map((r) => (r.found ? r.seeds : `not in ${r.seeds}`)).join(", ")}`));
      if (found.length) group.append(svg("line", { class: `spread plot-${kind % 6}`, x1: x(Math.min(...found)), x2: x(Math.max(...found)), y1: y, y2: y }));
      for (const seeds of found) group.append(svg("line", { class: `spread plot-${kind % 6}`, x1: x(seeds), x2: x(seeds), y1: y - 3, y2: y + 3 }));
      if (s.median_seeds !== null) group.append(mark(x(s.median_seeds), y, kind));
      else group.append(svg("path", { class: "plot-missed", d: `M${WIDTH - 18} ${y - 4}l8 8m0 -8l-8 8` }));
      node.append(group);
    });
    return node;
  };
  const axis = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} 16`, "aria-hidden": "true" }, ticks.map((n) => svg("text", { x: x(n), y: 12, "text-anchor": n === 1 ? "start" : "middle" }, grouped(n))), svg("text", { x: WIDTH, y: 12, "text-anchor": "end" }, "never"));
  const key = el("p", { class: "key" }, strategies.map((name, kind) => el("span", {}, svg("svg", { width: 14, height: 12, "aria-hidden": "true" }, mark(7, 6, kind)), " ", name, "   ")));
  const first = (bug) => bug.strategies[0];
  const missed = bugs.filter((bug) => bug.strategies.every((s) => s.median_seeds === null)).length;
  return section("planted", `Planted bugs: ${bugs.length - missed} of ${bugs.length} found`, "Seeds until each was found, on a logarithmic scale. The mark is the median over the ranges of seeds, the line goes from the best to the worst of them.",
    key, table(["#class", "what is wrong", "caught by", `#median of ${strategies[0]}`, "seeds until found"], [row("", "", "", "", axis), ...bugs.map((bug) => row(figure(bug.class),
      el("td", {}, bug.title, el("div", { class: "faint small" }, `${bug.service}: ${bug.variant}`)), el("td", {}, el("code", {}, bug.caught_by ?? "")),
      el("td", { class: `figure ${first(bug)?.median_seeds === null ? "bad-text" : ""}` }, first(bug)?.median_seeds === null ? "never" : grouped(first(bug)?.median_seeds)), el("td", { class: "plot-cell" }, plot(bug))))], "Planted bugs"));
}

const failing = scenarios.filter((s) => !["held", "found"].includes(s.verdict)).length;
document.body.className = "campaign-page";
const warnings = [
  report?.died ? `Code under test took the process down: ${report.died}` : null,
  report?.interrupted ? `It was ended early: ${scenarios.length} of ${report.interrupted.asked} scenarios.` : null,
];
put(document.body, [
  el("header", { class: `top ${!report ? "" : failing ? "bad" : "good"}` },
    el("div", { class: "top-line" }, brand(), el("span", { class: "faint file" }, data.name), el("span", { class: "spring" }), themeButton()),
    report ? el("div", { class: "verdict" }, el("span", { class: `verdict-badge ${failing ? "bad" : "good"}` }, failing ? "not passed" : "passed"),
      el("h1", {}, failing ? `${count(failing, "scenario")} of ${scenarios.length} did not pass` : `${count(scenarios.length, "scenario")}, and all passed`)) : el("div", { class: "verdict" }, el("h1", {}, "Planted bugs")),
    warnings.map((words) => words && el("p", { class: "note warn" }, words))),
  el("main", { class: "panels" }, report ? [figures(), failures(), all(), faults(), reached(), slowest()] : null, planted()),
  el("footer", { class: "faint" }, `onceproof ${data.onceproof}`),
]);
