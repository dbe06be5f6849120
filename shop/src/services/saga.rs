//! A saga: steps in several services that happen together or not at all.
//!
//! No lock spans the services, so a step cannot be kept from happening; it can be undone. A handler writes a
//! step into its [`Saga`] *before* it asks for it, and stores the saga. From then on the step may have
//! happened, whatever the handler gets to hear: a cancel ends the waiting, not the work, and a crash or kill
//! ends both anywhere. If something fails, the steps are undone one by one, the last one first.
//!
//! Must not know: what the steps are, the simulation.

use restate_sdk::prelude::TerminalError;
use serde::{Deserialize, Serialize};

use super::durable::{despite_cancels, is_cancel};

/// The steps that happened or may have happened, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Saga<S>(Vec<S>);

impl<S> Default for Saga<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: PartialEq> Saga<S> {
    /// From now on, `step` may have happened. Store the saga, and only then ask for the step.
    pub(super) fn begin(&mut self, step: S) {
        // Whoever takes over from a killed handler begins again with what it had begun.
        if !self.0.contains(&step) {
            self.0.push(step);
        }
    }

    /// `step` was refused: it did not happen, and there is nothing to undo.
    pub(super) fn refused(&mut self, step: &S) {
        self.0.retain(|begun| begun != step);
    }

    /// What is to be undone next: the last step that is left.
    pub(super) fn next_to_undo(&self) -> Option<&S> {
        self.0.last()
    }

    /// All of them.
    pub(super) fn steps(&self) -> &[S] {
        &self.0
    }

    /// The last step is undone.
    pub(super) fn undone(&mut self) {
        self.0.pop();
    }
}

/// True if the other service said no: the step did not happen. Whatever else ends a call (a cancel, a kill,
/// retries used up) says nothing about what was done.
pub(super) fn is_refusal(error: &TerminalError) -> bool {
    (400..500).contains(&error.code()) && !is_cancel(error)
}

/// Asks until there is an answer that is no cancel, each time under an idempotency key of its own: a cancelled
/// call's key has the cancel as its answer for as long as Restate keeps it, and asking under it again would
/// read that for ever. What is asked for must therefore be done once by whoever does it, whatever the key.
///
/// # Errors
/// Whatever else `ask` fails with.
pub(super) async fn insist<T, F>(
    key: &str,
    mut ask: impl FnMut(String) -> F,
) -> Result<T, TerminalError>
where
    F: Future<Output = Result<T, TerminalError>>,
{
    let mut time = 0;
    despite_cancels(|| {
        time += 1;
        ask(numbered(key, time))
    })
    .await
}

/// The idempotency key of the `time`th try, from 1.
pub(super) fn numbered(key: &str, time: u32) -> String {
    if time == 1 { key.to_owned() } else { format!("{key}-{time}") }
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn error(code: u16) -> TerminalError {
        TerminalError::new_with_code(code, "no")
    }

    #[test]
    fn the_last_step_is_undone_first_and_a_refused_one_never() {
        let mut saga = Saga::default();
        for step in ["order", "stock", "payment", "stock", "label"] {
            saga.begin(step);
        }
        saga.refused(&"payment");
        let mut undone = Vec::new();
        while let Some(step) = saga.next_to_undo() {
            undone.push(*step);
            saga.undone();
        }
        assert_eq!(undone, ["label", "stock", "order"]);
    }

    #[test]
    fn only_a_refusal_says_that_nothing_happened() {
        for (code, expected) in
            [(400, true), (404, true), (410, true), (422, true), (409, false), (500, false)]
        {
            assert_eq!(is_refusal(&error(code)), expected, "{code}");
        }
    }

    #[test]
    fn a_cancelled_key_is_not_used_again() {
        let mut codes = vec![422, 409, 409];
        let mut keys = Vec::new();
        {
            let mut asking = pin!(insist("o-1-undo", |key| {
                keys.push(key);
                ready(Err::<(), _>(error(codes.pop().expect("no more after the refusal"))))
            }));
            let answer = asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(answer) = answer else { panic!("nothing here waits") };
            assert_eq!(answer.expect_err("it was refused").code(), 422);
        }
        assert_eq!(keys, ["o-1-undo", "o-1-undo-2", "o-1-undo-3"]);
    }
}
