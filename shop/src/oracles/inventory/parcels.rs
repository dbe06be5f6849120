//! Oracles of parcels: one label for each shipment, none for a cancelled one, and the one that its state names.
//!
//! Must not know: stock.

use onceproof::{
    base::Name,
    oracle::{Facts, Happened, Rule, agrees, at_most_once, oracle},
};
use serde::Deserialize;

use crate::systems::carrier::{LabelCancelled, Labelled};

/// The object that has a parcel labelled.
const SHIPPING: &str = "ShippingService";

/// A shipment, as it is stored and answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shipment {
    label_id: String,
    status: String,
}

/// The record at which a label was cancelled.
pub(in super::super) fn cancelled_at(
    facts: &Facts<'_>,
    label: &Happened<'_, Labelled>,
) -> Option<usize> {
    let mut cancels = facts.effects::<LabelCancelled>().filter(|c| c.record > label.record);
    cancels.find(|c| c.label == label.label).map(|c| c.record)
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
            let labels = facts.effects_by::<Labelled>(SHIPPING, key);
            let standing = labels.filter(|label| cancelled_at(facts, label).is_none());
            standing.map(|label| label.label.clone()).collect()
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
    use onceproof::{
        history::Inv,
        oracle::testing::{Story, check as judge},
    };

    use super::*;

    fn labels(s: &mut Story, inv: Inv, id: &str) {
        let (parcel, recipient) = ("books".into(), "alice".into());
        s.effect(
            inv,
            "carrier",
            "label",
            Labelled { label: id.into(), parcel, recipient, key: None },
        );
    }

    fn unlabels(s: &mut Story, inv: Inv, id: &str) {
        s.effect(inv, "carrier", "void_label", LabelCancelled { label: id.into() });
    }

    fn begins(s: &mut Story, shipment: &str) -> Inv {
        s.begin(&format!("ShippingService/{shipment}/CreateLabel"), "{}")
    }

    #[test]
    fn a_shipment_has_one_label_at_a_time() {
        let message = "o-1 was labelled twice: lbl_1 at 1.000s, lbl_2 at 2.000s";
        judge(&labelled_once(), &[message], |s| {
            let inv = begins(s, "o-1");
            labels(s.at(1_000), inv, "lbl_1");
            labels(s.at(2_000), inv, "lbl_2");
            // too late: both stood
            unlabels(s, inv, "lbl_1");
        });
        judge(&labelled_once(), &[], |s| {
            let (first, other) = (begins(s, "o-1"), begins(s, "o-2"));
            labels(s, first, "lbl_1");
            labels(s, other, "lbl_2");
            unlabels(s, first, "lbl_1");
            labels(s, first, "lbl_3");
        });
    }

    #[test]
    fn no_label_of_a_cancelled_shipment_stands_or_comes_later() {
        const CANCELLED: &str = r#"{"shipmentId":"o-1","labelId":"","status":"cancelled"}"#;
        const CANCEL: &str = "ShippingService/o-1/CancelLabel";
        let message = "o-1 was answered to be cancelled at 2.000s, but lbl_1 of 1.000s stood";
        judge(&cancelled_ships_nothing(), &[message], |s| {
            let inv = begins(s, "o-1");
            labels(s.at(1_000), inv, "lbl_1");
            s.at(2_000).op(CANCEL, "", CANCELLED);
            // too late: the client has its answer
            unlabels(s.at(3_000), inv, "lbl_1");
        });
        let message = "o-1 was answered to be cancelled at 1.000s, but lbl_1 of 2.000s stood";
        judge(&cancelled_ships_nothing(), &[message], |s| {
            let inv = begins(s, "o-1");
            s.at(1_000).op(CANCEL, "", CANCELLED);
            labels(s.at(2_000), inv, "lbl_1");
        });
        judge(&cancelled_ships_nothing(), &[], |s| {
            let (inv, other) = (begins(s, "o-1"), begins(s, "o-2"));
            labels(s, inv, "lbl_1");
            labels(s, other, "lbl_2");
            unlabels(s, inv, "lbl_1");
            s.op(CANCEL, "", CANCELLED);
        });
    }

    #[test]
    fn a_shipment_fits_its_label_unless_a_kill_touched_it() {
        let ends = |s: &mut Story, status: &str, label: &str, made: &[&str]| {
            let inv = begins(s, "o-1");
            made.iter().for_each(|id| labels(s, inv, id));
            let state = format!(r#"{{"labelId":"{label}","status":"{status}"}}"#);
            s.set(inv, "shipment", &state);
            inv
        };
        for (status, label, made, expect) in [
            (
                "labelled",
                "l",
                &[][..],
                &["o-1 ends as labelled with l, but no label of it stands"][..],
            ),
            ("labelled", "l", &["k"], &["o-1 ends as labelled with l, but k of it stands"]),
            ("refused", "", &["k"], &["o-1 ends as refused, but k of it stands"]),
            ("pending", "", &["k"], &["o-1 ends as pending, but k of it stands"]),
            ("labelled", "l", &["l"], &[]),
            ("refused", "", &[], &[]),
            ("cancelled", "l", &[], &[]),
        ] {
            judge(&shipment_matches_label(), expect, |s| {
                let inv = ends(s, status, label, made);
                s.done(inv, "{}");
                s.quiet();
            });
        }
        judge(&shipment_matches_label(), &[], |s| {
            let inv = ends(s, "pending", "", &["l"]);
            s.kill(inv);
            s.quiet();
        });
    }
}
