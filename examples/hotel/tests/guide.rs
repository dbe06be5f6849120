//! The commands over the hotel in `docs/guide-engineer.md`, run one after the other, each as it ends by the guide.

use std::{fs, path::Path, process::Command};

#[test]
fn the_commands_of_the_guide_run() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = own.join("../../docs/guide-engineer.md");
    let guide = fs::read_to_string(guide).expect("it is in the repository");
    let project = tempfile::tempdir().expect("a temporary folder");
    let scenarios = project.path().join("examples/hotel/scenarios");
    fs::create_dir_all(&scenarios).expect("a folder");
    for file in fs::read_dir(own.join("scenarios")).expect("the scenarios") {
        let file = file.expect("a scenario").path();
        fs::copy(&file, scenarios.join(file.file_name().expect("a name"))).expect("a copy");
    }
    let mut ran = 0;
    for line in guide.lines() {
        let Some(rest) = line.strip_prefix("cargo run -p hotel-example -- ") else { continue };
        let (arguments, code) = rest.split_once("# exits with ").unwrap_or((rest, "0"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotel-example"));
        command.args(arguments.split_whitespace()).current_dir(project.path());
        let output = command.output().expect("it is built");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), code.trim().parse().ok(), "{line}\n{said}");
        ran += 1;
    }
    assert_eq!(ran, 8);
}
