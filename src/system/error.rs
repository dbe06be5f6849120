//! Why a call to a system gives no answer.
//!
//! Must not know: any system, when calls fail.

use super::delivery::ParseTargetError;

/// A system understood the request and will not do it: asking again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// Why.
    pub reason: String,
}

impl Rejected {
    /// A refusal for this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// A request of which no target can be made, such as one with an empty key, is not done.
impl From<ParseTargetError> for Rejected {
    fn from(error: ParseTargetError) -> Self {
        Self::new(error.to_string())
    }
}

/// Why a call to a system gave no answer, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing happened: connection refused, service down. Worth another try.
    #[error("{system} is unavailable")]
    Unavailable {
        /// The system.
        system: &'static str,
    },
    /// Nothing happened: there were too many requests. Worth another try, later.
    #[error("{system} takes no more requests for now")]
    RateLimited {
        /// The system.
        system: &'static str,
    },
    /// No answer came; whether it happened is unknown. Worth another try with the same idempotency key.
    #[error("{system} did not answer in time")]
    Timeout {
        /// The system.
        system: &'static str,
    },
    /// The request is understood and will never be done.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl CallError {
    /// True if another try may succeed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Rejected(_))
    }
}
