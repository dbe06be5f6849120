//! All commands of onceproof over services whose bugs are bugs of order: `order-bugs bugs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    onceproof::cli::run(&order_bugs::subject(), std::env::args_os()).into()
}
