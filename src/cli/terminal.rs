//! What reaches a person: stdout for results, stderr for the rest; and how long a command took.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use anstream::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Colour;
use crate::{
    base::printable::printable_lines,
    report::{
        paint::Paint,
        timeline::{Detail, Look},
    },
    scenario,
};

/// Columns of a timeline: the same everywhere, so that what one person sees is what another sees.
const WIDTH: usize = 140;

pub(super) fn choose_colour(colour: Colour) {
    match colour {
        Colour::Auto => {}
        Colour::Always => ColorChoice::Always.write_global(),
        Colour::Never => ColorChoice::Never.write_global(),
    }
}

/// Prints a result. A closed pipe (`| head`) is not an error.
pub(super) fn say(text: &str) {
    let mut out = anstream::stdout().lock();
    drop(out.write_all(printable_lines(text).as_bytes()).and_then(|()| out.flush()));
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
    match anstream::AutoStream::choice(&std::io::stdout()) {
        ColorChoice::Never => Paint::Plain,
        _ => Paint::Ansi,
    }
}

/// How timelines look.
pub(super) fn look(detail: Detail) -> Look {
    Look { detail, paint: paint_on_stdout(), width: WIDTH }
}

/// A bar on a terminal, nothing when piped.
pub(super) fn progress(runs: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{wide_msg} {bar:30} {pos}/{len} runs")
        .expect("a constant template is well formed");
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
