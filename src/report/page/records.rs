//! One event as a row of the diagram: in whose lane it stands, between whom its arrow goes, what kind of thing it is.
//!
//! Must not know: which rows there are, how they are drawn.

use super::lanes::Lanes;
use crate::{
    history::{CallFate, Change, Event, Inv, Origin},
    report::{focus::invocation, group::group, wording::Names},
};

/// Where an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its lane; none for what concerns the whole run.
    pub(super) lane: Option<usize>,
    /// From lane to lane.
    pub(super) arrow: Option<(usize, usize)>,
    /// True if what the arrow stands for never arrived.
    pub(super) is_lost: bool,
    /// True if it strikes everything that runs.
    pub(super) is_wide: bool,
    /// The invocation that it is about.
    pub(super) inv: Option<Inv>,
}

/// What stands in its lane: a sign that the page has a shape for.
pub(super) fn sign(event: &Event) -> &'static str {
    match event {
        Event::SystemEffect { effect, .. } if effect.change == Change::Made => "effect",
        Event::StateChanged { .. } | Event::StateOpened { .. } => "state",
        Event::EntryAppended { .. } => "entry",
        Event::CancelRequested { .. } | Event::Killed { .. } | Event::Purged { .. } => "cut",
        _ if group(event) == "fault" => "fault",
        Event::SystemRejected { .. }
        | Event::AttemptFailed { .. }
        | Event::BooksDiffer { .. }
        | Event::SystemPanicked { .. }
        | Event::NotSent { .. }
        | Event::GaveUp { .. } => "refused",
        Event::SystemReturned { fate, .. } if *fate != CallFate::Answered => "refused",
        Event::AttemptStarted { .. } | Event::Completed { .. } => "end",
        Event::Inboxed { .. } | Event::Suspended { .. } | Event::RetryScheduled { .. } => "wait",
        _ => "dot",
    }
}

/// Where `event` stands.
pub(super) fn place<'h>(event: &'h Event, names: &Names<'h>, lanes: &Lanes<'h>) -> Place {
    let restate = lanes.restate;
    let inv = invocation(event, names);
    let runs = inv.and_then(|inv| lanes.of_invocation(inv));
    let own = Place { lane: runs.or(Some(restate)), inv, ..Place::default() };
    let between = |lane: Option<usize>, from: Option<usize>, to: Option<usize>| Place {
        lane: lane.or(Some(restate)),
        arrow: from.zip(to).filter(|(from, to)| from != to),
        inv,
        ..Place::default()
    };
    match event {
        Event::RequestSent { request, .. }
        | Event::HttpSent { request, .. }
        | Event::OutcomeAsked { request, .. } => {
            let client = lanes.of_request(request);
            between(client, client, Some(restate))
        }
        Event::RequestLost { request, .. } => {
            let client = lanes.of_request(request);
            Place { is_lost: true, ..between(client, client, Some(restate)) }
        }
        Event::AnswerLost { request, .. } => {
            let client = lanes.of_request(request);
            Place { is_lost: true, ..between(client, Some(restate), client) }
        }
        Event::ReplyReceived { request, .. } | Event::RequestAccepted { request, .. } => {
            let client = lanes.of_request(request);
            between(client, Some(restate), client)
        }
        Event::GaveUp { request }
        | Event::Awaited { request, .. }
        | Event::NotSent { request, .. } => between(lanes.of_request(request), None, None),
        Event::Delivered { system, .. } => {
            let system = lanes.of_system(system);
            between(system, system, Some(restate))
        }
        Event::RequestAttached { .. } => between(runs, Some(restate), runs),
        Event::InvocationCreated { origin, .. } => match origin {
            Origin::Client(_) => between(Some(restate), None, None),
            Origin::Call(by) | Origin::Send(by) => between(runs, lanes.of_invocation(*by), runs),
        },
        Event::AttemptStarted { .. } => between(runs, Some(restate), runs),
        Event::Completed { inv, .. } => between(runs, runs, Some(lanes.of_answer(*inv))),
        Event::OperatorAnswered { .. } => {
            let operator = Some(lanes.operator());
            between(operator, operator, runs.or(Some(restate)))
        }
        Event::StateOpened { service, key, .. } => {
            let lane = Some(lanes.of_object(service, key));
            Place { lane, ..Place::default() }
        }
        Event::StateChanged { service, key, .. } => {
            Place { lane: Some(lanes.of_object(service, key)), ..own }
        }
        Event::SystemCalled { .. }
        | Event::SystemEffect { .. }
        | Event::SystemRejected { .. }
        | Event::SystemReturned { .. }
        | Event::SystemPanicked { .. }
        | Event::BooksDiffer { .. } => system(event, names, lanes, own),
        Event::FaultFired { place, .. } => {
            let (lane, inv) = lanes.of_place(place);
            Place { lane, inv, ..Place::default() }
        }
        Event::Restarted => Place { lane: Some(restate), is_wide: true, ..Place::default() },
        Event::ProcessCrashed { .. } => {
            Place { lane: Some(lanes.process()), is_wide: true, ..Place::default() }
        }
        Event::ProcessStarted { .. }
        | Event::EndpointDown { .. }
        | Event::DeploymentRegistered { .. } => {
            Place { lane: Some(lanes.process()), ..Place::default() }
        }
        Event::FaultsOver | Event::Ended { .. } => Place::default(),
        _ => own,
    }
}

/// Between who calls and the system that is called.
fn system<'h>(event: &'h Event, names: &Names<'h>, lanes: &Lanes<'h>, own: Place) -> Place {
    let caller = own.inv.and_then(|inv| lanes.of_invocation(inv));
    let of_call = |call| names.call(call).and_then(|called| lanes.of_system(called.system));
    let (system, towards_caller, is_lost) = match event {
        Event::SystemCalled { system, .. } | Event::SystemEffect { system, .. } => {
            (lanes.of_system(system), false, false)
        }
        Event::SystemReturned { call, fate } => match fate {
            CallFate::Answered | CallFate::Rejected => (of_call(*call), true, false),
            CallFate::AnswerLost | CallFate::CallerGone => (of_call(*call), true, true),
            CallFate::Refused => (of_call(*call), false, true),
        },
        Event::SystemRejected { call, .. } => {
            return Place { lane: of_call(*call).or(own.lane), ..own };
        }
        Event::BooksDiffer { system, .. } | Event::SystemPanicked { system, .. } => {
            return Place { lane: lanes.of_system(system).or(own.lane), ..own };
        }
        _ => return own,
    };
    let (from, to) = if towards_caller { (system, caller) } else { (caller, system) };
    let lane = if matches!(event, Event::SystemCalled { .. }) { caller.or(system) } else { system };
    let arrow = from.zip(to).filter(|(from, to)| from != to);
    Place { lane: lane.or(own.lane), arrow, is_lost, ..own }
}
