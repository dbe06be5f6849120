//! The oracles that need no domain, on for every subject.
//!
//! Must not know: any service, any system.

use std::sync::Arc;

use super::Oracle;

mod equal_requests_equal_answers;
mod invocations_complete;
mod journaled_step_at_most_once;
mod no_effect_outside_run;
mod no_journal_mismatch;
mod nothing_stuck;
mod state_readable;

/// The generic oracles, in the order in which they are asked: after those of a domain, about whose findings they are
/// silent.
///
/// | name | what must hold |
/// |---|---|
/// | `journaled_step_at_most_once` | no two attempts of one `ctx.run` change the world in the same way |
/// | `no_effect_outside_run` | an attempt changes the world only inside of `ctx.run` |
/// | `no_journal_mismatch` | a handler repeats its journal when it is replayed |
/// | `nothing_stuck` | at the end nothing is paused, holds a lock or waits for itself |
/// | `invocations_complete` | everything that was accepted ends |
/// | `equal_requests_equal_answers` | requests that share an invocation get the same reply |
/// | `state_readable` | the last value of a state is JSON if those before it were |
#[must_use]
pub fn generic() -> Vec<Arc<dyn Oracle>> {
    vec![
        Arc::new(journaled_step_at_most_once::JournaledStepAtMostOnce),
        Arc::new(no_effect_outside_run::NoEffectOutsideRun),
        Arc::new(no_journal_mismatch::NoJournalMismatch),
        Arc::new(nothing_stuck::NothingStuck),
        Arc::new(invocations_complete::InvocationsComplete),
        Arc::new(equal_requests_equal_answers::EqualRequestsEqualAnswers),
        Arc::new(state_readable::StateReadable),
    ]
}

/// Effects that the generic oracles' tests write.
#[cfg(test)]
mod hotel {
    use serde::Serialize;

    use crate::history::Effect;

    #[derive(Clone, Debug, Serialize)]
    pub(super) struct Booked {
        pub(super) room: u32,
    }

    impl Effect for Booked {
        const KIND: &'static str = "booked";
    }

    #[derive(Clone, Debug, Serialize)]
    pub(super) struct Released {
        pub(super) room: u32,
    }

    impl Effect for Released {
        const KIND: &'static str = "released";
    }
}
