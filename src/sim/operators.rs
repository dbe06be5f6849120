//! Operators: they cancel, kill, pause, resume and purge invocations, as faults decide and as a plan's steps say.
//! And clients who complete an awakeable, which is no request that is answered either.
//!
//! Must not know: handlers, systems.

use super::{
    core::{AttemptInfo, Core, Due},
    faults::Struck,
};
use crate::{
    base::VirtualTime,
    history::{Inv, Outcome, Phase},
    restate::Engine,
    scenario::plan::{Action, Fault},
};

/// Decides whether an operator will cancel or kill a new invocation, and when.
pub(super) fn watch(core: &mut Core<'_>, info: AttemptInfo<'_>) {
    for (fault, kill, forms) in [(Fault::Cancel, false, 2), (Fault::Kill, true, 1)] {
        // the second form of a cancel is an impatient operator who cancels twice
        let struck = Struck::Handler(info.target);
        let times = core.decide(fault, struck, forms, || info.label.to_string());
        for time in 1..=times {
            let place = format!("{} #{time}", info.label);
            let kind = if kill { "kill_delay_ms" } else { "cancel_delay_ms" };
            let delay_ms = core.measure(fault, kind, &place, 0);
            core.schedule(delay_ms, Due::Operator { inv: info.attempt.inv, kill });
        }
    }
}

/// An operator cancels or kills an invocation, if it is still there.
pub(super) fn act(core: &mut Core<'_>, engine: &mut Engine, inv: Inv, kill: bool) {
    let fault = if kill { Fault::Kill } else { Fault::Cancel };
    let phase = engine.phase(inv);
    if phase == Phase::Completed || !core.possible(fault) {
        return;
    }
    core.fired(fault, format!("{} while {phase}", engine.label(inv)), true);
    strike(engine, core.now, inv, kill);
}

/// Cancels or kills an invocation. What Restate answers to the operator is not recorded.
pub(super) fn strike(engine: &mut Engine, now: VirtualTime, inv: Inv, kill: bool) {
    drop(if kill { engine.kill(now, inv) } else { engine.cancel(now, inv) });
}

/// Does what a step of the plan says. What Restate refuses has no effect.
pub(super) fn step(core: &mut Core<'_>, engine: &mut Engine, action: &Action) {
    let (Action::Cancel { request }
    | Action::Kill { request }
    | Action::Pause { request }
    | Action::Resume { request }
    | Action::Purge { request }
    | Action::Resolve { request, .. }
    | Action::Reject { request, .. }) = action
    else {
        return;
    };
    let Some(inv) = engine.invocation_of(request) else { return };
    let now = core.now;
    match action {
        Action::Cancel { .. } => strike(engine, now, inv, false),
        Action::Kill { .. } => strike(engine, now, inv, true),
        Action::Pause { .. } => drop(engine.pause(now, inv)),
        Action::Resume { .. } => drop(engine.resume(now, inv)),
        Action::Purge { .. } => drop(engine.purge(now, inv)),
        Action::Resolve { awakeable, body, .. } => {
            let value = Outcome::Success(body.as_str().into());
            engine.complete_awakeable_of(now, inv, *awakeable, value);
        }
        Action::Reject { awakeable, reason, .. } => {
            let failure = Outcome::Failure { code: 500, message: reason.clone() };
            engine.complete_awakeable_of(now, inv, *awakeable, failure);
        }
        _ => {}
    }
}
