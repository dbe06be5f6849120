//! `docs/guide-on-call.md`: its commands are run in one folder, one after the other, each ends as the guide says, and what the
//! guide shows of their output is what they print.

use std::{fs, path::Path, process::Command};

fn guide() -> String {
    fs::read_to_string(crate::root().join("docs/guide-on-call.md")).unwrap()
}

/// What a shell prints for `line`, both streams, and how it ends.
fn run(line: &str, folder: &Path) -> (String, i32) {
    let programs = Path::new(env!("CARGO_BIN_EXE_onceproof")).parent().unwrap();
    let line = format!("PATH=\"$0:$PATH\"\n{{ {line}\n}} 2>&1");
    let mut command = Command::new("sh");
    command.args(["-ec", &line]).arg(programs).current_dir(folder).env_remove("COLUMNS");
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// The exit code that a line of the guide speaks of: `# exits with 1`; 0 if it says nothing.
fn expected(line: &str) -> i32 {
    let said = line.split_once("# exits with ").map(|(_, code)| code.trim());
    said.map_or(0, |code| code.parse().unwrap())
}

/// Every line that is shown stands in what was printed, in this order; `…` stands for what is left out, within a line too.
#[track_caller]
fn check_shown(shown: &str, printed: &str) {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let printed = plain(printed);
    let mut rest = &printed[..];
    for line in shown.lines() {
        for part in line.split('…').map(plain).filter(|part| !part.is_empty()) {
            let at = rest.find(&part);
            let at = at.unwrap_or_else(|| panic!("{part:?} is not, or not there, in\n{printed}"));
            rest = &rest[at + part.len()..];
        }
    }
}

#[test]
fn each_command_does_what_the_guide_says() {
    let project = tempfile::tempdir().unwrap();
    let folder = project.path();
    fs::create_dir(folder.join("scenarios")).unwrap();
    let name = "bug-08-cancel-races-charge.json";
    fs::copy(crate::scenario(name), folder.join("scenarios").join(name)).unwrap();
    let guide = guide();
    let (mut commands, mut shown) = (0, 0);
    let mut printed = String::new();
    for block in guide.split("\n```").skip(1).step_by(2) {
        let (language, body) = block.split_once('\n').unwrap();
        match language {
            "sh" => {
                printed.clear();
                for line in body.lines() {
                    let (said, code) = run(line, folder);
                    assert_eq!(code, expected(line), "{line}\n{said}");
                    assert!(!said.contains("panicked"), "{line}\n{said}");
                    printed.push_str(&said);
                    commands += 1;
                }
            }
            "text" => {
                check_shown(body, &printed);
                shown += 1;
            }
            _ => {}
        }
    }
    assert!(commands >= 10 && shown >= 4, "{commands} commands, {shown} outputs");
}
