//! Systems where nothing is controlled: a scope can be entered, and changes nothing.
//!
//! Must not know: the simulation.

/// Std's hash keys are not looked for here.
pub(super) const fn replace_hash_keys(_keys: [u64; 2]) -> Option<[u64; 2]> {
    None
}

/// Std's hash keys are not looked for here.
pub(super) const fn hash_keys_found() -> bool {
    false
}

/// No C function is defined here.
pub(super) const fn entropy_symbol_is_ours() -> bool {
    false
}

/// Tokio's generator is not looked for here.
pub(super) const fn replace_select_rng(_state: [u32; 2]) -> Option<[u32; 2]> {
    None
}

/// Tokio's generator is not looked for here.
pub(super) const fn select_rng_found() -> bool {
    false
}
