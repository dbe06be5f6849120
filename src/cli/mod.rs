//! The command line: arguments in, an exit code out. A crate with services of its own calls [`run`]
//! with its own [`Subject`] and has the same commands.
//!
//! Results go to stdout; progress and diagnostics to stderr.

mod args;
mod bugs;
mod check;
mod exit;
mod formats;
mod interrupt;
mod list;
#[cfg(feature = "serve")]
mod live;
mod load;
mod merge;
mod minimize;
mod new;
mod output;
mod replay;
mod run;
mod schema;
mod second;
mod shard;
mod show;
mod slow;
mod stdout;
mod terminal;

use std::ffi::OsString;

use clap::Parser as _;

use self::args::{Args, Command};
use crate::subject::Subject;

pub use self::exit::Exit;

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
            // help and version are results
            if !e.use_stderr() {
                terminal::say(&e.render().ansi().to_string());
                return terminal::end(Exit::Held);
            }
            drop(e.print());
            return Exit::Usage;
        }
    };
    terminal::choose_colour(args.color);
    terminal::choose_width(args.width);
    let _claimed = stdout::claim();
    if second::is_second() {
        return second::answer_all(subject, &|line| terminal::write(line).is_ok());
    }
    let done = match args.command {
        #[cfg(feature = "serve")]
        Command::Run(args) if args.live.on == args::On::Restate => live::run(subject, &args),
        Command::Run(args) => run::run(&program, subject, &args),
        Command::Merge(args) => merge::merge(&program, &args),
        Command::Replay(args) => replay::replay(subject, &args),
        Command::Show(args) => show::show(&program, subject, &args),
        Command::Minimize(args) => minimize::minimize(&program, subject, &args),
        Command::Check(args) => check::check(subject, &args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => live::serve(subject, &args),
        Command::New(args) => new::new(&program, subject, &args),
        Command::Schema(args) => schema::schema(subject, &args),
        Command::List(args) => list::list(subject, args.filter.as_deref()),
        Command::Bugs(args) => bugs::bugs(subject, &args),
    };
    terminal::end(done.unwrap_or_else(|failure| {
        terminal::complain(&failure.0);
        Exit::Usage
    }))
}
