//! An effect on the world happens once for each business key, operation and `ctx.run`.
//!
//! It counts what cannot be undone: charges, refunds that were asked for, and emails. Voids are left
//! out, since doing one twice does it once; a charge that was voided is not counted either. Because
//! it is general, it stays silent about records that a specific invariant before it points at
//! (`charged_at_most_once`, `refunded_at_most_once`).

use super::{Business, Facts, Invariant, Violation, already_shown, times};

const NAME: &str = "effect_at_most_once";

pub(super) struct EffectAtMostOnce;

impl Invariant for EffectAtMostOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no charge, refund or email happens twice for one business key and run"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let mut effects = effects(facts);
        if effects.len() < 2 {
            return;
        }
        effects.sort_unstable();
        for group in effects.chunk_by(|a, b| a.key() == b.key()) {
            if group.len() < 2 {
                continue;
            }
            let records: Vec<_> = group.iter().map(|e| e.record).collect();
            if already_shown(violations, &records) {
                continue;
            }
            let list: Vec<_> =
                group.iter().map(|e| format!("{} at {}", e.id, facts.at(e.record))).collect();
            let what = group[0].what;
            let message =
                format!("{} {what} {}: {}", group[0].by, times(group.len()), list.join(", "));
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Happened<'h> {
    by: Business<'h>,
    /// A verb: `was charged`.
    what: &'static str,
    /// To whom, and the run's name.
    detail: (&'h str, Option<&'h str>),
    record: usize,
    id: &'h str,
}

impl<'h> Happened<'h> {
    fn key(&self) -> (Business<'h>, &'static str, (&'h str, Option<&'h str>)) {
        (self.by, self.what, self.detail)
    }
}

fn effects<'h>(facts: &Facts<'h>) -> Vec<Happened<'h>> {
    let mails = facts.mails().iter().map(|m| Happened {
        by: m.by,
        what: "sent an email",
        detail: (m.recipient, m.run),
        record: m.record,
        id: m.message,
    });
    let charges = facts.charges().iter().filter(|c| c.voided.is_none()).map(|c| Happened {
        by: c.by,
        what: "was charged",
        detail: ("", c.run),
        record: c.record,
        id: c.id,
    });
    let refunds = facts.refunds().iter().filter(|r| !r.void).map(|r| Happened {
        by: r.by,
        what: "was refunded",
        detail: (r.charge, r.run),
        record: r.record,
        id: r.id,
    });
    mails.chain(charges).chain(refunds).collect()
}

#[cfg(test)]
mod tests {
    use crate::history::Effect;

    use super::{
        super::testing::{Story, check},
        super::{Invariant, Verdict, by_name, judge},
        EffectAtMostOnce as It,
    };

    #[test]
    fn a_second_email_of_one_object_to_one_person_is_told() {
        check(&It, &["p sent an email twice: msg_1 at 1.000s, msg_2 at 2.000s"], |s| {
            let inv = s.begin("PaymentService/p/CreatePayment", "{}");
            s.at(1_000).mail(inv, "msg_1", "alice");
            let again = s.begin("PaymentService/p/CreatePayment", "{}");
            s.at(2_000).mail(again, "msg_2", "alice");
        });
    }

    #[test]
    fn other_objects_recipients_repeats_and_voids_are_right() {
        check(&It, &[], |s| {
            let a = s.pays("a", "ch_1", 100);
            s.pays("b", "ch_2", 100);
            s.mail(a, "msg_3", "bob");
            let repeated = Effect::MailRepeated { message: "msg_3".into(), key: "k".into() };
            s.world(a, "send", &[repeated]);
            s.world(a, "void", &[Effect::Voided { key: "a".into() }]);
            s.world(a, "void", &[Effect::Voided { key: "a".into() }]);
        });
    }

    #[test]
    fn what_a_specific_invariant_told_is_not_told_again() {
        let mut story = Story::new();
        let inv = story.begin("PaymentService/p/CreatePayment", "{}");
        story.charge(inv, "ch_1", 100);
        story.charge(inv, "ch_2", 100);
        story.quiet();
        let names = |invariants: &[&dyn Invariant]| match judge(story.history(), invariants) {
            Verdict::Violated(found) => found.into_iter().map(|v| v.invariant).collect(),
            _ => Vec::new(),
        };
        assert_eq!(names(&[&It]), ["effect_at_most_once"]);
        let charged = by_name("charged_at_most_once").expect("built in");
        assert_eq!(names(&[charged, &It]), ["charged_at_most_once"]);
    }
}
