//! The report for CI systems: JUnit XML, valid against the schema of Jenkins' xUnit plugin (`junit-10.xsd`).
//!
//! Must not know: files, terminals.

use std::{collections::BTreeMap, time::Duration};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::text::Again;
use crate::{
    base::printable::printable,
    explore::outcome::{FoundViolation, Interrupted, ScenarioReport, ScenarioVerdict, Summary},
};

/// The version of this layout, as a property of each suite. What is renamed or removed raises it.
pub const VERSION: u32 = 1;

/// What stands instead of a folder for scenarios that are in none.
const NO_FOLDER: &str = "scenarios";

/// How a test case ended, if it did not pass.
struct Bad {
    /// `failure`, `error` or `skipped`.
    element: &'static str,
    /// What kind: an oracle's name, or the verdict's.
    kind: String,
    message: String,
    /// The rest, on lines.
    details: String,
}

struct Case {
    class: String,
    name: String,
    /// How long it took; none if nobody looked.
    time: Option<String>,
    bad: Option<Bad>,
    /// Figures, on lines.
    out: String,
}

/// A summary as JUnit XML with a final line break: a suite for each folder, a test case for each scenario.
///
/// A violation, a planted bug that is not found, and a scenario that showed nothing are failures. What could not be judged
/// is an error: a bound was reached, a run has no end, one seed gave two histories. So is a call of `run` that was
/// interrupted. What merging decides is skipped.
///
/// # Panics
/// Never: a summary can always be written as XML.
#[must_use]
pub fn junit(summary: &Summary, again: Again<'_>) -> String {
    let mut suites: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for report in &summary.scenarios {
        let case = case(report, again);
        suites.entry(case.class.clone()).or_default().push(case);
    }
    if let Some(bad) = of_the_call(summary) {
        let (class, name) = ("onceproof".to_owned(), "run".to_owned());
        let (class_of, bad) = (class.clone(), Some(bad));
        let case = Case { class: class_of, name, time: None, bad, out: String::new() };
        suites.entry(class).or_default().push(case);
    }
    let mut xml = Xml(Writer::new_with_indent(Vec::new(), b' ', 2));
    xml.write(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let all = || suites.values().flatten();
    let time = seconds(summary.elapsed);
    xml.start(
        "testsuites",
        &[
            ("name", "onceproof"),
            ("tests", &all().count().to_string()),
            ("failures", &count(all(), "failure")),
            ("errors", &count(all(), "error")),
            ("time", &time),
        ],
    );
    for (folder, cases) in &suites {
        xml.start(
            "testsuite",
            &[
                ("name", folder),
                ("tests", &cases.len().to_string()),
                ("failures", &count(cases, "failure")),
                ("errors", &count(cases, "error")),
                ("skipped", &count(cases, "skipped")),
            ],
        );
        xml.start("properties", &[]);
        for (name, value) in properties(summary) {
            xml.empty("property", &[("name", name), ("value", &value)]);
        }
        xml.end("properties");
        cases.iter().for_each(|case| xml.case(case));
        xml.end("testsuite");
    }
    xml.end("testsuites");
    let mut text = String::from_utf8(xml.0.into_inner()).expect("it is made of strings");
    text.push('\n');
    text
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn count<'c>(cases: impl IntoIterator<Item = &'c Case>, element: &str) -> String {
    let of = |case: &&Case| case.bad.as_ref().is_some_and(|bad| bad.element == element);
    cases.into_iter().filter(of).count().to_string()
}

fn properties(summary: &Summary) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("onceproof.junit", VERSION.to_string()),
        ("onceproof.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("onceproof.runs", summary.runs.to_string()),
        ("onceproof.events", summary.events.to_string()),
    ];
    if let Some(shard) = &summary.shard {
        all.push(("onceproof.shard", format!("{}/{}", shard.index, shard.of)));
    }
    all
}

/// The suite of a scenario, and its name in it: the folder, and the file without its ending.
fn names(file: &str) -> (String, String) {
    let file = printable(file);
    let (folder, name) = file.rsplit_once(['/', '\\']).unwrap_or((NO_FOLDER, &file));
    let folder = folder.trim_start_matches("./").trim_matches('/');
    let folder = if folder.is_empty() { NO_FOLDER } else { folder };
    (folder.to_owned(), name.strip_suffix(".json").unwrap_or(name).to_owned())
}

fn case(report: &ScenarioReport, again: Again<'_>) -> Case {
    let (class, name) = names(&report.file);
    let mut out = format!(
        "{}\nfile: {}\nruns: {}\nevents: {}\ndigest: {}\n",
        printable(&report.title),
        printable(&report.file),
        report.runs,
        report.events,
        report.digest
    );
    for (fault, n) in &report.faults {
        let (planned, fired, effective) = (n.planned, n.fired, n.effective);
        let fault = printable(fault);
        out += &format!("fault {fault}: {planned} planned, {fired} fired, {effective} effective\n");
    }
    // how a planted bug showed itself
    let found =
        report.violations.iter().filter(|found| Some(&found.oracle) == report.expected.as_ref());
    for found in found.filter(|_| report.verdict == ScenarioVerdict::Found) {
        out += &violation(report, found, again);
    }
    let time = (!report.elapsed.is_zero()).then(|| seconds(report.elapsed));
    Case { class, name, time, bad: bad(report, again), out }
}

fn bad(report: &ScenarioReport, again: Again<'_>) -> Option<Bad> {
    let (element, kind) = match report.verdict {
        ScenarioVerdict::Held | ScenarioVerdict::Found => return None,
        ScenarioVerdict::Undecided => ("skipped", "undecided"),
        ScenarioVerdict::Violated => ("failure", "violated"),
        ScenarioVerdict::NotFound => ("failure", "not_found"),
        ScenarioVerdict::Ineffective => ("failure", "ineffective"),
        ScenarioVerdict::Inconclusive => ("error", "inconclusive"),
        ScenarioVerdict::Nondeterministic => ("error", "nondeterministic"),
        ScenarioVerdict::OraclePanicked => ("error", "oracle_panicked"),
        ScenarioVerdict::Hung => ("error", "hung"),
        ScenarioVerdict::Crashed => ("error", "crashed"),
    };
    let first = report.violations.first().filter(|_| report.verdict == ScenarioVerdict::Violated);
    let mut details: String =
        report.violations.iter().map(|found| violation(report, found, again)).collect();
    for note in &report.notes {
        details += &format!("{}\n", printable(note));
    }
    Some(Bad {
        element,
        kind: first.map_or_else(|| kind.to_owned(), |found| printable(&found.oracle).into_owned()),
        message: headline(report),
        details,
    })
}

/// What went wrong, in a line.
pub(super) fn headline(report: &ScenarioReport) -> String {
    let noted = || report.notes.first().map(|note| printable(note).into_owned());
    let text = match report.verdict {
        ScenarioVerdict::Violated => report.violations.first().map(|found| {
            let more = match report.violations.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            format!("{}: {}{more}", printable(&found.oracle), printable(&found.message))
        }),
        ScenarioVerdict::NotFound => report.expected.as_ref().map(|oracle| {
            let oracle = printable(oracle);
            format!("no run violated {oracle}, which the planted bug must violate")
        }),
        ScenarioVerdict::Undecided => Some(
            "what was not seen in this shard may be in others: merging them decides".to_owned(),
        ),
        ScenarioVerdict::Nondeterministic => {
            let difference = report.nondeterministic.as_ref();
            difference.map(|d| printable(&d.sentence()).into_owned()).or_else(noted)
        }
        ScenarioVerdict::Hung | ScenarioVerdict::Crashed => {
            let run = report.unfinished.as_ref();
            run.map(|run| printable(&run.sentence()).into_owned()).or_else(noted)
        }
        _ => noted(),
    };
    text.unwrap_or_else(|| "see its notes".to_owned())
}

/// What did not hold, and how to see it again, on lines.
pub(super) fn violation(
    report: &ScenarioReport,
    found: &FoundViolation,
    again: Again<'_>,
) -> String {
    let (oracle, message) = (printable(&found.oracle), printable(&found.message));
    let (times, runs, seed) = (found.occurrences, report.runs, found.seed);
    let mut text = format!("{oracle}: {message}\n{times} of {runs} runs, first with seed {seed}\n");
    for sentence in &found.because {
        text += &format!("{}\n", printable(sentence));
    }
    text + "see it again: " + &again.text(report, found) + "\n"
}

/// What went wrong with all of it.
fn of_the_call(summary: &Summary) -> Option<Bad> {
    let message = call(summary)?;
    let (kind, details) = ("incomplete".to_owned(), String::new());
    Some(Bad { element: "error", kind, message, details })
}

/// Why a summary is not all that was asked for, in a line; none if it is.
pub(super) fn call(summary: &Summary) -> Option<String> {
    let done = summary.scenarios.len();
    if let Some(died) = &summary.died {
        return Some(format!("the process died after {done} scenarios: {}", printable(died)));
    }
    if let Some(Interrupted { asked, .. }) = summary.interrupted {
        return Some(format!("interrupted: it came to {done} of {asked} scenarios"));
    }
    summary.uncompared.as_ref().map(|why| printable(why).into_owned())
}

/// Writes to memory, which cannot fail.
struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn write(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect("memory takes all that is written");
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let tag = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.write(Event::Start(tag));
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let tag = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.write(Event::Empty(tag));
    }

    fn end(&mut self, name: &str) {
        self.write(Event::End(BytesEnd::new(name)));
    }

    fn text(&mut self, text: &str) {
        self.write(Event::Text(BytesText::new(text)));
    }

    fn case(&mut self, case: &Case) {
        let mut attributes = vec![("classname", &*case.class), ("name", &*case.name)];
        attributes.extend(case.time.as_deref().map(|time| ("time", time)));
        self.start("testcase", &attributes);
        if let Some(Bad { element, kind, message, details }) = &case.bad {
            self.start(element, &[("type", kind), ("message", message)]);
            self.text(details);
            self.end(element);
        }
        if !case.out.is_empty() {
            self.start("system-out", &[]);
            self.text(&case.out);
            self.end("system-out");
        }
        self.end("testcase");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::every_verdict;

    const AGAIN: Again<'_> = Again::Command("onceproof");

    #[test]
    fn a_suite_with_every_verdict() {
        let mut all = every_verdict();
        all.scenarios.truncate(3);
        insta::assert_snapshot!(junit(&all, AGAIN));
    }

    /// What each verdict is, as a parser sees it that has nothing to do with the writer.
    #[test]
    fn every_verdict_is_one_thing_and_all_are_counted() {
        let mut all = every_verdict();
        all.scenarios[0].verdict = ScenarioVerdict::Undecided;
        all.scenarios[0].elapsed = Duration::from_millis(1_050);
        all.interrupted = Some(Interrupted { asked: 99, partly: false });
        let text = junit(&all, AGAIN);
        let xml = roxmltree::Document::parse(&text).expect("well-formed");
        let cases: Vec<_> = xml.descendants().filter(|n| n.has_tag_name("testcase")).collect();
        assert_eq!(cases.len(), all.scenarios.len() + 1);
        let ends = |case: &roxmltree::Node<'_, '_>| {
            let child = case.children().find(|n| n.is_element() && !n.has_tag_name("system-out"));
            child.map(|n| {
                (n.tag_name().name().to_owned(), n.attribute("type").unwrap_or_default().to_owned())
            })
        };
        let ends: BTreeMap<_, _> =
            cases.iter().map(|case| (case.attribute("name").expect("named"), ends(case))).collect();
        let is = |name: &str, element: &str, kind: &str| {
            assert_eq!(ends[name], Some((element.to_owned(), kind.to_owned())), "{name}");
        };
        let times: Vec<_> = cases.iter().filter_map(|case| case.attribute("time")).collect();
        assert_eq!(times, ["1.050"]);
        assert_eq!(ends["planted-01"], None, "a planted bug that is found passes");
        is("booking-happy", "skipped", "undecided");
        is("crash", "failure", "booked_at_most_once");
        is("planted", "failure", "not_found");
        is("idle", "failure", "ineffective");
        is("bound", "error", "inconclusive");
        is("clock", "error", "nondeterministic");
        is("oracle", "error", "oracle_panicked");
        is("loop", "error", "hung");
        is("drop", "error", "crashed");
        is("run", "error", "incomplete");
        let top = xml.root_element();
        let sum = |name: &str| -> usize {
            let suites = top.children().filter(|n| n.has_tag_name("testsuite"));
            suites
                .map(|suite| {
                    suite.attribute(name).expect("counted").parse::<usize>().expect("a number")
                })
                .sum()
        };
        for (name, element) in
            [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
        {
            let there = xml.descendants().filter(|n| n.has_tag_name(element)).count();
            assert_eq!(sum(name), there, "{name}");
        }
        assert_eq!(top.attribute("tests"), Some(&*cases.len().to_string()));
        assert_eq!(top.attribute("time"), Some("12.345"));
    }

    /// The schema's rules that this layout could break: which elements and attributes there are, and in which order.
    #[test]
    fn elements_and_attributes_are_those_of_the_schema() {
        let allowed: &[(&str, &[&str], &[&str])] = &[
            ("testsuites", &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
            (
                "testsuite",
                &["name", "tests", "failures", "errors", "skipped"],
                &["properties", "testcase"],
            ),
            ("properties", &[], &["property"]),
            ("property", &["name", "value"], &[]),
            (
                "testcase",
                &["classname", "name", "time"],
                &["failure", "error", "skipped", "system-out"],
            ),
            ("failure", &["type", "message"], &[]),
            ("error", &["type", "message"], &[]),
            ("skipped", &["type", "message"], &[]),
            ("system-out", &[], &[]),
        ];
        let text = junit(&every_verdict(), AGAIN);
        let xml = roxmltree::Document::parse(&text).expect("well-formed");
        for node in xml.descendants().filter(roxmltree::Node::is_element) {
            let name = node.tag_name().name();
            let (_, attributes, children) =
                allowed.iter().find(|(known, ..)| *known == name).expect(name);
            assert!(node.attributes().all(|a| attributes.contains(&a.name())), "{name}");
            let inner = node.children().filter(roxmltree::Node::is_element);
            assert!(inner.clone().all(|n| children.contains(&n.tag_name().name())), "{name}");
        }
    }

    #[test]
    fn scenarios_are_grouped_by_their_folders() {
        for (file, class, name) in [
            ("scenarios/a.json", "scenarios", "a"),
            ("./x/y/a.b.json", "x/y", "a.b"),
            ("/x/s/a.json", "x/s", "a"),
            ("a.json", "scenarios", "a"),
            ("s\\a.json", "s", "a"),
            ("bookings", "scenarios", "bookings"),
        ] {
            assert_eq!(names(file), (class.to_owned(), name.to_owned()), "{file}");
        }
    }
}
