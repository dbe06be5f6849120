//! Why a request, or a handler's message, is refused.
//!
//! Must not know: who asked, and how the answer gets there.

use super::WrongInput;
use crate::{base::Name, history::Outcome, protocol::ProtocolError};

/// Why a message is not obeyed. It is not stored; the attempt is cut off.
pub(super) enum Refusal {
    /// The attempt broke the protocol.
    Violation(String),
    /// It called what does not exist.
    CannotCall(String),
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self::Violation(error.to_string())
    }
}

/// Why a target is not one. The texts are the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotResolve {
    #[error("service '{service}' not found, make sure to register the service before calling it.")]
    NoService { service: Name },
    #[error(
        "the service '{service}' exists, but the handler '{handler}' was not found, check that the \
         handler exists in the latest registered service version."
    )]
    NoHandler { service: Name, handler: Name },
    #[error(
        "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler"
    )]
    BadPath,
    #[error(
        "cannot use the idempotency key with workflow handlers. The handler invocation will already be \
         idempotent by the workflow key itself."
    )]
    KeyOfWorkflow,
    #[error("input validation error: {0}")]
    Input(WrongInput),
}

impl CannotResolve {
    /// The HTTP status code that says it.
    pub(super) const fn code(&self) -> u32 {
        match self {
            Self::NoService { .. } | Self::NoHandler { .. } => 404,
            Self::BadPath | Self::KeyOfWorkflow | Self::Input(_) => 400,
        }
    }
}

impl From<CannotResolve> for Outcome {
    fn from(error: CannotResolve) -> Self {
        Self::Failure { code: error.code(), message: error.to_string() }
    }
}

/// What a second run of a workflow gets.
pub(super) fn already_invoked() -> Outcome {
    Outcome::Failure { code: 409, message: "the workflow method was already invoked".to_owned() }
}
