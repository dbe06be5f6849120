//! The kinds of events that a reader can ask for.
//!
//! Must not know: how an event is worded or drawn.

use crate::history::{CallFate, Event};

/// All of them, in the order in which they are told; beside these there are what handlers logged and decisions on order.
pub(super) const GROUPS: [&str; 9] =
    ["request", "invocation", "journal", "state", "call", "effect", "fault", "operator", "run"];

/// The kind of an event.
pub(super) fn group(event: &Event) -> &'static str {
    match event {
        Event::RequestSent { .. }
        | Event::HttpSent { .. }
        | Event::ReplyReceived { .. }
        | Event::Delivered { copy: None, .. }
        | Event::OutcomeAsked { .. }
        | Event::RequestAccepted { .. }
        | Event::RequestAttached { .. }
        | Event::Awaited { .. }
        | Event::NotSent { .. }
        | Event::GaveUp { .. } => "request",
        Event::InvocationCreated { .. }
        | Event::Inboxed { .. }
        | Event::AttemptStarted { .. }
        | Event::Suspended { .. }
        | Event::AttemptFailed { .. }
        | Event::RetryScheduled { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Completed { .. } => "invocation",
        Event::EntryAppended { .. } => "journal",
        Event::StateOpened { .. } | Event::StateChanged { .. } => "state",
        Event::SystemCalled { .. } | Event::SystemReturned { fate: CallFate::Answered, .. } => {
            "call"
        }
        Event::SystemEffect { .. }
        | Event::SystemRejected { .. }
        | Event::SystemReturned { .. }
        | Event::BooksDiffer { .. }
        | Event::SystemPanicked { .. } => "effect",
        Event::RequestLost { .. }
        | Event::AnswerLost { .. }
        | Event::Delivered { copy: Some(_), .. }
        | Event::Restarted
        | Event::ProcessCrashed { .. }
        | Event::EndpointDown { .. }
        | Event::AttemptCrashed { .. }
        | Event::HandlerPanicked { .. }
        | Event::FaultFired { .. } => "fault",
        Event::CancelRequested { .. }
        | Event::Killed { .. }
        | Event::SignalSent { .. }
        | Event::PausedByOperator { .. }
        | Event::Purged { .. }
        | Event::OperatorAnswered { .. }
        | Event::DeploymentRegistered { .. } => "operator",
        Event::ProcessStarted { .. } | Event::FaultsOver | Event::Ended { .. } => "run",
    }
}
