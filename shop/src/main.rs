//! The command line over the services of the exercises.

use std::process::ExitCode;

fn main() -> ExitCode {
    onceproof::cli::run(&onceproof_shop::subject(), std::env::args_os()).into()
}
