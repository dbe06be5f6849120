//! What the guides tell is so: each command in them is run, and the fields of JSON results are all there.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn page(name: &str) -> String {
    fs::read_to_string(crate::root().join("docs").join(name)).unwrap()
}

/// The blocks of a page in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let bodies = page.split(&opening).skip(1);
    bodies.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A folder with two short scenarios, as a reader of a guide has some.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    for name in ["payment-tutorial.json", "bug-01-charge-without-key.json"] {
        let text = fs::read_to_string(crate::scenario(name)).unwrap();
        let mut scenario: Value = serde_json::from_str(&text).unwrap();
        scenario["runs"] = 40.into();
        fs::write(folder.path().join("scenarios").join(name), scenario.to_string()).unwrap();
    }
    folder
}

/// Runs a line of a guide in a shell that finds this program under its name.
fn shell(line: &str, folder: &Path, variables: &[(&str, String)]) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_onceproof")).parent().unwrap();
    let mut command = Command::new("sh");
    let line = format!("PATH=\"$0:$PATH\"\n{line}");
    command.args(["-ec", &line]).arg(programs).current_dir(folder);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

#[track_caller]
fn check(line: &str, folder: &Path, variables: &[(&str, String)]) {
    let output = shell(line, folder, variables);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{line}\n{said}");
    assert!(!said.contains("warning"), "{line}\n{said}");
}

/// Every command of the blocks in `sh`, in one folder after the other.
#[track_caller]
fn check_commands(page: &str, least: usize) {
    let project = project();
    let lines: Vec<String> =
        blocks(page, "sh").iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
    assert!(lines.len() >= least, "{lines:#?}");
    for line in lines {
        check(&line, project.path(), &[]);
    }
}

/// Every `onceproof` command of the manifests: those of shards once for each of four.
#[track_caller]
fn check_manifests(page: &str, least: usize) {
    let mut ran = 0;
    for block in blocks(page, "yaml") {
        let project = project();
        for line in block.lines() {
            let Some(at) = line.find("onceproof run").or_else(|| line.find("onceproof merge"))
            else {
                continue;
            };
            let line = &line[at..];
            let shards: u64 = if line.contains("--shard") { 4 } else { 1 };
            for shard in 1..=shards {
                let line = line.replace("${{ matrix.shard }}", &shard.to_string());
                let variables = match line.contains("JOB_COMPLETION_INDEX") {
                    true => vec![("JOB_COMPLETION_INDEX", (shard - 1).to_string())],
                    false => vec![
                        ("CI_NODE_INDEX", shard.to_string()),
                        ("CI_NODE_TOTAL", shards.to_string()),
                    ],
                };
                check(&line, project.path(), &variables);
                ran += 1;
            }
        }
    }
    assert!(ran >= least, "{ran} commands");
}

#[test]
fn the_commands_of_the_shards_guide_run() {
    let page = page("shards.md");
    check_commands(&page, 5);
    check_manifests(&page, 14);
}

#[test]
fn the_commands_of_the_ci_guide_run() {
    let page = page("ci.md");
    check_commands(&page, 3);
    check_manifests(&page, 2);
}

/// The fenced blocks of a page in their order: the language, and what stands in them.
fn fenced(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.split_once('\n')).collect()
}

/// A line without what is another one each time: how long something took, and fingerprints.
fn masked(line: &str) -> String {
    let is_digest = |word: &str| {
        let word = word.trim_end_matches([')', ':', ',']);
        word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let line = line.trim_end();
    let line = match line.rsplit_once(" events in ") {
        Some((before, took)) if took.ends_with(" s") => format!("{before} events in ... s"),
        _ => line.to_owned(),
    };
    let words = line.split(' ').map(|word| if is_digest(word) { "DIGEST" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether `said` is what a page shows; a line `…` stands for any lines.
fn is_shown(shown: &str, said: &str) -> Result<(), String> {
    let said: Vec<String> = said.trim_end().lines().map(masked).collect();
    let mut left = &said[..];
    for (index, part) in shown.trim_end().split("\n…\n").enumerate() {
        let part: Vec<String> = part.lines().map(masked).collect();
        let at = match index {
            0 => left.starts_with(&part).then_some(0),
            _ => left.windows(part.len()).position(|lines| lines == part),
        };
        let Some(at) = at else { return Err(part.join("\n")) };
        left = &left[at + part.len()..];
    }
    if left.is_empty() { Ok(()) } else { Err(format!("{} more lines", left.len())) }
}

/// How wide the terminal of the guide for QA is: no wider than a page.
const WIDTH: &str = "140";

/// Files that it names are written, each command is run, and what the page shows is what comes.
#[test]
fn the_guide_for_qa_goes_as_it_says() {
    let page = page("guide-qa.md");
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().join("scenarios");
    fs::create_dir_all(&scenarios).unwrap();
    for file in fs::read_dir(crate::root().join("scenarios")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), scenarios.join(file.file_name())).unwrap();
        }
    }
    let (mut said, mut files, mut commands, mut shown) = (None, 0, 0, 0);
    for (language, text) in fenced(&page) {
        match language {
            "jsonc" => {
                let (name, _) = text.strip_prefix("// ").unwrap().split_once('\n').unwrap();
                fs::write(folder.path().join(name), text).unwrap();
                files += 1;
            }
            "sh" => {
                let output = shell(
                    &format!("exec 2>&1\n{text}"),
                    folder.path(),
                    &[("COLUMNS", WIDTH.to_owned())],
                );
                let text_of = String::from_utf8(output.stdout).unwrap();
                assert_eq!(output.status.code(), Some(0), "{text}\n{text_of}");
                said = Some((text, text_of));
                commands += 1;
            }
            "text" => {
                let (command, said) = said.take().expect("a command before what it says");
                if let Err(lacks) = is_shown(text, &said) {
                    panic!("{command}\nsays\n{said}\nand the page shows\n{lacks}");
                }
                shown += 1;
            }
            "console" => {}
            other => panic!("a block in `{other}`: {text}"),
        }
    }
    assert!(files >= 4 && commands >= 10 && shown >= 10, "{files}, {commands}, {shown}");
}

#[test]
fn what_a_page_shows_is_compared_line_by_line() {
    let said = "a\nb\nc\n1 run, 5 events in 0.3 s\n";
    for shown in ["a\nb\nc\n1 run, 5 events in 8 s", "a\n…\n1 run, 5 events in 1.0 s\n"] {
        assert_eq!(is_shown(shown, said), Ok(()), "{shown}");
    }
    for shown in
        ["a\nb\nc", "a\n…\nc", "b\n…\n1 run, 5 events in 8 s", "a\n…\n1 run, 6 events in 8 s"]
    {
        assert!(is_shown(shown, said).is_err(), "{shown}");
    }
}

#[test]
fn every_field_of_a_result_is_documented() {
    let page = page("formats.md");
    let project = project();
    let run = |line: &str| -> Value {
        let output = shell(line, project.path(), &[]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let shard = "onceproof run scenarios --shard 1/1 --twin --coverage --format json";
    let exhaustive = "onceproof run scenarios/payment-tutorial.json --exhaustive 1 --format json";
    let mut fields = BTreeSet::new();
    let mut add = |value: &Value| fields.extend(value.as_object().unwrap().keys().cloned());
    for result in [run(shard), run(exhaustive)] {
        add(&result);
        for scenario in result["scenarios"].as_array().unwrap() {
            add(scenario);
            for within in ["coverage", "twin", "exhaustive", "lines"] {
                if let Some(value) = scenario.get(within) {
                    add(value);
                }
            }
            for violation in scenario["violations"].as_array().unwrap() {
                add(violation);
                violation.get("shrunk").into_iter().for_each(&mut add);
            }
        }
        result.get("shard").into_iter().for_each(&mut add);
    }
    for field in ["part", "lines", "twin", "coverage", "exhaustive", "because", "settings"] {
        assert!(fields.contains(field), "{field} was not seen: {fields:?}");
    }
    let unknown: Vec<_> =
        fields.iter().filter(|field| !page.contains(&format!("`{field}`"))).collect();
    assert!(unknown.is_empty(), "docs/formats.md does not name {unknown:?}");
}
