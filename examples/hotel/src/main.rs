//! All commands of onceproof over the travel agency.

use std::process::ExitCode;

fn main() -> ExitCode {
    onceproof::cli::run(&hotel_example::sim::subject(), std::env::args_os()).into()
}
