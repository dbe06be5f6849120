//! An inclusive range of times, of which each run draws one.
//!
//! Must not know: what takes that long.

use serde::{Deserialize, Serialize};

/// An inclusive range of milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Millis {
    /// At least.
    pub from: u64,
    /// At most; not below `from`.
    pub to: u64,
}
