//! The carrier that ships parcels: what services ask of it, and the simulated one with idempotency keys, labels
//! made and cancelled, and its ledger.
//!
//! Must not know: services.

use std::collections::{BTreeMap, BTreeSet};

use onceproof::{
    base::Name,
    history::{Change, Effect, EffectRecord},
    system::{Connection, Context, Rejected, System},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiFuture;

/// A request for a shipping label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LabelRequest {
    /// What is shipped, as the sender calls it.
    pub parcel: String,
    /// The recipient.
    pub recipient: String,
    /// Repeating a request with the same key gives the first label.
    pub idempotency_key: Option<String>,
}

/// A carrier that ships parcels.
pub trait Carrier: Send + Sync {
    /// Makes a shipping label; answers with its id: `lbl_...`.
    ///
    /// # Errors
    /// [`ApiError::Rejected`](super::ApiError::Rejected) if the carrier does not deliver there, or if the key was
    /// used with other parameters, or was voided.
    fn label(&self, request: LabelRequest) -> ApiFuture<'_, String>;

    /// Cancels a label.
    ///
    /// # Errors
    /// [`ApiError::Rejected`](super::ApiError::Rejected) if there is no such label, or if it is cancelled already.
    fn cancel_label(&self, label_id: String) -> ApiFuture<'_, ()>;

    /// Cancels what was made under `idempotency_key`, and makes the key unusable: a request under it that arrives
    /// later is rejected. Doing it twice does it once. Answers with the label, if there was one.
    ///
    /// # Errors
    /// None but those of the connection.
    fn void_label(&self, idempotency_key: String) -> ApiFuture<'_, Option<String>>;
}

/// What the simulated carrier can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Make a label.
    Label(LabelRequest),
    /// Cancel the label of this id.
    CancelLabel(String),
    /// Cancel what was made under this key.
    VoidLabel(String),
}

impl Carrier for Connection<ParcelCarrier> {
    fn label(&self, request: LabelRequest) -> ApiFuture<'_, String> {
        let call = self.call(Request::Label(request));
        Box::pin(async { Ok(call.await?.expect("a label was made")) })
    }

    fn cancel_label(&self, label_id: String) -> ApiFuture<'_, ()> {
        let call = self.call(Request::CancelLabel(label_id));
        Box::pin(async { Ok(call.await.map(drop)?) })
    }

    fn void_label(&self, idempotency_key: String) -> ApiFuture<'_, Option<String>> {
        let call = self.call(Request::VoidLabel(idempotency_key));
        Box::pin(async { Ok(call.await?) })
    }
}

/// The carrier made a shipping label: a parcel will leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Labelled {
    /// The carrier's id: `lbl_...`.
    pub label: Name,
    /// What is shipped, as the sender calls it.
    pub parcel: Name,
    /// The recipient.
    pub recipient: Name,
    /// The idempotency key, if the service sent one.
    pub key: Option<Name>,
}

impl Effect for Labelled {
    const KIND: &'static str = "labelled";

    fn text(&self) -> String {
        let Self { label, parcel, recipient, key } = self;
        let key = key.as_ref().map_or_else(String::new, |key| format!(", key {key}"));
        format!("labelled {parcel} for {recipient}: {label}{key}")
    }
}

/// A label was cancelled: its parcel will not leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelCancelled {
    /// The label.
    pub label: Name,
}

impl Effect for LabelCancelled {
    const KIND: &'static str = "label_cancelled";

    fn text(&self) -> String {
        format!("cancelled {}", self.label)
    }
}

/// An idempotency key was withdrawn: no label under it can be made any more. If there was one, a
/// [`LabelCancelled`] of the same call comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelVoided {
    /// The key.
    pub key: Name,
}

impl Effect for LabelVoided {
    const KIND: &'static str = "label_voided";

    fn text(&self) -> String {
        format!("voided key {}", self.key)
    }
}

/// How the carrier behaves when nothing goes wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CarrierConfig {
    /// Recipients that it does not deliver to.
    pub undeliverable: BTreeSet<String>,
}

/// What is stored under an idempotency key.
#[derive(Clone, Debug)]
enum Keyed {
    Label(LabelRequest, String, EffectRecord),
    Voided(Option<String>),
}

/// The simulated carrier.
#[derive(Clone, Debug)]
pub struct ParcelCarrier {
    config: CarrierConfig,
    /// Each label, and whether its parcel will leave.
    labels: BTreeMap<Name, bool>,
    keys: BTreeMap<String, Keyed>,
}

impl System for ParcelCarrier {
    const NAME: &'static str = "carrier";
    const SUMMARY: &'static str = "the carrier that ships parcels";
    const EFFECTS: &'static [&'static str] = &["labelled", "label_cancelled", "label_voided"];
    type Config = CarrierConfig;
    type Request = Request;
    type Response = Option<String>;

    fn new(config: &CarrierConfig) -> Self {
        Self { config: config.clone(), labels: BTreeMap::new(), keys: BTreeMap::new() }
    }

    fn handle(
        &mut self,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<Option<String>, Rejected> {
        match request {
            Request::Label(request) => self.label(request, cx).map(Some),
            Request::CancelLabel(label) => match self.labels.get(label.as_str()) {
                None => Err(Rejected::new("no such label")),
                Some(false) => Err(Rejected::new("label is cancelled already")),
                Some(true) => {
                    self.cancel(label, cx);
                    Ok(None)
                }
            },
            Request::VoidLabel(key) => Ok(self.void(key, cx)),
        }
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        let mut fold: BTreeMap<Name, bool> = BTreeMap::new();
        for effect in effects.iter().filter(|effect| effect.change == Change::Made) {
            if let Some(Labelled { label, .. }) = effect.downcast() {
                fold.insert(label.clone(), true);
            } else if let Some(LabelCancelled { label }) = effect.downcast() {
                fold.insert(label.clone(), false);
            }
        }
        let mut ids = self.labels.keys().chain(fold.keys());
        match ids.find(|id| fold.get(*id) != self.labels.get(*id)) {
            None => Ok(()),
            Some(id) => Err(format!("the ledger and the effects differ on {id}")),
        }
    }
}

impl ParcelCarrier {
    fn label(&mut self, request: &LabelRequest, cx: &mut Context<'_>) -> Result<String, Rejected> {
        let key = request.idempotency_key.as_ref();
        match key.and_then(|key| self.keys.get(key)) {
            Some(Keyed::Label(first, label, effect)) if first == request => {
                cx.repeat(effect);
                return Ok(label.clone());
            }
            Some(Keyed::Label(..)) => {
                return Err(Rejected::new("idempotency key was used with other parameters"));
            }
            Some(Keyed::Voided(_)) => return Err(Rejected::new("idempotency key was voided")),
            None => {}
        }
        if self.config.undeliverable.contains(&request.recipient) {
            return Err(Rejected::new("recipient cannot be reached"));
        }
        let label = format!("lbl_{}_{}", request.parcel, self.labels.len() + 1);
        self.labels.insert(label.as_str().into(), true);
        let effect = cx.effect(Labelled {
            label: label.as_str().into(),
            parcel: request.parcel.as_str().into(),
            recipient: request.recipient.as_str().into(),
            key: key.map(|key| key.as_str().into()),
        });
        if let Some(key) = key {
            let keyed = Keyed::Label(request.clone(), label.clone(), effect);
            self.keys.insert(key.clone(), keyed);
        }
        Ok(label)
    }

    /// Cancels a label, if its parcel was to leave.
    fn cancel(&mut self, label: &str, cx: &mut Context<'_>) {
        if let Some(leaves) = self.labels.get_mut(label).filter(|leaves| **leaves) {
            *leaves = false;
            cx.effect(LabelCancelled { label: label.into() });
        }
    }

    fn void(&mut self, key: &str, cx: &mut Context<'_>) -> Option<String> {
        let voided = LabelVoided { key: key.into() };
        let made = match self.keys.get(key) {
            Some(Keyed::Voided(label)) => {
                cx.repeated(voided);
                return label.clone();
            }
            Some(Keyed::Label(_, label, _)) => Some(label.clone()),
            None => None,
        };
        if let Some(label) = &made {
            self.cancel(label, cx);
        }
        self.keys.insert(key.to_owned(), Keyed::Voided(made.clone()));
        cx.effect(voided);
        made
    }
}

#[cfg(test)]
mod tests {
    use onceproof::system::Standalone;

    use super::*;

    fn label(parcel: &str, key: Option<&str>) -> Request {
        let (parcel, recipient) = (parcel.into(), "alice".into());
        Request::Label(LabelRequest { parcel, recipient, idempotency_key: key.map(Into::into) })
    }

    /// Asks for each in turn; `leaving` is how many parcels leave in the end.
    #[track_caller]
    fn check(requests: &[Request], leaving: usize, last: &str) {
        let config = CarrierConfig { undeliverable: ["nobody".to_owned()].into() };
        let mut carrier = Standalone::<ParcelCarrier>::new(&config);
        let mut answer = String::new();
        for request in requests {
            answer = match carrier.call(request.clone()) {
                Ok(label) => format!("{label:?}"),
                Err(error) => error.to_string(),
            };
        }
        assert_eq!(carrier.system().labels.values().filter(|leaves| **leaves).count(), leaving);
        assert_eq!(answer, last);
        assert_eq!(carrier.audit(), Ok(()));
    }

    #[test]
    fn a_parcel_leaves_once_per_key_and_never_under_a_voided_one() {
        let k = Some("k");
        let void = || Request::VoidLabel("k".into());
        let cancel = || Request::CancelLabel("lbl_a_1".into());
        check(&[label("a", None), label("a", None)], 2, "Some(\"lbl_a_2\")");
        check(&[label("a", k), label("a", k)], 1, "Some(\"lbl_a_1\")");
        check(&[label("a", k), label("b", k)], 1, "idempotency key was used with other parameters");
        check(&[void(), label("a", k)], 0, "idempotency key was voided");
        check(&[label("a", k), void(), void()], 0, "Some(\"lbl_a_1\")");
        check(&[label("a", k), cancel()], 0, "None");
        check(&[label("a", k), cancel(), cancel()], 0, "label is cancelled already");
        check(&[cancel()], 0, "no such label");
        let far = Request::Label(LabelRequest {
            parcel: "a".into(),
            recipient: "nobody".into(),
            idempotency_key: None,
        });
        check(&[far], 0, "recipient cannot be reached");
    }
}
