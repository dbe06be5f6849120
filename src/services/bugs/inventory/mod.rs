//! Planted bugs of `InventoryService` and `ShippingService`.

mod answered_before_booked;
mod cancel_forgets_label;
mod cancel_loses_stock;
mod cancel_trusts_pending;
mod cancelled_expiry;
mod check_then_reserve;
mod counted_before_booked;
mod expiry_ends_sale;
mod expiry_forgets_reservation;
mod expiry_restores_again;
mod label_without_key;
mod refused_leaves_record;
mod release_leaves_no_trace;
mod restock_remembers_last;

pub(in crate::services) use self::{
    answered_before_booked::ANSWERED_BEFORE_BOOKED, cancel_forgets_label::CANCEL_FORGETS_LABEL,
    cancel_loses_stock::CANCEL_LOSES_STOCK, cancel_trusts_pending::CANCEL_TRUSTS_PENDING,
    cancelled_expiry::CANCELLED_EXPIRY, check_then_reserve::CHECK_THEN_RESERVE,
    counted_before_booked::COUNTED_BEFORE_BOOKED, expiry_ends_sale::EXPIRY_ENDS_SALE,
    expiry_forgets_reservation::EXPIRY_FORGETS_RESERVATION,
    expiry_restores_again::EXPIRY_RESTORES_AGAIN, label_without_key::LABEL_WITHOUT_KEY,
    refused_leaves_record::REFUSED_LEAVES_RECORD, release_leaves_no_trace::RELEASE_LEAVES_NO_TRACE,
    restock_remembers_last::RESTOCK_REMEMBERS_LAST,
};
