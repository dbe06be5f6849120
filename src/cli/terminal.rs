//! What reaches a person: stdout for results, stderr for the rest; and how long a command took.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anstream::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{args::Colour, exit::Exit, stdout};
use crate::{
    base::printable::printable_lines,
    report::{
        paint::Paint,
        timeline::{Detail, Look, WHOLE},
    },
    scenario,
};

/// On a narrower terminal lines are wrapped.
const WIDTH_MIN: usize = 40;

/// Why results could not be written, the first time. The process has one stdout.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// The columns that were asked for, if any were.
static CHOSEN_WIDTH: OnceLock<usize> = OnceLock::new();

/// Lines are cut to so many columns, whatever there is; with 0 they are whole.
pub(super) fn choose_width(columns: Option<usize>) {
    if let Some(columns) = columns {
        let columns = if columns == 0 { WHOLE } else { columns };
        CHOSEN_WIDTH.get_or_init(|| columns);
    }
}

pub(super) fn choose_colour(colour: Colour) {
    match colour {
        Colour::Auto => {}
        Colour::Always => ColorChoice::Always.write_global(),
        Colour::Never => ColorChoice::Never.write_global(),
    }
}

/// Prints a result. If that fails, [`unwritten`] says why, and [`end`] tells.
pub(super) fn say(text: &str) {
    let text = printable_lines(text);
    let text = match stdout::choice() {
        ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
        _ => text.into_owned(),
    };
    if let Err(error) = write(&text) {
        // later errors follow from the first
        drop(UNWRITTEN.set(error));
    }
}

/// Writes to where results go, as it is.
pub(super) fn write(text: &str) -> io::Result<()> {
    let mut out = stdout::results()?;
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Why results could not be written, if they could not.
pub(super) fn unwritten() -> Option<&'static io::Error> {
    UNWRITTEN.get()
}

/// How a command ends that would have ended with `exit`: what could not be told has not held. Whoever closed a pipe
/// knows that already.
pub(super) fn end(exit: Exit) -> Exit {
    let Some(error) = unwritten() else { return exit };
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(&format!("error: the results cannot be written to stdout: {error}"));
    }
    if exit == Exit::Held { Exit::Usage } else { exit }
}

/// Prints a diagnostic.
pub(super) fn complain(text: &str) {
    let mut err = anstream::stderr().lock();
    let text = printable_lines(text.trim_end());
    drop(err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n")));
}

/// How diagnostics look.
pub(super) fn style_on_stderr() -> scenario::Style {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        ColorChoice::Never => scenario::Style::Plain,
        _ => scenario::Style::Coloured,
    }
}

/// How results look.
pub(super) fn paint_on_stdout() -> Paint {
    match stdout::choice() {
        ColorChoice::Never => Paint::Plain,
        _ => Paint::Ansi,
    }
}

/// How timelines look.
pub(super) fn look(detail: Detail) -> Look {
    Look { detail, paint: paint_on_stdout(), width: width() }
}

/// How many columns results may have: so many as were asked for, those of the terminal, or those that `COLUMNS` says. A
/// file or a pipe without these has whole lines.
pub(super) fn width() -> usize {
    if let Some(columns) = CHOSEN_WIDTH.get() {
        return *columns;
    }
    let columns = match stdout::size() {
        Some((terminal_size::Width(columns), _)) => Some(usize::from(columns)),
        None => columns_from_environment(),
    };
    columns.map_or(WHOLE, |columns| columns.max(WIDTH_MIN))
}

#[expect(clippy::disallowed_methods, reason = "how results look; no run sees it")]
fn columns_from_environment() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0)
}

/// A bar on a terminal, nothing when piped.
pub(super) fn progress(runs: u64) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let narrow = terminal_size::terminal_size_of(io::stderr()).is_some_and(|(w, _)| w.0 < 80);
    let template =
        if narrow { "{wide_msg} {pos}/{len} runs" } else { "{wide_msg} {bar:30} {pos}/{len} runs" };
    let style = ProgressStyle::with_template(template).expect("a constant template is well formed");
    ProgressBar::with_draw_target(Some(runs), target).with_style(style)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the command took, for a person; no run sees it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the command took, for a person; no run sees it"
)]
pub(super) fn since(started: Instant) -> Duration {
    started.elapsed()
}
