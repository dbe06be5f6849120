//! What the entries of a journal hold, as histories have it, by the messages that make them.
//!
//! Must not know: the engine.

use crate::{
    history::{Content, Payload},
    protocol::messages::{
        EagerResult, Failure, NotificationResult, OutputResult, PromiseCompletion, SignalResult,
        Value,
    },
};

/// What a notification brings.
pub(crate) fn content_of(result: &NotificationResult) -> Content {
    match result {
        NotificationResult::Void(_) => Content::Nothing,
        NotificationResult::Value(value) => of_value(value.clone()),
        NotificationResult::Failure(failure) => of_failure(failure.clone()),
        NotificationResult::InvocationId(id) => Content::Value(id.as_str().into()),
        NotificationResult::StateKeys(names) => {
            let names: Vec<_> =
                names.keys.iter().map(|name| String::from_utf8_lossy(name)).collect();
            Content::Value(serde_json::Value::from(names).to_string().as_str().into())
        }
    }
}

/// What a handler ends with.
pub(crate) fn of_output(result: Option<OutputResult>) -> Content {
    match result {
        Some(OutputResult::Value(value)) => of_value(value),
        Some(OutputResult::Failure(failure)) => of_failure(failure),
        None => Content::Nothing,
    }
}

/// What an attempt read of the state that it was given.
pub(crate) fn of_eager(result: Option<EagerResult>) -> Content {
    match result {
        Some(EagerResult::Value(value)) => of_value(value),
        Some(EagerResult::Void(_)) | None => Content::Nothing,
    }
}

/// What a signal brings, as those who wait for it get it.
pub(crate) fn signal_result(result: SignalResult) -> NotificationResult {
    match result {
        SignalResult::Void(void) => NotificationResult::Void(void),
        SignalResult::Value(value) => NotificationResult::Value(value),
        SignalResult::Failure(failure) => NotificationResult::Failure(failure),
    }
}

/// What a promise, or an awakeable, is completed with, as those who wait for it get it.
pub(crate) fn completion_result(completion: PromiseCompletion) -> NotificationResult {
    match completion {
        PromiseCompletion::Value(value) => NotificationResult::Value(value),
        PromiseCompletion::Failure(failure) => NotificationResult::Failure(failure),
    }
}

fn of_value(value: Value) -> Content {
    Content::Value(Payload(value.content))
}

fn of_failure(failure: Failure) -> Content {
    let Failure { code, message, .. } = failure;
    Content::Failure { code, message }
}
