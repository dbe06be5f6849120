//! Planted bugs of `OrderService`.

mod checkout_twice;
mod late_failure_downgrades;

pub(in crate::services) use self::{
    checkout_twice::CHECKOUT_TWICE, late_failure_downgrades::LATE_FAILURE_DOWNGRADES,
};
