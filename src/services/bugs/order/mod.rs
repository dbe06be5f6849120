//! Planted bugs of `OrderService`.

mod checkout_twice;
mod created_anew;
mod done_before_parcel;
mod late_failure_downgrades;
mod update_revives;
mod updated_until_shipped;

pub(in crate::services) use self::{
    checkout_twice::CHECKOUT_TWICE, created_anew::CREATED_ANEW,
    done_before_parcel::DONE_BEFORE_PARCEL, late_failure_downgrades::LATE_FAILURE_DOWNGRADES,
    update_revives::UPDATE_REVIVES, updated_until_shipped::UPDATED_UNTIL_SHIPPED,
};
