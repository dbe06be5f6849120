//! The command line over the services of the exercises.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A run is mostly small allocations.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    onceproof::cli::run(&onceproof_shop::subject(), std::env::args_os()).into()
}
