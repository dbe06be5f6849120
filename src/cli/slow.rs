//! Names a scenario that takes long while it runs, on stderr, whether that is a terminal or not.
//!
//! Must not know: what a scenario is.

use std::{
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::ProgressBar;

use super::terminal::{complain, now, since};

/// What runs now: its name, how many runs it has, and how many had been made in all when it began.
struct Running {
    name: String,
    wanted: u64,
    before: u64,
}

/// Watches over what runs now.
pub(super) struct Slow {
    tell: Option<Sender<Running>>,
    bar: ProgressBar,
    thread: Option<JoinHandle<()>>,
}

impl Slow {
    /// Tells of what takes longer than `after`, again when it takes twice as long, and so on. `bar` counts the runs.
    pub(super) fn new(bar: &ProgressBar, after: Duration) -> Self {
        let (tell, told) = mpsc::channel::<Running>();
        let watched = bar.clone();
        let thread = thread::spawn(move || {
            let Ok(mut running) = told.recv() else { return };
            let (mut started, mut next) = (now(), after);
            loop {
                match told.recv_timeout(next.saturating_sub(since(started))) {
                    Ok(another) => (running, started, next) = (another, now(), after),
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        let Running { name, wanted, before } = &running;
                        let done = watched.position().saturating_sub(*before);
                        let seconds = since(started).as_secs();
                        let text = format!(
                            "slow: {name} takes {seconds} s so far, {done} of {wanted} runs are done"
                        );
                        watched.suspend(|| complain(&text));
                        next *= 2;
                    }
                }
            }
        });
        Self { tell: Some(tell), bar: bar.clone(), thread: Some(thread) }
    }

    /// From now on this runs, and nothing else; it has `wanted` runs.
    pub(super) fn begin(&self, name: &str, wanted: u64) {
        let running = Running { name: name.to_owned(), wanted, before: self.bar.position() };
        if let Some(tell) = &self.tell {
            // without the thread nothing is told, which is no reason to run nothing
            drop(tell.send(running));
        }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.tell = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}
