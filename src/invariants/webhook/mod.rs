//! Oracles of webhooks.
//!
//! Must not know: the engine, the world's state, how a report looks.

use super::Invariant;

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[];
