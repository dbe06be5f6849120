//! Planted bugs of `InventoryService`.

mod cancel_loses_stock;
mod check_then_reserve;
mod expiry_forgets_reservation;
mod expiry_restores_again;
mod refused_leaves_record;
mod release_leaves_no_trace;

pub(in crate::services) use self::{
    cancel_loses_stock::CANCEL_LOSES_STOCK, check_then_reserve::CHECK_THEN_RESERVE,
    expiry_forgets_reservation::EXPIRY_FORGETS_RESERVATION,
    expiry_restores_again::EXPIRY_RESTORES_AGAIN, refused_leaves_record::REFUSED_LEAVES_RECORD,
    release_leaves_no_trace::RELEASE_LEAVES_NO_TRACE,
};
