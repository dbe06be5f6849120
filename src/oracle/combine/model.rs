//! What an object of a service may answer, as a sequential specification.
//!
//! Must not know: how an order is searched for, any service.

use crate::oracle::{Facts, Invocation};

/// A sequential specification of an object: what each operation may answer, one after the other.
pub trait Model: 'static {
    /// What is remembered between operations.
    type State: Clone + Ord;
    /// An operation with what it answered; it may borrow from the history.
    type Op<'h>;

    /// What the object `key` is before its first operation; none if it is not to be judged.
    fn opening(facts: &Facts<'_>, key: &str) -> Option<Self::State>;

    /// What an invocation asked and answered; none if it has no part in it. One that was killed or is not over may
    /// have happened or not.
    fn operation<'h>(facts: &Facts<'h>, invocation: &Invocation<'h>) -> Option<Self::Op<'h>>;

    /// True if the answer of a shared handler is a state that only exists in the middle of an exclusive one. Restate
    /// shows it such states, so it is left out if one ran at that time.
    fn is_midway(invocation: &Invocation<'_>) -> bool {
        let _ = invocation;
        false
    }

    /// Appends every state that `op` can lead to from `state`; none if it cannot answer that there.
    fn step(state: &Self::State, op: &Self::Op<'_>, next: &mut Vec<Self::State>);
}
