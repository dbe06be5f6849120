//! The planted bugs: what can be wrong with such services, class by class, and how soon each is found.
//!
//! Must not know: how a table looks, what time it is.

use std::time::Duration;

use include_dir::{Dir, include_dir};

use crate::{
    base::Seed,
    explore::{Campaign, first},
    scenario::{self, plan::Scenario},
    services::{self, Variant},
    subject::{Subject, SubjectError},
};

/// The scenarios that ship with onceproof.
static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// What can be wrong, by class: the first has number 1. Classes 1 to 36 are mistakes that were made elsewhere and
/// reported; those after them show invariants that none of the 36 breaks.
pub static CLASSES: &[&str] = &[
    "charge without an idempotency key",
    "key regenerated for each attempt",
    "same key, other payload",
    "key expired, a late retry charges again",
    "cancelled while queued, the key executes again",
    "a cached failure blocks a good retry",
    "webhook and redirect both complete the payment",
    "a cancel races a settling charge",
    "concurrent refunds exceed the capture",
    "double refund",
    "negative refund accepted",
    "a cancel after completion confuses the refund state",
    "a late failure event downgrades a paid order",
    "webhook before the local record",
    "duplicate webhook applied twice",
    "webhook stored as processed despite an error",
    "email sent twice after an ambiguous timeout",
    "two confirmation paths, two emails",
    "oversell: check, then decrement",
    "stock restored twice",
    "release without a completed reserve",
    "stock gone by the time the payment confirms",
    "stock never restored on cancel",
    "renewal charged twice",
    "compensation skipped on cancellation",
    "compensation registered after the step",
    "compensation before the action, which arrives later",
    "compensation not idempotent, or its failure swallowed",
    "compensations in the wrong order, or a confirm as undo",
    "saga lost update: a cancel overwritten by an approve",
    "saga dirty read",
    "partial state left by a terminal error",
    "nondeterminism on replay",
    "deadlock in a cycle, or a paused head blocks the key",
    "expiry clears the dedup record early",
    "retries exhausted leave half a saga",
    "a cancel forgets the renewal that is already scheduled",
    "proration rounded part by part loses a cent",
    "a renewal that fails is skipped",
    "an email that was refused is recorded as sent",
    "a notification that is asked for again is another email",
    "a resend sends what was sent",
    "a welcome sent before the first charge, which is declined",
    "an order created anew, with another number",
    "a late update revives a cancelled order",
    "an order updated after it was confirmed",
    "an order fulfilled on paper, without its parcel",
    "a webhook believed however old its signature",
    "a restock counted twice",
    "stock and reservations written apart",
    "a reservation answered and never written",
    "an expiry that is cancelled never comes",
    "a label made anew by each attempt",
    "a shipment cancelled while its label is in doubt",
    "a shipment that forgets its label",
    "a poll waits for a wake-up that never comes",
    "an expiry that ends what is sold",
    "a receipt mailed again by a retry",
    "an order that failed is tried again after it was undone",
];

/// A planted bug, and the scenario that finds it; or a class that no planted bug shows yet.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// The number of its class, from 1.
    pub class: u8,
    /// The service and its variant; none if the class has none yet.
    pub bug: Option<(&'static str, &'static Variant)>,
}

impl Planted {
    /// What is wrong, for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        CLASSES[usize::from(self.class) - 1]
    }
}

/// How a hunt for one planted bug went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hunt {
    /// It was found.
    Found {
        /// The seed that showed it.
        seed: Seed,
        /// How many seeds were run for it, that one included.
        seeds: u64,
        /// How long that took.
        elapsed: Duration,
        /// What else did not hold in that run.
        also: Vec<&'static str>,
    },
    /// The budget was used up.
    NotFound {
        /// How many seeds were run.
        seeds: u64,
        /// How long that took.
        elapsed: Duration,
    },
    /// No invariant catches it yet, or there is no such planted bug.
    Missed,
}

/// Every planted bug by class; a class without one is there too.
#[must_use]
pub fn all() -> Vec<Planted> {
    let mut all = Vec::new();
    for class in 1..=u8::try_from(CLASSES.len()).expect("few") {
        let variants =
            services::shipped().iter().flat_map(|s| s.variants.iter().map(move |v| (s.name, v)));
        let before = all.len();
        all.extend(
            variants
                .filter(|(_, variant)| variant.class == Some(class))
                .map(|bug| Planted { class, bug: Some(bug) }),
        );
        if all.len() == before {
            all.push(Planted { class, bug: None });
        }
    }
    all
}

/// Why a planted bug cannot be hunted.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// The services cannot be simulated.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// There is no scenario that runs it.
    #[error("no shipped scenario runs the variant `{variant}` of {service}")]
    NoScenario {
        /// The service.
        service: &'static str,
        /// The variant.
        variant: &'static str,
    },
}

/// The shipped scenario that runs this planted bug, with the stem of its file.
///
/// # Errors
/// If there is none.
pub fn scenario_of(
    subject: &Subject,
    service: &'static str,
    variant: &'static str,
) -> Result<(String, Scenario), HuntError> {
    let known = subject.known()?;
    let mut files: Vec<_> = SCENARIOS.files().collect();
    files.sort_by_key(|file| file.path());
    for file in files {
        let Some(text) = file.contents_utf8().filter(|text| text.contains(variant)) else {
            continue;
        };
        let name = file.path().display().to_string();
        let Ok(scenario) = scenario::parse(&name, text, &known) else { continue };
        let runs_it = scenario.plan.services.get(service).is_some_and(|v| v == variant);
        if runs_it && scenario.must_violate.is_some() {
            return Ok((name.trim_end_matches(".json").to_owned(), scenario));
        }
    }
    Err(HuntError::NoScenario { service, variant })
}

/// Runs the scenario of a planted bug, seed by seed, until its invariant catches it or the scenario's `runs`,
/// its published budget, are used up. `since` says how long it is since the call.
///
/// # Errors
/// If there is no scenario for it, or its services cannot be simulated.
pub fn hunt(
    subject: &Subject,
    planted: Planted,
    stop: &(dyn Fn() -> bool + Sync),
    since: impl Fn() -> Duration,
) -> Result<Hunt, HuntError> {
    let Some((service, variant)) = planted.bug else { return Ok(Hunt::Missed) };
    let Some(wanted) = variant.caught_by else { return Ok(Hunt::Missed) };
    let (_, scenario) = scenario_of(subject, service, variant.name)?;
    let deployment = subject.deployment(&scenario.plan.services)?;
    let before = since();
    let campaign = Campaign {
        deployment: &deployment,
        scenario: &scenario,
        invariants: &subject.invariants_of(&scenario),
        seeds: 0..scenario.runs,
        jobs: 1,
        stop,
        progress: &|| {},
    };
    let (seeds, found) = first(&campaign, wanted);
    let elapsed = since().saturating_sub(before);
    Ok(match found {
        None => Hunt::NotFound { seeds, elapsed },
        Some((seed, violations)) => {
            let mut also: Vec<_> =
                violations.iter().map(|v| v.invariant).filter(|name| *name != wanted).collect();
            also.dedup();
            Hunt::Found { seed, seeds, elapsed, also }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_there_in_order() {
        let classes: Vec<_> = all().iter().map(|planted| planted.class).collect();
        assert!(classes.is_sorted());
        assert!((1..=36).all(|class| classes.contains(&class)));
        assert!(all().len() >= CLASSES.len());
        for planted in all() {
            assert!(!planted.title().is_empty());
        }
    }

    #[test]
    fn a_hunt_ends_with_the_first_seed_that_shows_the_bug() {
        let subject = Subject::reference();
        let class_1 = all()[0];
        let hunted = hunt(&subject, class_1, &|| false, || Duration::ZERO);
        let Ok(Hunt::Found { seed, seeds, also, .. }) = hunted else { panic!("{hunted:?}") };
        assert_eq!((seed, seeds), (Seed(2), 3));
        assert!(also.contains(&"money_conserved") || also.is_empty(), "{also:?}");
        let stopped = hunt(&subject, class_1, &|| true, || Duration::ZERO);
        assert!(matches!(stopped, Ok(Hunt::NotFound { seeds: 0, .. })), "{stopped:?}");
    }

    #[test]
    fn a_bug_without_a_scenario_is_named() {
        let missing = scenario_of(&Subject::reference(), "PaymentService", "no-such-bug");
        let message = "no shipped scenario runs the variant `no-such-bug` of PaymentService";
        assert_eq!(missing.expect_err("there is none").to_string(), message);
    }
}
