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
    history::{Event, Inv, Outcome, Phase},
    restate::Engine,
    scenario::plan::{Action, Fault, Step},
};

/// Decides whether an operator will cancel or kill a new invocation, and when.
pub(super) fn watch(core: &mut Core<'_>, info: AttemptInfo<'_>) {
    for (fault, kill, forms) in [(Fault::Cancel, false, 2), (Fault::Kill, true, 1)] {
        if fault == Fault::Cancel && core.faults.plan().cancel_at_messages {
            continue;
        }
        // the second form of a cancel is an impatient operator who cancels twice
        let struck = Struck::Handler(info.target);
        let times = core.decide(fault, struck, forms, || info.label.to_string());
        // each of them can strike, and counts
        if times > 1 {
            core.faults.count(fault.name().into()).planned += u64::from(times - 1);
        }
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

/// The HTTP status for what does not exist.
const UNKNOWN: u32 = 404;
/// The HTTP status for an awakeable that is completed, whether anybody waits for it or not.
const ACCEPTED: u32 = 202;

/// Does what a step of the plan says, and tells what is answered; none if it is no operator's step.
pub(super) fn step(now: VirtualTime, engine: &mut Engine, step: &Step) -> Option<Event> {
    let (deed, of) = match &step.action {
        Action::Cancel { request } => ("cancel", request),
        Action::Kill { request } => ("kill", request),
        Action::Pause { request } => ("pause", request),
        Action::Resume { request } => ("resume", request),
        Action::Purge { request } => ("purge", request),
        Action::Resolve { request, .. } => ("resolve", request),
        Action::Reject { request, .. } => ("reject", request),
        Action::Call { .. }
        | Action::Send { .. }
        | Action::Http { .. }
        | Action::Attach { .. }
        | Action::Output { .. }
        | Action::EndpointDown { .. }
        | Action::Deploy { .. } => return None,
    };
    let inv = engine.invocation_of(of);
    let (code, message) = match inv {
        Some(inv) => answer(now, engine, inv, &step.action),
        None => (UNKNOWN, format!("`{of}` has started no invocation yet")),
    };
    let (request, of) = (step.request.as_str().into(), of.as_str().into());
    Some(Event::OperatorAnswered { request, deed, of, inv, code, message })
}

/// What Restate answers to an operator, or to a client who completes an awakeable.
fn answer(now: VirtualTime, engine: &mut Engine, inv: Inv, action: &Action) -> (u32, String) {
    let answered = match action {
        Action::Cancel { .. } => engine.cancel(now, inv),
        Action::Kill { .. } => engine.kill(now, inv),
        Action::Pause { .. } => engine.pause(now, inv),
        Action::Resume { .. } => engine.resume(now, inv),
        Action::Purge { .. } => engine.purge(now, inv),
        Action::Resolve { awakeable, body, .. } => {
            let value = Outcome::Success(body.as_str().into());
            engine.complete_awakeable_of(now, inv, *awakeable, value);
            Ok(ACCEPTED)
        }
        Action::Reject { awakeable, reason, .. } => {
            let failure = Outcome::Failure { code: 500, message: reason.clone() };
            engine.complete_awakeable_of(now, inv, *awakeable, failure);
            Ok(ACCEPTED)
        }
        _ => Ok(ACCEPTED),
    };
    match answered {
        Ok(code) => (code, String::new()),
        Err(refused) => (refused.code(), refused.to_string()),
    }
}
