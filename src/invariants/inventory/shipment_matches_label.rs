//! A shipment is labelled if and only if its label stands, once all is quiet.

use serde::Deserialize;

use crate::history::Payload;

use super::super::{Business, Facts, Invariant, Violation};

const NAME: &str = "shipment_matches_label";

/// The object that has a parcel labelled.
pub(super) const SHIPPING: &str = "ShippingService";

pub(super) struct ShipmentMatchesLabel;

/// A shipment, as it is stored and answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shipment {
    label_id: String,
    pub(super) status: String,
}

impl Shipment {
    pub(super) fn parse(payload: &Payload) -> Option<Self> {
        serde_json::from_slice(&payload.0).ok()
    }
}

impl Invariant for ShipmentMatchesLabel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a shipment is labelled if and only if its label stands"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let mut last = std::collections::BTreeMap::new();
        for change in facts.states_of(SHIPPING, "shipment") {
            let shipment = change.value.and_then(Shipment::parse);
            last.insert(change.key, (change.record, shipment));
        }
        for (key, (record, shipment)) in last {
            let Some(shipment) = shipment else { continue };
            if facts.disturbed(SHIPPING, key) {
                continue;
            }
            let by = Business::object(SHIPPING, key);
            let mine = facts.labels().iter().filter(|l| l.by == by && l.cancelled.is_none());
            let stands: Vec<_> = mine.map(|label| label.id).collect();
            let expected: &[&str] =
                if shipment.status == "labelled" { &[&shipment.label_id] } else { &[] };
            if stands == expected {
                continue;
            }
            let with = expected.first().map(|id| format!(" with {id}")).unwrap_or_default();
            let what = if stands.is_empty() { "no label".into() } else { stands.join(", ") };
            let message =
                format!("{key} ends as {}{with}, but {what} of it stands", shipment.status);
            violations.push(Violation::new(NAME, message, vec![record]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::{Story, check},
            labelled_once::tests::labels,
        },
        ShipmentMatchesLabel as It,
    };

    fn ends(s: &mut Story, status: &str, label: &str, made: &[&str]) -> crate::history::Inv {
        let inv = s.begin("ShippingService/o-1/CreateLabel", "{}");
        for id in made {
            labels(s, inv, id);
        }
        let state = format!(r#"{{"shipmentId":"o-1","labelId":"{label}","status":"{status}"}}"#);
        s.set(inv, "shipment", &state);
        inv
    }

    #[test]
    fn a_shipment_that_does_not_fit_its_label_is_told() {
        for (status, label, made, message) in [
            ("labelled", "l", &[][..], "o-1 ends as labelled with l, but no label of it stands"),
            ("labelled", "l", &["k"], "o-1 ends as labelled with l, but k of it stands"),
            ("refused", "", &["k"], "o-1 ends as refused, but k of it stands"),
            ("pending", "", &["k"], "o-1 ends as pending, but k of it stands"),
        ] {
            check(&It, &[message], |s| {
                let inv = ends(s, status, label, made);
                s.done(inv, "{}");
                s.quiet();
            });
        }
    }

    #[test]
    fn what_fits_and_what_was_killed_is_right() {
        for (status, label, made) in
            [("labelled", "l", &["l"][..]), ("refused", "", &[]), ("cancelled", "l", &[])]
        {
            check(&It, &[], |s| {
                let inv = ends(s, status, label, made);
                s.done(inv, "{}");
                s.quiet();
            });
        }
        check(&It, &[], |s| {
            let inv = ends(s, "pending", "", &["l"]);
            s.kill(inv);
            s.quiet();
        });
    }
}
