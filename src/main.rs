//! The command line over the reference services.

use std::process::ExitCode;

use onceproof::{cli, subject::Subject};

fn main() -> ExitCode {
    cli::run(&Subject::reference(), std::env::args_os()).into()
}
