//! Oracles of parcels: one label for each shipment, none for a cancelled one, and the one that its state names.
//!
//! Must not know: stock.

use onceproof::{
    base::Name,
    oracle::{Happened, Rule, agrees, as_asked, at_most_once, oracle},
};
use serde::Deserialize;

use crate::{
    oracles::world::{cancelled_at, standing},
    systems::carrier::Labelled,
};

/// The object that has a parcel labelled.
const SHIPPING: &str = "ShippingService";

/// A shipment, as it is stored and answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shipment {
    label_id: String,
    status: String,
}

/// A parcel goes to whom it was asked for, under the name that it was asked for by.
pub(in super::super) fn labelled_as_asked() -> Rule {
    #[derive(Deserialize)]
    struct Asked {
        recipient: String,
        parcel: Option<String>,
    }
    as_asked(SHIPPING, |label: &Happened<'_, Labelled>, asked: &Asked| {
        let parcel = asked.parcel.as_deref().unwrap_or(label.key());
        *label.recipient == *asked.recipient && *label.parcel == *parcel
    })
    .say(|u| {
        let (key, at, Labelled { label, parcel, recipient, .. }) =
            (u.effect.key(), u.effect.at, u.effect.effect);
        let asked: Vec<_> = u.asked.iter().map(|asked| asked.recipient.as_str()).collect();
        let asked = asked.join(" or ");
        format!(
            "{key} sends {parcel} to {recipient} with {label} at {at}, but was asked for {asked}"
        )
    })
}

/// One parcel for each shipment: never two labels that both stand.
pub(super) fn labelled_once() -> Rule {
    at_most_once::<Labelled>()
        .undone_at(cancelled_at)
        .say(|g| format!("{} was labelled {}: {}", g.key, g.times(), g.list(|l| &l.label)))
        .named("labelled_once")
        .summary("no shipment has two labels at once")
}

/// Nothing leaves for a cancelled shipment: the client that was answered that it is cancelled will not look again.
pub(super) fn cancelled_ships_nothing() -> Rule {
    let summary = "a cancelled shipment has no label that stands";
    oracle("cancelled_ships_nothing", summary, |facts, report| {
        for cancel in facts.invocations_of(SHIPPING) {
            let (_, key) = cancel.object();
            let Some((record, _)) = cancel.answer() else { continue };
            let answer = cancel.answer_as::<Shipment>();
            if answer.is_none_or(|shipment| shipment.status != "cancelled") {
                continue;
            }
            let mut labels = facts.effects_by::<Labelled>(SHIPPING, key);
            let stood = labels.find(|l| cancelled_at(facts, l).is_none_or(|at| at > record));
            if let Some(label) = stood {
                let message = format!(
                    "{key} was answered to be cancelled at {}, but {} of {} stood",
                    facts.at(record),
                    label.label,
                    label.at
                );
                report.violation(message, [record, label.record]);
                return;
            }
        }
    })
}

/// A shipment is labelled if and only if its label stands, once the run is at rest.
pub(super) fn shipment_matches_label() -> Rule {
    agrees(
        SHIPPING,
        "shipment",
        |shipment: &Shipment| {
            let labelled =
                (shipment.status == "labelled").then(|| shipment.label_id.as_str().into());
            labelled.into_iter().collect::<Vec<Name>>()
        },
        |facts, key| {
            let own = standing(facts).filter(|label| label.is_by(SHIPPING, key));
            own.map(|label| label.label.clone()).collect()
        },
    )
    .say(|d| {
        let last = d.facts.last_state(SHIPPING, d.key, "shipment");
        let status = last.and_then(|last| last.field("status")?.as_str()).unwrap_or_default();
        let with = d.stated.first().map(|id| format!(" with {id}")).unwrap_or_default();
        let what = if d.actual.is_empty() { "no label".into() } else { d.actual.join(", ") };
        format!("{} ends as {status}{with}, but {what} of it stands", d.key)
    })
    .named("shipment_matches_label")
    .summary("a shipment is labelled if and only if its label stands")
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    fn begins(s: &mut Story) -> Inv {
        s.begin("ShippingService/o-1/CreateLabel", r#"{"recipient":"cust-alice"}"#)
    }

    #[test]
    fn a_parcel_goes_to_whom_it_was_asked_for() {
        let went = "o-1 sends books to cust-alice with lbl_1 at 0.000s, but was asked for";
        for (recipient, parcel, asked) in [
            ("cust-alice", "books", ""),
            ("bob", "books", " bob"),
            ("cust-alice", "shoes", " cust-alice"),
        ] {
            let message = format!("{went}{asked}");
            judge_if(asked.is_empty(), &labelled_as_asked(), &message, |s| {
                let asked = format!(r#"{{"recipient":"{recipient}","parcel":"{parcel}"}}"#);
                let inv = s.begin("ShippingService/o-1/CreateLabel", &asked);
                label(s, inv, "lbl_1", "books");
            });
        }
    }

    #[test]
    fn a_label_that_is_cancelled_too_late_is_one_too_many_and_one_that_comes_later_too() {
        check(
            &labelled_once(),
            &["o-1 was labelled twice: lbl_1 at 1.000s, lbl_2 at 2.000s"],
            |s| {
                let inv = begins(s);
                label(s.at(1_000), inv, "lbl_1", "o-1");
                label(s.at(2_000), inv, "lbl_2", "o-1");
                unlabel(s, inv, "lbl_1");
            },
        );
        for (labelled, unlabelled, expect) in
            [(1_000, 3_000, "1.000"), (3_000, 4_000, "3.000"), (1_000, 1_000, "")]
        {
            let message =
                format!("o-1 was answered to be cancelled at 2.000s, but lbl_1 of {expect}s stood");
            judge_if(expect.is_empty(), &cancelled_ships_nothing(), &message, |s| {
                let inv = begins(s);
                for second in 1..5 {
                    s.at(second * 1_000);
                    if labelled == second * 1_000 {
                        label(s, inv, "lbl_1", "o-1");
                    }
                    if unlabelled == second * 1_000 {
                        unlabel(s, inv, "lbl_1");
                    }
                    if second == 2 {
                        s.op(
                            "ShippingService/o-1/CancelLabel",
                            "",
                            r#"{"labelId":"","status":"cancelled"}"#,
                        );
                    }
                }
            });
        }
    }

    #[test]
    fn a_shipment_fits_its_label_unless_a_kill_touched_it() {
        for (status, label_id, made, wrong) in [
            ("labelled", "l", &[][..], "labelled with l, but no label"),
            ("labelled", "l", &["k"], "labelled with l, but k"),
            ("refused", "", &["k"], "refused, but k"),
            ("labelled", "l", &["l"], ""),
            ("refused", "", &[], ""),
            ("killed", "", &["l"], ""),
        ] {
            let message = format!("o-1 ends as {wrong} of it stands");
            judge_if(wrong.is_empty(), &shipment_matches_label(), &message, |s| {
                let inv = begins(s);
                made.iter().for_each(|id| label(s, inv, id, "o-1"));
                s.set(
                    inv,
                    "shipment",
                    &format!(r#"{{"labelId":"{label_id}","status":"{status}"}}"#),
                );
                if status == "killed" {
                    s.kill(inv);
                } else {
                    s.done(inv, "{}");
                }
                s.quiet();
            });
        }
    }
}
