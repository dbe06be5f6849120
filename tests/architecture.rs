//! Keeps the order of modules that ARCHITECTURE.md describes, and the shape of the files.
//!
//! Reads sources as text: comments, literals and `#[cfg(test)]` modules do not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every module, lowest first: each may know those before it, and none after it.
const ORDER: &[&str] = &[
    "base",
    "choice",
    "history",
    "entropy",
    "protocol",
    "restate",
    "world",
    "services",
    "host",
    "scenario",
    "sim",
    "invariants",
    "subject",
    "explore",
    "planted",
    "report",
    "simulation",
    "live",
    "cli",
];

/// Modules that may know less than the order allows.
const NARROWER: &[(&str, &[&str])] = &[
    ("history", &["base"]),
    ("protocol", &["base"]),
    ("restate", &["base", "history", "protocol"]),
    ("world", &["base", "history"]),
    ("services", &["base", "world"]),
    ("invariants", &["base", "history"]),
    ("report", &["base", "history", "invariants", "explore", "planted"]),
];

/// Other crates, where only these may be known.
const CRATES_ALLOWED: &[(&str, &[&str])] = &[("services", &["restate_sdk", "serde", "serde_json"])];

/// Paths outside of this crate that a module must not mention.
const FORBIDDEN: &[(&str, &str)] = &[
    ("history", "tokio"),
    ("protocol", "tokio"),
    ("protocol", "restate_sdk"),
    ("restate", "tokio"),
    ("restate", "restate_sdk"),
    ("restate", "std::thread"),
    ("invariants", "tokio"),
    ("invariants", "restate_sdk"),
    ("report", "std::fs"),
    ("report", "std::io"),
    ("report", "anstream"),
    ("report", "indicatif"),
];

/// Files that were looked at hard and stay longer than [`LINES_MAX`], and why.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/history.rs", "one vocabulary, more than half of it documentation"),
    ("src/protocol/messages.rs", "the protocol's messages, field by field"),
];

const LINES_MAX: usize = 600;

#[test]
fn modules_know_only_those_before_them() {
    let dependencies = dependencies(&read(&root().join("Cargo.toml")));
    let mut problems = Vec::new();
    for (path, text) in sources() {
        problems.extend(check(&path, &text, &dependencies));
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_order() {
    let declared: BTreeSet<String> = modules_of(&read(&root().join("src/lib.rs")));
    let unknown: Vec<_> = declared.iter().filter(|m| !ORDER.contains(&m.as_str())).collect();
    assert!(unknown.is_empty(), "src/lib.rs declares {unknown:?}: give them a place in ORDER");
}

#[test]
fn the_check_catches_what_it_must() {
    let dependencies = ["tokio", "restate_sdk", "serde", "rand_chacha"].map(str::to_owned).into();
    for (path, text, expected) in [
        ("src/base.rs", "use std::fmt;\nuse crate::history::Inv;", Some("src/base.rs:2")),
        ("src/base.rs", "fn f() { crate::sim::run() }", Some("src/base.rs:1")),
        (
            "src/choice.rs",
            "use crate::{\n    base::{Seed, Cents},\n    world::Email,\n};",
            Some(":3"),
        ),
        ("src/choice.rs", "use crate::*;", Some("src/choice.rs:1")),
        ("src/choice.rs", "use super::sim::Run;", Some("src/choice.rs:1")),
        ("src/world/gateway.rs", "use super::super::restate::Engine;", Some(":1")),
        (
            "src/choice.rs",
            "use crate::{\n    base::{\n        Seed,\n        Cents,\n    },\n};",
            None,
        ),
        ("src/world/gateway.rs", "use crate::restate;", Some("gateway.rs:1")),
        ("src/world/gateway.rs", "use super::Email; use crate::base::Cents;", None),
        ("src/sim/mod.rs", "use crate::report::text;", Some("src/sim/mod.rs:1")),
        ("src/sim/mod.rs", "use crate::{Simulation, base};", Some("src/sim/mod.rs:1")),
        ("src/cli/run.rs", "use crate::{Simulation, report::text, sim};", None),
        ("src/invariants/x.rs", "use crate::{base::Seed, history::History, world};", Some(":1")),
        ("src/invariants/x.rs", "use crate::{base::Seed, history::{History, Event}};", None),
        ("src/services/a.rs", "use restate_sdk::prelude::*;\nuse serde::Serialize;", None),
        ("src/services/a.rs", "\nuse rand_chacha::ChaCha8Rng;", Some("src/services/a.rs:2")),
        ("src/services/a.rs", "async fn f() { tokio::task::yield_now().await }", Some(":1")),
        ("src/restate/a.rs", "use std::{fmt, thread};", Some("src/restate/a.rs:1")),
        ("src/restate/a.rs", "fn f() { std::thread::park() }", Some("src/restate/a.rs:1")),
        ("src/report/a.rs", "fn f() { ::std::fs::read(p); }", Some("src/report/a.rs:1")),
        // What is not code, and what is only for tests, does not count.
        ("src/base.rs", "// crate::sim\n/* crate::sim /* nested */ crate::cli */", None),
        ("src/base.rs", "//! [`crate::sim`]\nconst S: &str = \"\\\"crate::sim\";", None),
        ("src/base.rs", "const S: &str = r#\"a \"crate::sim\" b\"#; const C: char = '\"';", None),
        (
            "src/base.rs",
            "const C: char = '\\''; fn f<'a>(x: &'a str) {} use crate::cli;",
            Some(":1"),
        ),
        ("src/base.rs", "#[cfg(test)]\nmod tests { use crate::sim::X; fn f() { {} } }", None),
        ("src/base.rs", "#[cfg(test)]\nmod tests { }\nuse crate::sim::X;", Some("src/base.rs:3")),
    ] {
        let problems = check(path, text, &dependencies);
        match expected {
            None => assert!(problems.is_empty(), "{path}: {text:?} is fine, but: {problems:?}"),
            Some(place) => assert!(
                problems.len() == 1 && problems[0].contains(place),
                "{path}: {text:?} must be refused once, at {place}, but: {problems:?}"
            ),
        }
    }
}

#[test]
fn files_open_with_their_purpose_and_stay_readable() {
    let mut problems = Vec::new();
    let mut exceptions: BTreeMap<_, _> = LONG_FILES.iter().copied().collect();
    for path in
        files(&root().join("src"), "rs").into_iter().chain(files(&root().join("tests"), "rs"))
    {
        let (name, text) = (relative(&path), read(&path));
        if !text.starts_with("//!") {
            problems.push(format!("{name}: opens with its purpose, in a `//!` line"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX && exceptions.remove(name.as_str()).is_none() {
            problems
                .push(format!("{name}: {lines} lines, a file has at most {LINES_MAX}: split it"));
        }
    }
    for (name, _) in exceptions.into_iter().filter(|(name, _)| root().join(name).exists()) {
        problems.push(format!("{name}: no longer too long, remove it from LONG_FILES"));
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn each_scenario_has_its_snapshot_and_each_snapshot_its_scenario() {
    let mut scenarios = stems("scenarios", &["json"]);
    scenarios.remove("scenario.schema");
    let snapshots = stems("snapshots", &["txt", "snap"]);
    assert!(!scenarios.is_empty(), "scenarios/ holds no scenario");
    let without_snapshot: Vec<_> = scenarios.difference(&snapshots).collect();
    let without_scenario: Vec<_> = snapshots.difference(&scenarios).collect();
    assert!(
        without_snapshot.is_empty() && without_scenario.is_empty(),
        "scenarios without a snapshot: {without_snapshot:?}; snapshots without a scenario: {without_scenario:?}"
    );
}

// ---- the order ------------------------------------------------------------------------------------

/// What is wrong with the paths that a file mentions: `file:line: what, and the rule`.
fn check(path: &str, text: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let Some((module, depth)) = module_of(path) else { return Vec::new() };
    let place = |name: &str| ORDER.iter().position(|m| *m == name);
    let Some(own) = place(module) else { return vec![format!("{path}:1: no place in ORDER")] };
    let tokens = without_test_modules(tokens(text));
    let mut problems = Vec::new();
    let mut problem = |line: usize, what: String| problems.push(format!("{path}:{line}: {what}"));
    for (line, name) in crate_paths(&tokens, depth) {
        // What is not a module is an item of the crate's root, which comes from `simulation`.
        let other = if ORDER.contains(&name) { name } else { "simulation" };
        let allowed = find(NARROWER, module);
        if other == module || place(other).is_some_and(|at| at < own) && allowed.is_none() {
            continue;
        }
        match allowed {
            Some(names) if names.contains(&other) => {}
            Some(names) => {
                problem(line, format!("`{module}` imports `{name}`, it may know only {names:?}"));
            }
            None => problem(
                line,
                format!(
                    "`{module}` imports `{name}`, which comes after it; it may know {:?}",
                    &ORDER[..own]
                ),
            ),
        }
    }
    if let Some(allowed) = find(CRATES_ALLOWED, module) {
        for name in dependencies.iter().filter(|name| !allowed.contains(&name.as_str())) {
            for line in mentions(&tokens, name) {
                problem(
                    line,
                    format!("`{module}` uses the crate `{name}`, it may use only {allowed:?}"),
                );
            }
        }
    }
    for (_, forbidden) in FORBIDDEN.iter().filter(|(name, _)| *name == module) {
        for line in mentions(&tokens, forbidden) {
            problem(line, format!("`{module}` mentions `{forbidden}`, which it must not know"));
        }
    }
    problems
}

fn find<'a>(table: &'a [(&str, &[&'a str])], module: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(name, _)| *name == module).map(|(_, list)| *list)
}

/// The top module that a file belongs to, and how many `super` lead from the file to the crate's root.
fn module_of(path: &str) -> Option<(&str, usize)> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let parts: Vec<&str> = inside.split('/').filter(|part| *part != "mod").collect();
    match parts[..] {
        ["lib"] => None,
        ["main"] => Some(("cli", 1)),
        _ => Some((parts[0], parts.len())),
    }
}

/// The first names of all paths from the crate's root: `a` and `b` of `crate::{a::X, b}`, with their lines.
fn crate_paths(tokens: &[Token], depth: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let starts_path = at == 0 || tokens[at - 1].text != "::";
        if tokens[at].text == "crate" {
            found.extend(first_names(tokens, at + 1));
        } else if tokens[at].text == "super" && starts_path {
            let mut end = at;
            let mut supers = 1;
            while text_at(tokens, end + 1) == "::" && text_at(tokens, end + 2) == "super" {
                end += 2;
                supers += 1;
            }
            // Modules inside a file make a `super` shorter than it looks: only known modules count.
            if supers >= depth {
                let names = first_names(tokens, end + 1);
                found.extend(names.into_iter().filter(|(_, name)| ORDER.contains(name)));
            }
        }
    }
    found
}

/// The names that follow at `at`: one after `::`, several in `::{a::X, b}`.
fn first_names(tokens: &[Token], at: usize) -> Vec<(usize, &str)> {
    if text_at(tokens, at) != "::" {
        return Vec::new();
    }
    if text_at(tokens, at + 1) != "{" {
        return tokens
            .get(at + 1)
            .map(|token| (token.line, token.text.as_str()))
            .into_iter()
            .collect();
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (n, token) in tokens.iter().enumerate().skip(at + 1) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let opens = matches!(tokens[n - 1].text.as_str(), "{" | ",");
        let name = is_name(&token.text) || token.text == "*";
        if depth == 1 && opens && name && token.text != "self" {
            names.push((token.line, token.text.as_str()));
        }
    }
    names
}

/// The lines that mention a crate (`tokio`) or a module of one (`std::fs`), imported or in full.
fn mentions(tokens: &[Token], path: &str) -> Vec<usize> {
    let (root, inside) = path.split_once("::").map_or((path, None), |(a, b)| (a, Some(b)));
    let mut lines = Vec::new();
    for at in 0..tokens.len() {
        let before = if at > 0 { tokens[at - 1].text.as_str() } else { "" };
        let inside_path = before == "::" && at > 1 && is_name(&tokens[at - 2].text);
        if tokens[at].text != root || inside_path || before == "." {
            continue;
        }
        match inside {
            None if text_at(tokens, at + 1) == "::" || before == "use" => {
                lines.push(tokens[at].line);
            }
            None => {}
            Some(name) => lines.extend(
                first_names(tokens, at + 1)
                    .iter()
                    .filter(|(_, n)| *n == name)
                    .map(|(line, _)| *line),
            ),
        }
    }
    lines
}

// ---- reading Rust ---------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Token {
    line: usize,
    text: String,
}

fn text_at(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| &token.text)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single characters of punctuation; comments and literals are dropped.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let rest = &chars[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => string(rest),
            ['r', '"' | '#', ..] | ['b', 'r', '"' | '#', ..] if raw_string(rest).is_some() => {
                raw_string(rest).expect("just seen")
            }
            ['\'', ..] => quote(rest),
            [':', ':', ..] => {
                tokens.push(Token { line, text: "::".into() });
                2
            }
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let end = rest.iter().position(|c| !c.is_alphanumeric() && *c != '_');
                let end = end.unwrap_or(rest.len());
                tokens.push(Token { line, text: rest[..end].iter().collect() });
                end
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    tokens.push(Token { line, text: c.to_string() });
                }
                1
            }
            [] => break,
        };
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    tokens
}

fn block_comment(text: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// The length of a raw string; none if it is a raw name such as `r#type`.
fn raw_string(text: &[char]) -> Option<usize> {
    let start = text.iter().position(|c| *c == 'r')? + 1;
    let hashes = text[start..].iter().take_while(|c| **c == '#').count();
    if text.get(start + hashes) != Some(&'"') {
        return None;
    }
    let body = start + hashes + 1;
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let end = text[body..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(text.len(), |end| body + end + close.len()))
}

/// A character literal, or the quote of a lifetime.
fn quote(text: &[char]) -> usize {
    match text {
        ['\'', '\\', _, rest @ ..] => {
            rest.iter().position(|c| *c == '\'').map_or(text.len(), |end| end + 4)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// Drops `#[cfg(test)] mod name { ... }`.
fn without_test_modules(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if test_module(&tokens, at).is_none() || text_at(&tokens, at + 9) != "{" {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += 9;
        while at < tokens.len() {
            match tokens[at].text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    kept
}

/// The name of the module in `#[cfg(test)] mod name`, if that starts here.
fn test_module(tokens: &[Token], at: usize) -> Option<&str> {
    let start = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let here = start.iter().enumerate().all(|(n, text)| text_at(tokens, at + n) == *text);
    here.then(|| text_at(tokens, at + start.len()))
}

/// The modules that a file declares.
fn modules_of(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    tokens
        .windows(3)
        .filter(|window| window[0].text == "mod" && window[2].text == ";")
        .map(|window| window[1].text.clone())
        .collect()
}

// ---- files ----------------------------------------------------------------------------------------

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("it was found below the root");
    path.to_string_lossy().replace('\\', "/")
}

/// All files below a folder with this extension, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("it can be listed").path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

/// The crate's sources but those that only tests see, by path.
fn sources() -> Vec<(String, String)> {
    let all = files(&root().join("src"), "rs");
    let mut only_tests = BTreeSet::new();
    for path in &all {
        let tokens = tokens(&read(path));
        let stem = path.file_stem().expect("a file has a name");
        let folder = path.parent().expect("a file has a folder");
        let folder = match stem.to_str() {
            Some("mod" | "lib" | "main") => folder.to_owned(),
            _ => folder.join(stem),
        };
        for name in (0..tokens.len()).filter_map(|at| test_module(&tokens, at)) {
            only_tests.insert(folder.join(name));
        }
    }
    all.iter()
        .filter(|path| {
            !only_tests.iter().any(|t| path.with_extension("") == *t || path.starts_with(t))
        })
        .map(|path| (relative(path), read(path)))
        .collect()
}

/// The names under `[dependencies]`, as code spells them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

/// The paths of files in a folder of the repository, without folder and extension.
fn stems(folder: &str, extensions: &[&str]) -> BTreeSet<String> {
    let folder = root().join(folder);
    extensions
        .iter()
        .flat_map(|extension| files(&folder, extension))
        .map(|path| relative(&path.with_extension("")))
        .map(|path| path.split_once('/').expect("it lies in the folder").1.to_owned())
        .collect()
}
