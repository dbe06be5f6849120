//! How the simulated Restate is set up for a run.
//!
//! Must not know: what happens in it.

use crate::{
    base::Seed,
    restate::{Config, OnMaxAttempts, Protocol, Spoken},
    scenario::plan::Plan,
};

/// How a deployment is spoken to that speaks `protocol`.
pub(super) fn spoken(plan: &Plan, protocol: Protocol) -> Spoken {
    let restate = &plan.restate;
    Spoken {
        version: protocol.version(restate.protocol_version),
        request_response: protocol.request_response || restate.always_replay,
    }
}

pub(super) fn config(plan: &Plan, seed: Seed, protocol: Protocol) -> Config {
    let restate = &plan.restate;
    let Spoken { version: protocol_version, request_response } = spoken(plan, protocol);
    Config {
        seed,
        protocol_version,
        request_response,
        retry_initial_ms: restate.retry_initial_ms,
        retry_max_ms: restate.retry_max_ms,
        retry_max_attempts: restate.retry_max_attempts,
        on_max_attempts: match restate.kill_on_max_attempts {
            true => OnMaxAttempts::Kill,
            false => OnMaxAttempts::Pause,
        },
        idempotency_retention_ms: restate.idempotency_retention_ms,
        workflow_retention_ms: restate.workflow_retention_ms,
        journal_retention_ms: restate.journal_retention_ms,
        lazy_state: restate.lazy_state,
        inactivity_timeout_ms: restate.inactivity_timeout_ms,
        abort_timeout_ms: restate.abort_timeout_ms,
    }
}
