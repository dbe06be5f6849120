//! What a handler needs to survive retries and cancels, beside `ctx.run`: which failures are worth another
//! try, and how to finish a step that an operator's cancel interrupts.
//!
//! Must not know: any one service, the simulation.

use restate_sdk::prelude::*;

use crate::systems::ApiError;

/// The code with which Restate fails one await of a cancelled invocation.
const CANCELLED: u16 = 409;
/// Understood, and refused for good. Never [`CANCELLED`], so that the two cannot be confused.
const REJECTED: u16 = 422;

/// Tells Restate what a failed call to the outside world means: an outage or a lost answer is tried again,
/// a refusal is final.
pub(super) fn retry_unless_rejected(error: ApiError) -> HandlerError {
    match error {
        ApiError::Rejected(reason) => TerminalError::new_with_code(REJECTED, reason).into(),
        ApiError::Unavailable(_) | ApiError::RateLimited(_) | ApiError::Timeout(_) => error.into(),
    }
}

/// The answer to a request that breaks a rule; `field` is the name that the client sent it under.
pub(super) fn invalid(field: &str, problem: &str) -> TerminalError {
    TerminalError::new_with_code(400, format!("invalid {field}: {problem}"))
}

/// True if the await failed because somebody cancelled the invocation, or the call that it waited for.
///
/// Whatever was awaited may have happened all the same: a cancelled `ctx.run` runs to its end.
pub(super) fn is_cancel(error: &TerminalError) -> bool {
    error.code() == CANCELLED
}

/// Repeats `step` until its outcome is known, for work that must not be left half done.
///
/// One cancel fails one await, so each cancel costs one repetition; `step` must be idempotent.
///
/// # Errors
/// Whatever else `step` fails with.
pub(super) async fn despite_cancels<T, F>(mut step: impl FnMut() -> F) -> Result<T, TerminalError>
where
    F: Future<Output = Result<T, TerminalError>>,
{
    loop {
        match step().await {
            Err(error) if is_cancel(&error) => {}
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, pin::pin, task};

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut context = task::Context::from_waker(task::Waker::noop());
        match pin!(future).poll(&mut context) {
            task::Poll::Ready(value) => value,
            task::Poll::Pending => panic!("nothing here waits"),
        }
    }

    #[test]
    fn cancels_are_outlasted_and_other_failures_are_not() {
        let mut failures = vec![422, 409, 409];
        let outcome = block_on(despite_cancels(|| {
            let code = failures.pop().expect("not asked again after a final failure");
            ready(Err::<(), _>(TerminalError::new_with_code(code, "no")))
        }));
        assert_eq!(outcome.expect_err("the step failed").code(), 422);
        assert!(failures.is_empty());
    }

    #[test]
    fn a_refusal_is_final_and_is_no_cancel() {
        let rejected = retry_unless_rejected(ApiError::Rejected("voided".into()));
        assert!(format!("{rejected:?}").contains("Terminal"), "{rejected:?}");
        for error in [ApiError::Unavailable("it".into()), ApiError::Timeout("it".into())] {
            let retried = retry_unless_rejected(error);
            assert!(format!("{retried:?}").contains("Retryable"), "{retried:?}");
        }
        assert_ne!(REJECTED, CANCELLED);
    }
}
