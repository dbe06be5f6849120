//! Who waits for the end of an invocation.
//!
//! Must not know: how each of them gets the answer.

use super::Ticket;
use crate::history::Inv;

/// Who waits for the end of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A client.
    Client(Ticket),
    /// A handler's call: the completion with this id.
    Call(Inv, u32),
    /// A handler's call that it cancelled: the completion with this id.
    Cancelled(Inv, u32),
    /// A handler that attached: the completion with this id.
    Attached(Inv, u32),
}
