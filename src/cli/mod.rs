//! The command line: arguments in, an exit code out. A crate with services of its own calls [`run`]
//! with its own [`Subject`] and has the same commands.
//!
//! Results go to stdout; progress and diagnostics to stderr.

mod args;
mod bugs;
mod check;
mod list;
#[cfg(feature = "serve")]
mod live;
mod replay;
mod run;
mod terminal;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use self::args::{Args, Command};
use crate::subject::Subject;

/// How a command ended; its number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything held.
    Held = 0,
    /// Something did not hold, was not found, or had no effect.
    Violated = 1,
    /// The arguments, a scenario or a reproducer cannot be used.
    Usage = 2,
    /// The same run gave two histories.
    Nondeterministic = 3,
    /// A bound was reached before anything was proven.
    Inconclusive = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the command line `arguments` over `subject`. The first is the program's name, as the commands that
/// are printed for replay call it.
pub fn run(
    subject: &Subject,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let program =
        arguments.first().map_or("onceproof".into(), |p| p.to_string_lossy().into_owned());
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(e) => {
            // clap prints help and version on stdout, errors on stderr
            let shown = e.print();
            return if e.use_stderr() || shown.is_err() { Exit::Usage } else { Exit::Held };
        }
    };
    terminal::choose_colour(args.color);
    let done = match args.command {
        #[cfg(feature = "serve")]
        Command::Run(args) if args.live.on == args::On::Restate => live::run(subject, &args),
        Command::Run(args) => run::run(&program, subject, &args),
        Command::Replay(args) => replay::replay(subject, &args),
        Command::Check(args) => check::check(subject, &args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => live::serve(subject, &args),
        Command::List => list::list(subject),
        Command::Bugs(args) => bugs::bugs(&args),
    };
    done.unwrap_or_else(|failure| {
        terminal::complain(&failure.0);
        Exit::Usage
    })
}

/// Why a command could not do its work, rendered for a person.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(format!("error: {e}"))
    }
}
