//! What must hold of payments: `PaymentService`, `PaymentProcessor` with its accounts, and all money that moves at the
//! gateway, for whatever service.
//!
//! Must not know: how the services do it.

use onceproof::oracle::Rule;

mod answers;
mod ended;
mod linearizable;
mod models;
mod money;
mod once;
mod passing;
mod status;
mod view;

pub(super) use once::receipt_as_asked;

/// The oracles of payments, the specific ones first.
pub(super) fn all(billed_as_asked: Rule) -> Vec<Rule> {
    vec![
        ended::expired_never_charges(),
        once::charged_at_most_once(),
        once::charged_as_asked().and(billed_as_asked),
        money::refunds_within_capture(),
        once::refunded_at_most_once(),
        ended::cancelled_holds_no_money(),
        ended::cancelled_never_succeeds(),
        ended::settled_token_expires(),
        status::charge_id_in_ledger(),
        status::status_matches_charge(),
        passing::passing_failure_not_final(),
        money::money_conserved(),
    ]
}

/// The oracles that come after those of all services: they are silent about what a specific one reported.
pub(super) fn general() -> Vec<Rule> {
    vec![
        once::equal_payments_equal_answers(),
        answers::answers_never_contradicted(),
        once::receipt_sent_once(),
        linearizable::objects_linearizable(),
    ]
}
