//! Calls of systems on their way, each with the attempt that made it as its cause.
//!
//! Must not know: connections, any system.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use super::{
    log::{By, Known, Log},
    world::Systems,
};
use crate::{
    base::Target,
    history::Within,
    system::{Hub, Outgoing, Token},
};

/// How many attempts are remembered, so that calls of tasks that outlive them have a cause.
const REMEMBERED_MAX: usize = 10_000;

/// What is known of attempts, by the tokens that their calls have.
#[derive(Debug, Default)]
struct Attempts {
    last: Token,
    began: BTreeMap<Token, Origin>,
}

/// An attempt as the cause of calls.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) id: String,
    pub(super) invocation: Known,
    pub(super) target: Target,
    pub(super) attempt: u32,
}

impl Origin {
    fn by(self, within: Within) -> By {
        let Self { id, invocation, target, attempt } = self;
        By { id, invocation, target, attempt, within }
    }
}

/// What attempts ask of systems; clones share it.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) hub: Hub,
    pub(super) log: Log,
    systems: Systems,
    attempts: Arc<Mutex<Attempts>>,
}

impl Calls {
    pub(super) fn new(hub: Hub, log: Log, systems: Systems) -> Self {
        Self { hub, log, systems, attempts: Arc::default() }
    }

    /// The token of one more attempt.
    pub(super) fn next_attempt(&self) -> Token {
        let mut attempts = self.attempts();
        attempts.last += 1;
        attempts.last
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an attempt that begins.
    pub(super) fn began(&self, token: Token, origin: Origin) {
        let mut attempts = self.attempts();
        attempts.began.insert(token, origin);
        if attempts.began.len() > REMEMBERED_MAX {
            attempts.began.pop_first();
        }
    }

    /// Starts a call on its way, with its cause.
    pub(super) fn dispatch(&self, outgoing: Outgoing, within: Within) {
        let origin = outgoing.by.and_then(|token| self.attempts().began.get(&token).cloned());
        self.systems.start(outgoing, origin.map(|origin| origin.by(within)));
    }

    /// Starts the calls on their way that tasks make outside of any attempt's poll.
    pub(super) async fn answer_tasks(&self) {
        loop {
            let calls = poll_fn(|cx| {
                self.hub.listen(cx.waker());
                match self.hub.take_outgoing() {
                    calls if calls.is_empty() => Poll::Pending,
                    calls => Poll::Ready(calls),
                }
            })
            .await;
            for outgoing in calls {
                self.dispatch(outgoing, Within::Unknown);
            }
        }
    }
}
