//! Oracles: a history in, a verdict out.
//!
//! Each oracle is a pure function of the [`Facts`] of one run, in a file of its own. A crate that
//! tests its own services implements [`Invariant`] for theirs and passes them to [`judge`] beside
//! those of [`all`].
//!
//! A killed invocation may leave work half done, and no service can help it. So what speaks of
//! completeness (status, conservation, money given back) leaves out the objects that a kill touched
//! ([`Facts::disturbed`]); what speaks of harm (charged twice, refunded twice) does not.
//!
//! Must not know: the engine, the world's state, how a report looks.

use serde::Serialize;

use crate::history::{End, History};

mod answers_never_contradicted;
mod body;
mod cancelled_holds_no_money;
mod cancelled_never_succeeds;
mod charge_id_in_ledger;
mod charged_at_most_once;
mod effect_at_most_once;
mod email;
mod equal_requests_equal_answers;
mod expired_never_charges;
mod facts;
mod inventory;
mod invocations_complete;
mod linearize;
mod models;
mod money_conserved;
mod no_journal_mismatch;
mod nothing_stuck;
mod objects_linearizable;
mod order;
mod passing_failure_not_final;
mod refunded_at_most_once;
mod refunds_within_capture;
mod saga;
mod status_matches_charge;
mod subscription;
#[cfg(test)]
mod testing;
mod views;
mod webhook;

pub use saga::left_behind;

pub use facts::{
    Business, Charge, Facts, Invocation, Label, Mail, Refund, Request, StateChange, WorldCall,
};

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What happened, in the domain's words:
    /// `payment-001 was charged twice: ch_1 at 3.100s, ch_2 at 9.884s`.
    pub message: String,
    /// The indices of the records that show it, in order.
    pub records: Vec<usize>,
}

impl Violation {
    /// A violation; `records` may come in any order and repeat.
    #[must_use]
    pub fn new(invariant: &'static str, message: String, mut records: Vec<usize>) -> Self {
        records.sort_unstable();
        records.dedup();
        Self { invariant, message, records }
    }
}

/// Something that must hold in every history.
pub trait Invariant: Send + Sync {
    /// Its name in scenario files and reports: `charged_at_most_once`.
    fn name(&self) -> &'static str;

    /// One line for people.
    fn summary(&self) -> &'static str;

    /// True if it speaks only of a run that came to rest; such an invariant is not judged when a
    /// bound ended the run.
    fn needs_rest(&self) -> bool {
        false
    }

    /// Appends what did not hold, given the facts of a whole run. `violations` holds what the
    /// invariants before this one found: a general one can stay silent about what a specific one said.
    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>);
}

/// What is to be said of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything held, to the end.
    Held,
    /// Something did not hold, in the order of the invariants.
    Violated(Vec<Violation>),
    /// Nothing was violated, but a bound ended the run before it came to rest.
    Inconclusive {
        /// The bound's name, as in a scenario's `bounds`; `end` if the history has no end.
        bound: &'static str,
        /// Its value.
        limit: u64,
    },
}

/// Every built-in invariant; the specific ones come before the general ones that overlap with them.
#[must_use]
pub fn all() -> Vec<&'static dyn Invariant> {
    let payments: [&'static dyn Invariant; 10] = [
        &expired_never_charges::ExpiredNeverCharges,
        &charged_at_most_once::ChargedAtMostOnce,
        &refunds_within_capture::RefundsWithinCapture,
        &refunded_at_most_once::RefundedAtMostOnce,
        &cancelled_holds_no_money::CancelledHoldsNoMoney,
        &cancelled_never_succeeds::CancelledNeverSucceeds,
        &charge_id_in_ledger::ChargeIdInLedger,
        &status_matches_charge::StatusMatchesCharge,
        &passing_failure_not_final::PassingFailureNotFinal,
        &money_conserved::MoneyConserved,
    ];
    let families =
        [order::ALL, email::ALL, inventory::ALL, subscription::ALL, webhook::ALL, saga::ALL];
    let any_service: [&'static dyn Invariant; 7] = [
        &effect_at_most_once::EffectAtMostOnce,
        &no_journal_mismatch::NoJournalMismatch,
        &nothing_stuck::NothingStuck,
        &invocations_complete::InvocationsComplete,
        &equal_requests_equal_answers::EqualRequestsEqualAnswers,
        &answers_never_contradicted::AnswersNeverContradicted,
        &objects_linearizable::ObjectsLinearizable,
    ];
    let families = families.into_iter().flatten().copied();
    payments.into_iter().chain(families).chain(any_service).collect()
}

/// The built-in invariant of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Invariant> {
    all().into_iter().find(|invariant| invariant.name() == name)
}

/// Judges a run. A violation wins over a reached bound: what went wrong did go wrong.
#[must_use]
pub fn judge(history: &History, invariants: &[&dyn Invariant]) -> Verdict {
    let facts = Facts::of(history);
    let mut violations = Vec::new();
    for invariant in invariants {
        if facts.at_rest() || !invariant.needs_rest() {
            invariant.check(&facts, &mut violations);
        }
    }
    if !violations.is_empty() {
        return Verdict::Violated(violations);
    }
    match facts.end() {
        Some(End::Quiet) => Verdict::Held,
        Some(&End::Bound { name, limit }) => Verdict::Inconclusive { bound: name, limit },
        None => Verdict::Inconclusive { bound: "end", limit: 0 },
    }
}

/// `twice`, `3 times`.
fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}

/// True if one of `violations` already points at all of `records`.
fn already_shown(violations: &[Violation], records: &[usize]) -> bool {
    violations.iter().any(|v| records.iter().all(|r| v.records.contains(r)))
}

#[cfg(test)]
mod tests {
    use crate::history::Event;

    use super::{
        testing::{Story, answered, payment},
        *,
    };

    fn single_payment() -> Story {
        let mut story = Story::new();
        story.pays("payment-001", "ch_1", 10_000);
        story
    }

    #[test]
    fn every_invariant_has_a_name_of_its_own_and_is_found_by_it() {
        let names: Vec<_> = all().iter().map(|i| i.name()).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name} twice");
            let found = by_name(name).expect("listed");
            assert_eq!(found.name(), *name);
            assert!(!found.summary().is_empty());
        }
        assert!(by_name("no_such").is_none());
    }

    #[test]
    fn a_verdict_is_held_only_if_the_run_came_to_rest() {
        let mut story = single_payment();
        assert_eq!(
            judge(story.history(), &all()),
            Verdict::Inconclusive { bound: "end", limit: 0 }
        );
        story.quiet();
        assert_eq!(judge(story.history(), &all()), Verdict::Held);
    }

    #[test]
    fn a_bound_makes_a_run_inconclusive_unless_something_was_violated() {
        let bound = || Event::Ended { end: End::Bound { name: "events", limit: 7 } };
        let mut story = single_payment();
        // Not over, which is no violation when a bound cut it off.
        story.begin("PaymentService/payment-002/CreatePayment", "{}");
        story.push(bound());
        let inconclusive = Verdict::Inconclusive { bound: "events", limit: 7 };
        assert_eq!(judge(story.history(), &all()), inconclusive);

        let mut story = single_payment();
        let inv = story.begin("PaymentService/payment-001/CreatePayment", "{}");
        story.charge(inv, "ch_2", 10_000);
        story.push(bound());
        let Verdict::Violated(found) = judge(story.history(), &all()) else {
            panic!("charged twice");
        };
        assert_eq!(found[0].invariant, "charged_at_most_once");
    }

    #[test]
    fn an_invariant_of_a_users_own_is_judged_like_the_others() {
        struct NoMail;
        impl Invariant for NoMail {
            fn name(&self) -> &'static str {
                "no_mail"
            }
            fn summary(&self) -> &'static str {
                "nobody is written to"
            }
            fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
                for mail in facts.mails() {
                    let message = format!("{} got {}", mail.recipient, mail.message);
                    violations.push(Violation::new("no_mail", message, vec![mail.record]));
                }
            }
        }
        let mut story = single_payment();
        story.quiet();
        let Verdict::Violated(found) = judge(story.history(), &[&NoMail]) else {
            panic!("an email was sent");
        };
        assert_eq!(found[0].message, "cust-alice got msg_ch_1");
    }

    #[test]
    fn one_double_charge_in_a_whole_run_is_told_in_one_sentence_first() {
        let mut story = Story::new();
        let inv = story.begin("PaymentService/payment-001/CreatePayment", "{}");
        story.set(inv, "payment", &payment(100, "pending", ""));
        story.at(3_100).charge(inv, "ch_1", 100);
        story.at(9_884).charge(inv, "ch_2", 100);
        story.set(inv, "payment", &payment(100, "completed", "ch_2"));
        story.done(inv, &answered("completed", "ch_2"));
        story.quiet();
        let Verdict::Violated(found) = judge(story.history(), &all()) else {
            panic!("charged twice");
        };
        let message = "payment-001 was charged twice: ch_1 at 3.100s, ch_2 at 9.884s";
        assert_eq!(found[0].message, message);
        let names: Vec<_> = found.iter().map(|v| v.invariant).collect();
        assert_eq!(names, ["charged_at_most_once", "status_matches_charge", "money_conserved"]);
    }
}
