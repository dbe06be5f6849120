//! Ctrl-C, and SIGTERM: a command ends after what it is doing now, or at once if it is pressed again.
//!
//! Must not know: any command.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{exit::Exit, terminal};
use crate::explore::last_words;

/// Becomes true when a person presses Ctrl-C, or the process is asked to end.
pub(super) fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = stop.clone();
    // without a handler Ctrl-C ends the process at once, which is no worse than before
    drop(ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            end_at_once();
        }
    }));
    stop
}

/// Says that the command was interrupted: what was not run proves nothing.
pub(super) fn interrupted(so_far: Exit) -> Exit {
    terminal::complain("interrupted: this is what was seen so far");
    if so_far == Exit::Held { Exit::Inconclusive } else { so_far }
}

#[expect(
    clippy::disallowed_methods,
    reason = "Ctrl-C a second time: the summary is not waited for any more"
)]
fn end_at_once() {
    last_words::be_silent();
    std::process::exit(130);
}
