//! Planted bugs of `OrderOrchestrator`.

mod approve_overwrites_cancel;
mod calls_itself;
mod completed_too_early;
mod error_leaves_steps;
mod gives_up_label;
mod registered_after_step;
mod sale_as_undo;
mod sale_refusal_swallowed;
mod tries_once_more;
mod undo_failure_swallowed;
mod undone_forwards;

pub(in crate::services) use self::{
    approve_overwrites_cancel::APPROVE_OVERWRITES_CANCEL, calls_itself::CALLS_ITSELF,
    completed_too_early::COMPLETED_TOO_EARLY, error_leaves_steps::ERROR_LEAVES_STEPS,
    gives_up_label::GIVES_UP_LABEL, registered_after_step::REGISTERED_AFTER_STEP,
    sale_as_undo::SALE_AS_UNDO, sale_refusal_swallowed::SALE_REFUSAL_SWALLOWED,
    tries_once_more::TRIES_ONCE_MORE, undo_failure_swallowed::UNDO_FAILURE_SWALLOWED,
    undone_forwards::UNDONE_FORWARDS,
};
