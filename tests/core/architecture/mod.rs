//! Keeps the order of modules that ARCHITECTURE.md describes, the direction of imports between files, the core free
//! of any domain, and files short.
//!
//! Must not know: what any module does.

use std::collections::{BTreeMap, BTreeSet};

use self::sources::{Crate, Files, Mention, Module, Target, Tests, files, words};

mod sources;

/// Every module of the core, lowest first: each may use those before it, and none after it.
const ORDER: &[&str] = &[
    "base",
    "choice",
    "history",
    "entropy",
    "protocol",
    "restate",
    "system",
    "host",
    "scenario",
    "sim",
    "oracle",
    "subject",
    "explore",
    "report",
    "simulation",
    "live",
    "cli",
];

/// Modules that may use less than the order allows.
const NARROWER: &[(&str, &[&str])] = &[
    ("history", &["base"]),
    ("protocol", &["base"]),
    ("restate", &["base", "history", "protocol"]),
    ("system", &["base", "choice", "history"]),
    ("oracle", &["base", "choice", "history"]),
    ("report", &["base", "history", "oracle", "explore"]),
];

/// Uses that the order forbids: the module, what it uses, and why.
const ORDER_EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Other crates, and parts of the standard library, that a module must not use.
const FORBIDDEN: &[(&str, &str)] = &[
    ("history", "tokio"),
    ("protocol", "tokio"),
    ("restate", "tokio"),
    ("restate", "std::thread"),
    ("system", "tokio"),
    ("oracle", "tokio"),
    ("report", "std::fs"),
    ("report", "std::io"),
    ("report", "anstream"),
    ("report", "indicatif"),
];

/// Words of the shop, of which the core knows nothing; and the SDK, of which it knows only the protocol.
const WORDS: &[&str] = &[
    "gateway",
    "mailer",
    "carrier",
    "stripe",
    "inventory",
    "subscription",
    "refund",
    "receipt",
    "payment",
    "invoice",
    "parcel",
    "warehouse",
    "restate_sdk",
];

/// Where one of them stands all the same: the file, the word, and why.
const WORDS_ALLOWED: &[(&str, &str, &str)] = &[
    (
        "src/live/tests.rs",
        "restate_sdk",
        "only for tests: what hosts real handlers over HTTP/2 is tested with a real handler",
    ),
    (
        "src/sim/logs.rs",
        "restate_sdk",
        "the SDK's own log lines are kept apart from handlers' by its module path",
    ),
];

const LINES_MAX: usize = 600;

/// Files that were looked at hard and stay longer, and why.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/history/mod.rs", "one vocabulary, more than half of it documentation"),
    ("src/protocol/messages.rs", "the protocol's messages, field by field"),
];

fn sources() -> Files {
    files(&["src", "shop/src"])
}

#[track_caller]
fn check_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

// ---- the order of modules -----------------------------------------------------------------------

#[test]
fn modules_use_only_those_before_them() {
    check_none(&order(&Crate::read(&sources(), "src/lib.rs", Tests::LeftOut)));
}

fn order(all: &Crate) -> Vec<String> {
    let top = |path: &[String]| path.first().cloned();
    let declared = all.modules.iter().filter(|m| m.path.len() == 1).filter_map(|m| top(&m.path));
    let mut problems: Vec<String> = declared
        .filter(|name| !ORDER.contains(&name.as_str()))
        .map(|name| format!("src/lib.rs: give `{name}` a place in ORDER"))
        .collect();
    for mention in all.mentions() {
        let Some(own) = top(&mention.by.path) else { continue };
        let problem = match mention.target {
            Some(Target::Module(at) | Target::Item(at)) => {
                // the root has names of its own, or of `simulation`
                let other = top(&all.modules[at].path).filter(|other| *other != own);
                other.filter(|other| !may_use(&own, other))
            }
            None => forbidden(&own, mention.path).map(str::to_owned),
        };
        problems.extend(problem.map(|other| {
            let Mention { by, line, path, .. } = mention;
            format!("{}:{line}: `{own}` must not use `{other}`: {}", by.file, path.join("::"))
        }));
    }
    problems
}

fn may_use(own: &str, other: &str) -> bool {
    let place = |name: &str| ORDER.iter().position(|m| *m == name);
    let excepted = ORDER_EXCEPTIONS.iter().any(|(from, to, _)| (*from, *to) == (own, other));
    excepted
        || match NARROWER.iter().find(|(name, _)| *name == own) {
            Some((_, allowed)) => allowed.contains(&other),
            None => place(other) < place(own),
        }
}

fn forbidden(own: &str, path: &[String]) -> Option<&'static str> {
    let path = path.join("::");
    let is = |what: &str| {
        path == what || path.strip_prefix(what).is_some_and(|rest| rest.starts_with("::"))
    };
    FORBIDDEN.iter().find(|(module, what)| *module == own && is(what)).map(|(_, what)| *what)
}

// ---- circles of files ---------------------------------------------------------------------------

#[test]
fn no_file_imports_one_that_imports_it() {
    let files = sources();
    let mut problems = Vec::new();
    for root in ["src/lib.rs", "shop/src/lib.rs"] {
        let all = Crate::read(&files, root, Tests::LeftOut);
        problems.extend(circles(&all).iter().map(|circle| imports_within(&all, circle)));
    }
    check_none(&problems);
}

/// What the files of a circle import from each other.
fn imports_within(all: &Crate, circle: &[String]) -> String {
    let mut text = "these files import each other in a circle:".to_owned();
    let mut seen = BTreeSet::new();
    for Import { by, line, path, of } in imports(all) {
        if circle.contains(&by.file) && circle.contains(of) && seen.insert((&by.file, of, path)) {
            text.push_str(&format!("\n  {}:{line}: {} is in {of}", by.file, path.join("::")));
        }
    }
    text
}

/// A file's mention of something that another defines.
struct Import<'c> {
    by: &'c Module,
    line: usize,
    path: &'c [String],
    of: &'c String,
}

/// All imports of files. That a module makes names of its own files known is none.
fn imports(all: &Crate) -> impl Iterator<Item = Import<'_>> {
    all.mentions().into_iter().filter_map(|mention| {
        let Mention { by, line, path, target: Some(Target::Item(at)), re_export: false } = mention
        else {
            return None;
        };
        let of = &all.modules[at].file;
        (*of != by.file).then_some(Import { by, line, path, of })
    })
}

/// Files of which each imports, through others, all the others.
fn circles(all: &Crate) -> Vec<Vec<String>> {
    let mut imported: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Import { by, of, .. } in imports(all) {
        imported.entry(&by.file).or_default().insert(of);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = imported
        .keys()
        .map(|from| {
            let (mut seen, mut todo) = (BTreeSet::new(), vec![*from]);
            while let Some(file) = todo.pop() {
                let next = imported.get(file).into_iter().flatten();
                todo.extend(next.filter(|next| seen.insert(**next)));
            }
            (*from, seen)
        })
        .collect();
    let circle_of = |file: &str| -> Vec<String> {
        let there = &reached[file];
        let both = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(file));
        there.iter().filter(both).map(|file| (*file).to_owned()).collect()
    };
    let circles: BTreeSet<_> = reached.keys().map(|file| circle_of(file)).collect();
    circles.into_iter().filter(|circle| circle.len() > 1).collect()
}

// ---- words --------------------------------------------------------------------------------------

#[test]
fn the_core_has_no_word_of_a_domain() {
    check_none(&domain_words(&sources(), WORDS_ALLOWED));
}

fn domain_words(files: &Files, allowed: &[(&str, &str, &str)]) -> Vec<String> {
    let all = Crate::read(files, "src/lib.rs", Tests::Included);
    let mut unused: BTreeSet<_> = allowed.iter().map(|(file, word, _)| (*file, *word)).collect();
    let mut problems = Vec::new();
    for file in all.files() {
        for (line, token) in words(&files[file]) {
            let lower = token.to_lowercase();
            for word in WORDS.iter().filter(|word| lower.contains(**word)) {
                unused.remove(&(file, *word));
                if !allowed.iter().any(|(f, w, _)| (*f, *w) == (file, *word)) {
                    problems.push(format!("{file}:{line}: {token} has the word `{word}`"));
                }
            }
        }
    }
    let gone =
        |(file, word)| format!("{file} has no `{word}` any more: remove it from WORDS_ALLOWED");
    problems.extend(unused.into_iter().map(gone));
    problems
}

// ---- files --------------------------------------------------------------------------------------

#[test]
fn files_open_with_their_purpose_and_stay_readable() {
    check_none(&shapes(&files(&["src", "shop/src", "tests"]), LONG_FILES));
}

fn shapes(files: &Files, long: &[(&str, &str)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, text) in files {
        if !text.starts_with("//!") {
            problems.push(format!("{name}: opens with its purpose, in a `//!` line"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX && !long.iter().any(|(file, _)| file == name) {
            problems
                .push(format!("{name}: {lines} lines, a file has at most {LINES_MAX}: split it"));
        }
    }
    for (name, _) in long {
        if files.get(*name).is_none_or(|text| text.lines().count() <= LINES_MAX) {
            problems.push(format!("{name}: not too long any more, remove it from LONG_FILES"));
        }
    }
    problems
}

// ---- what the checks catch ----------------------------------------------------------------------

/// A crate of these files below `src/`, and of a root that has their modules.
fn planted(texts: &[(&str, &str)]) -> Files {
    let mut files: Files =
        texts.iter().map(|(name, text)| (format!("src/{name}"), (*text).to_owned())).collect();
    let tops: BTreeSet<_> = texts
        .iter()
        .map(|(name, _)| name.split(['/', '.']).next().expect("it has a name"))
        .collect();
    let root: Vec<_> = tops.iter().map(|name| format!("pub mod {name};\n")).collect();
    files.insert("src/lib.rs".to_owned(), root.concat() + "pub use simulation::Simulation;");
    files
        .entry("src/simulation.rs".to_owned())
        .or_insert_with(|| "pub struct Simulation;".to_owned());
    if !tops.contains("simulation") {
        files.get_mut("src/lib.rs").expect("the root").push_str("mod simulation;");
    }
    files
}

#[track_caller]
fn check_catches(problems: &[String], expected: &[&str]) {
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{expected:?} is not in {problem}");
    }
}

#[test]
fn a_use_against_the_order_is_caught() {
    for (name, text, expected) in [
        (
            "base.rs",
            "use std::fmt;\nuse crate::history::Inv;",
            &["src/base.rs:2: `base` must not use `history`"][..],
        ),
        ("base.rs", "fn f() { crate::sim::run() }", &["src/base.rs:1: `base` must not use `sim`"]),
        (
            "base.rs",
            "fn f() { assert!(g(crate::sim::run())) }",
            &["must not use `sim`: crate::sim::run"],
        ),
        ("choice.rs", "use crate::{\n base::{Seed, Name},\n sim::run,\n};", &["src/choice.rs:3"]),
        ("choice.rs", "use super::sim::run;", &["src/choice.rs:1"]),
        ("choice.rs", "use crate::Simulation;", &["must not use `simulation`"]),
        ("choice.rs", "use crate::base::Seed;", &[]),
        (
            "oracle.rs",
            "use crate::{base::Seed, history::Inv, sim::run};",
            &["`oracle` must not use `sim`"],
        ),
        ("restate.rs", "use std::{fmt, thread};", &["`restate` must not use `std::thread`"]),
        (
            "restate.rs",
            "async fn f() { tokio::task::yield_now().await }",
            &["`restate` must not use `tokio`"],
        ),
        ("other.rs", "", &["give `other` a place in ORDER"]),
        // what is no code, or only for tests, does not count
        ("base.rs", "//! [`crate::sim`]\nconst S: &str = \"crate::sim\"; // crate::sim", &[]),
        ("base.rs", "#[cfg(test)] mod tests { use crate::sim::run; }", &[]),
        ("base.rs", "mod inner { use super::super::sim::run; }", &["must not use `sim`"]),
    ] {
        let mut texts = vec![
            ("base.rs", "pub struct Seed; pub struct Name;"),
            ("history.rs", "pub struct Inv;"),
            ("sim.rs", "pub fn run() {}"),
        ];
        texts.retain(|(file, _)| *file != name);
        texts.push((name, text));
        let all = Crate::read(&planted(&texts), "src/lib.rs", Tests::LeftOut);
        check_catches(&order(&all), expected);
    }
}

#[test]
fn a_circle_of_files_is_caught_through_re_exports_and_modules() {
    let root = "mod a; mod b; mod c;\npub use a::A; pub use b::B; pub(crate) use c::C;";
    for (a, b, c, expected) in [
        ("pub struct A;", "use super::A; pub struct B(A);", "use super::B; pub struct C(B);", None),
        // by the name that the folder re-exports
        (
            "use super::C; pub struct A(C);",
            "use super::A; pub struct B(A);",
            "use super::B; pub struct C(B);",
            Some("a b c"),
        ),
        (
            "use super::*; pub struct A(B);",
            "use super::A; pub struct B(A);",
            "pub struct C;",
            Some("a b"),
        ),
        (
            "use super::b; pub struct A(b::B);",
            "pub struct B(super::a::A);",
            "pub struct C;",
            Some("a b"),
        ),
        (
            "pub struct A; fn f() { vec![crate::sim::B] }",
            "use super::A; pub struct B(A);",
            "pub struct C;",
            Some("a b"),
        ),
        // only for tests
        (
            "pub struct A; #[cfg(test)] mod tests { use super::super::B; }",
            "use super::A; pub struct B(A);",
            "pub struct C;",
            None,
        ),
    ] {
        let files =
            planted(&[("sim/mod.rs", root), ("sim/a.rs", a), ("sim/b.rs", b), ("sim/c.rs", c)]);
        let found = circles(&Crate::read(&files, "src/lib.rs", Tests::LeftOut));
        let expected = expected.map(|names| {
            names.split(' ').map(|name| format!("src/sim/{name}.rs")).collect::<Vec<_>>()
        });
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{a} {b} {c}");
    }
}

#[test]
fn a_folder_that_uses_what_its_files_make_of_its_own_names_is_in_a_circle() {
    let root = "mod a; pub use a::A; pub struct Root; ";
    let circle = Some("src/sim/a.rs src/sim/mod.rs");
    for (rest, a, expected) in [
        ("", "pub struct A(super::Root);", None),
        ("pub struct All(A);", "pub struct A(super::Root);", circle),
        ("pub struct All(a::A);", "use super::*; pub struct A(Root);", circle),
        ("pub struct All(A);", "pub struct A;", None),
        // a method of the folder's type is no import, in whichever file it stands
        ("pub struct All; fn f(r: Root) { r.g() }", "impl super::Root { fn g(self) {} }", None),
    ] {
        let files = planted(&[("sim/mod.rs", &(root.to_owned() + rest)), ("sim/a.rs", a)]);
        let all = Crate::read(&files, "src/lib.rs", Tests::LeftOut);
        let found: Vec<_> = circles(&all).iter().map(|files| files.join(" ")).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{rest} {a}");
        for circle in circles(&all) {
            let text = imports_within(&all, &circle);
            assert!(text.ends_with("Root is in src/sim/mod.rs"), "{text}");
        }
    }
}

#[test]
fn a_word_of_a_domain_is_caught_wherever_code_has_it() {
    for (text, expected) in [
        ("struct PaymentRequest;", &["src/base.rs:1: PaymentRequest has the word `payment`"][..]),
        (
            "const S: &str =\n    \"a refund\";",
            &["src/base.rs:2: \"a refund\" has the word `refund`"],
        ),
        ("#[cfg(test)] mod tests { fn mailer() {} }", &["mailer has the word"]),
        ("fn f() { println!(r#\"the Carrier\"#) }", &["has the word `carrier`"]),
        ("use restate_sdk::prelude::*;", &["restate_sdk has the word"]),
        (
            "//! A payment.\n#[doc = \"a payment\"] struct A; // payment\n/// A payment.\nstruct B; /* payment */",
            &[],
        ),
    ] {
        check_catches(&domain_words(&planted(&[("base.rs", text)]), &[]), expected);
    }
    let allowed = [("src/base.rs", "parcel", "why")];
    check_catches(&domain_words(&planted(&[("base.rs", "struct Parcel;")]), &allowed), &[]);
    check_catches(
        &domain_words(&planted(&[("base.rs", "struct Letter;")]), &allowed),
        &["src/base.rs has no `parcel` any more"],
    );
}

#[test]
fn a_file_without_a_purpose_and_one_that_is_too_long_are_caught() {
    let long = "//! Long.\n".to_owned() + &"\n".repeat(LINES_MAX);
    let files: Files = [("a.rs", "fn f() {}"), ("b.rs", &long), ("c.rs", "//! Short.")]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    check_catches(&shapes(&files, &[]), &["a.rs: opens with its purpose", "b.rs: 601 lines"]);
    check_catches(
        &shapes(&files, &[("b.rs", "why"), ("c.rs", "why")]),
        &["a.rs: opens with its purpose", "c.rs: not too long any more"],
    );
}
