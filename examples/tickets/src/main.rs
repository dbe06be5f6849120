//! All commands of onceproof over the box office.

use std::process::ExitCode;

fn main() -> ExitCode {
    onceproof::cli::run(&tickets_example::sim::subject(), std::env::args_os()).into()
}
