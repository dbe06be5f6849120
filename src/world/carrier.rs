//! The simulated carrier: idempotency keys, labels made and cancelled, and its ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    LabelRequest, WorldError,
    line::{Answer, Reply, Request},
};
use crate::{
    base::Name,
    history::{Effect, Event, History},
};

/// What is stored under an idempotency key.
#[derive(Clone, Debug)]
enum Keyed {
    Label(LabelRequest, Name),
    Voided(Option<Name>),
}

/// The carrier: a pure state machine over [`Request`]s.
#[derive(Clone, Debug)]
pub(crate) struct CarrierDesk {
    undeliverable: BTreeSet<String>,
    /// Each label, and whether its parcel will leave.
    labels: BTreeMap<Name, bool>,
    keys: BTreeMap<String, Keyed>,
}

impl CarrierDesk {
    /// A carrier that has shipped nothing, and does not deliver to these recipients.
    pub(crate) fn new(undeliverable: BTreeSet<String>) -> Self {
        Self { undeliverable, labels: BTreeMap::new(), keys: BTreeMap::new() }
    }

    /// Does what `request` asks. Returns what really happened, and the answer to give.
    pub(crate) fn apply(&mut self, request: &Request) -> (Vec<Effect>, Answer) {
        match request {
            Request::Label(request) => self.label(request),
            Request::CancelLabel(label) => self.cancel(label),
            Request::VoidLabel(key) => self.void(key),
            _ => unreachable!("only the carrier's own operations come here"),
        }
    }

    fn label(&mut self, request: &LabelRequest) -> (Vec<Effect>, Answer) {
        let key: Option<Name> = request.idempotency_key.as_deref().map(Into::into);
        let stored = request.idempotency_key.as_ref().and_then(|k| self.keys.get(k));
        match stored {
            Some(Keyed::Label(first, label)) if first == request => {
                let key = key.expect("a stored label was found by its key");
                let effect = Effect::LabelRepeated { label: label.clone(), key };
                return (vec![effect], Ok(Reply::Label(label.to_string())));
            }
            Some(Keyed::Label(..)) => {
                return rejected("idempotency key was used with other parameters", key);
            }
            Some(Keyed::Voided(_)) => return rejected("idempotency key was voided", key),
            None => {}
        }
        if self.undeliverable.contains(&request.recipient) {
            return rejected("recipient cannot be reached", key);
        }
        let label: Name = format!("lbl_{}_{}", request.parcel, self.labels.len() + 1).into();
        self.labels.insert(label.clone(), true);
        if let Some(key) = &request.idempotency_key {
            self.keys.insert(key.clone(), Keyed::Label(request.clone(), label.clone()));
        }
        let effect = Effect::Labelled {
            label: label.clone(),
            parcel: request.parcel.as_str().into(),
            recipient: request.recipient.as_str().into(),
            key,
        };
        (vec![effect], Ok(Reply::Label(label.to_string())))
    }

    fn cancel(&mut self, label: &str) -> (Vec<Effect>, Answer) {
        match self.labels.get_mut(label) {
            None => rejected("no such label", None),
            Some(false) => rejected("label is cancelled already", None),
            Some(leaves) => {
                *leaves = false;
                (vec![Effect::LabelCancelled { label: label.into() }], Ok(Reply::CancelLabel))
            }
        }
    }

    fn void(&mut self, key: &str) -> (Vec<Effect>, Answer) {
        let made = match self.keys.get(key) {
            Some(Keyed::Label(_, label)) => Some(label.clone()),
            Some(Keyed::Voided(label)) => label.clone(),
            None => None,
        };
        let mut effects = Vec::with_capacity(2);
        if let Some(label) = &made
            && let Some(leaves) = self.labels.get_mut(label).filter(|leaves| **leaves)
        {
            *leaves = false;
            effects.push(Effect::LabelCancelled { label: label.clone() });
        }
        self.keys.insert(key.to_owned(), Keyed::Voided(made.clone()));
        effects.push(Effect::LabelVoided { key: key.into() });
        (effects, Ok(Reply::VoidLabel(made.map(|label| label.to_string()))))
    }

    /// The second set of books: the ledger must equal the fold of the history's effects.
    ///
    /// # Errors
    /// Says on which label they differ; that is a bug of this crate.
    pub(crate) fn balances_with(&self, history: &History) -> Result<(), String> {
        let mut fold: BTreeMap<Name, bool> = BTreeMap::new();
        for record in history.records() {
            let Event::WorldEffect { effect, .. } = &record.event else { continue };
            match effect {
                Effect::Labelled { label, .. } => drop(fold.insert(label.clone(), true)),
                Effect::LabelCancelled { label } => drop(fold.insert(label.clone(), false)),
                _ => {}
            }
        }
        if fold == self.labels {
            return Ok(());
        }
        let differs =
            self.labels.keys().chain(fold.keys()).find(|l| fold.get(*l) != self.labels.get(*l));
        Err(format!("the carrier's ledger and history differ on {differs:?}"))
    }
}

fn rejected(reason: &str, key: Option<Name>) -> (Vec<Effect>, Answer) {
    let effect = Effect::Rejected { reason: reason.into(), key };
    (vec![effect], Err(WorldError::Rejected(reason.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(parcel: &str, key: Option<&str>) -> Request {
        Request::Label(LabelRequest {
            parcel: parcel.into(),
            recipient: "alice".into(),
            idempotency_key: key.map(Into::into),
        })
    }

    /// Asks for each in turn; `leaving` is how many parcels leave in the end.
    fn check(requests: &[Request], leaving: usize, last: &str) {
        let mut carrier = CarrierDesk::new(BTreeSet::from(["nobody".to_owned()]));
        let mut answer = String::new();
        for request in requests {
            answer = match carrier.apply(request).1 {
                Ok(reply) => format!("{reply:?}"),
                Err(error) => error.to_string(),
            };
        }
        assert_eq!(carrier.labels.values().filter(|leaves| **leaves).count(), leaving);
        assert_eq!(answer, last);
    }

    #[test]
    fn a_parcel_leaves_once_per_key_and_never_under_a_voided_one() {
        let k = Some("k");
        let void = || Request::VoidLabel("k".into());
        let cancel = || Request::CancelLabel("lbl_a_1".into());
        check(&[label("a", None), label("a", None)], 2, "Label(\"lbl_a_2\")");
        check(&[label("a", k), label("a", k)], 1, "Label(\"lbl_a_1\")");
        check(&[label("a", k), label("b", k)], 1, "idempotency key was used with other parameters");
        check(&[void(), label("a", k)], 0, "idempotency key was voided");
        check(&[label("a", k), void(), void()], 0, "VoidLabel(Some(\"lbl_a_1\"))");
        check(&[label("a", k), cancel()], 0, "CancelLabel");
        check(&[label("a", k), cancel(), cancel()], 0, "label is cancelled already");
        check(&[cancel()], 0, "no such label");
        let far = Request::Label(LabelRequest {
            parcel: "a".into(),
            recipient: "nobody".into(),
            idempotency_key: None,
        });
        check(&[far], 0, "recipient cannot be reached");
    }

    #[test]
    fn the_ledger_is_the_fold_of_its_effects() {
        let mut carrier = CarrierDesk::new(BTreeSet::new());
        let mut history = History::new();
        let requests = [label("a", Some("k")), label("b", None), Request::VoidLabel("k".into())];
        for (call, request) in (0..).zip(&requests) {
            for effect in carrier.apply(request).0 {
                let call = crate::history::CallId(call);
                history.push(crate::base::VirtualTime::ZERO, Event::WorldEffect { call, effect });
            }
        }
        assert_eq!(carrier.balances_with(&history), Ok(()));
        drop(carrier.apply(&label("c", None)));
        assert!(carrier.balances_with(&history).is_err());
    }
}
