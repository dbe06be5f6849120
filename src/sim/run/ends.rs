//! How time passes.
//!
//! Must not know: what makes it.

/// What came of letting time pass.
pub(super) enum Advance {
    Happened,
    Quiet,
    TooLate,
}
