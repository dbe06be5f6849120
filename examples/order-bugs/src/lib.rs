//! Bugs of order: each case is a small service in two variants. The reference is right, and holds in every order; the
//! other is wrong, and shows it in some orders only. Nothing else goes wrong: no scenario has faults.
//!
//! `docs/order-bugs.md` says how many seeds each strategy needs for each of them.

mod case;
mod cases;
mod cells;

pub use case::Case;

use onceproof::subject::{Subject, Variant};
use restate_sdk::prelude::Endpoint;

/// All services, with their bugs, oracles and scenarios.
pub fn subject() -> Subject {
    let subject = Subject::with_variants(|variants, _| {
        let has = |service: &str| variants.is(service, case::WRONG);
        let services = cells::bind(Endpoint::builder());
        onceproof::endpoint!(cases::bind(services, &has).build())
    });
    (1..).zip(cases::ALL).fold(subject, |subject, (class, case)| {
        let rule = (case.rule)();
        let variant = Variant::new(case::WRONG, case.what).class(class, case.title);
        subject
            .variant(case.service, variant.caught_by(case.caught_by))
            .scenario(format!("{}.json", case.service), case.scenario(true))
            .oracle(rule)
    })
}

/// Every case.
#[must_use]
pub fn cases() -> &'static [Case] {
    cases::ALL
}
