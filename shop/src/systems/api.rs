//! What a call to an external system gives.
//!
//! Must not know: any system, services.

use std::{future::Future, pin::Pin};

use onceproof::system::CallError;

/// What a call to an external system returns.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// Why a call to an external system gave no answer, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Nothing happened: connection refused, service down. Worth another try.
    #[error("{0} is unavailable")]
    Unavailable(String),
    /// Nothing happened: there were too many requests. Worth another try, later.
    #[error("{0} takes no more requests for now")]
    RateLimited(String),
    /// No answer came; whether it happened is unknown. Worth another try with the same idempotency key.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The request is understood and will never be done.
    #[error("{0}")]
    Rejected(String),
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable { system } => Self::Unavailable(system.into()),
            CallError::RateLimited { system } => Self::RateLimited(system.into()),
            CallError::Timeout { system } => Self::Timeout(system.into()),
            CallError::Rejected(rejected) => Self::Rejected(rejected.reason),
        }
    }
}
