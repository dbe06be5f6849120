//! The payment gateway, in the manner of Stripe and Adyen: what services ask of it, and the simulated one with
//! idempotency keys, declines, refunds, voids and its ledger.
//!
//! Must not know: services.

use std::collections::{BTreeMap, BTreeSet};

use onceproof::{
    base::Name,
    choice::Rate,
    history::{Change, Effect, EffectRecord},
    system::{Connection, Context, Rejected, System},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiFuture;
use crate::money::Cents;

/// A request to take money.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// How much.
    pub amount: Cents,
    /// ISO 4217 code.
    pub currency: String,
    /// Whose money.
    pub customer: String,
    /// Repeating a request with the same key gives the first answer and takes no more money.
    pub idempotency_key: Option<String>,
}

/// The gateway's answer to a [`ChargeRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeAnswer {
    /// The money was taken; the charge's id: `ch_...`.
    Captured {
        /// The charge's id.
        charge_id: String,
    },
    /// The customer's bank said no.
    Declined {
        /// Why.
        reason: String,
    },
}

/// A request to give money back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefundRequest {
    /// Of which charge.
    pub charge_id: String,
    /// How much.
    pub amount: Cents,
    /// Repeating a request with the same key gives the first answer and gives back no more.
    pub idempotency_key: Option<String>,
}

/// A payment gateway.
pub trait PaymentGateway: Send + Sync {
    /// Takes money.
    ///
    /// # Errors
    /// [`ApiError::Rejected`](super::ApiError::Rejected) if the key was used with other parameters, or was voided.
    fn charge(&self, request: ChargeRequest) -> ApiFuture<'_, ChargeAnswer>;

    /// Gives money back; answers with the refund's id: `re_...`.
    ///
    /// # Errors
    /// [`ApiError::Rejected`](super::ApiError::Rejected) if the charge is unknown or less is left of it.
    fn refund(&self, request: RefundRequest) -> ApiFuture<'_, String>;

    /// Undoes what was charged under `idempotency_key`, and makes the key unusable: a charge under it that
    /// arrives later is rejected. Doing it twice does it once. Adyen calls it a technical cancel. Answers with
    /// the refund's id if money had been taken.
    ///
    /// # Errors
    /// None but those of the connection.
    fn void(&self, idempotency_key: String) -> ApiFuture<'_, Option<String>>;
}

/// What the simulated gateway can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Take money.
    Charge(ChargeRequest),
    /// Give money back.
    Refund(RefundRequest),
    /// Undo what was charged under a key.
    Void(String),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To a charge.
    Charge(ChargeAnswer),
    /// To a refund: its id.
    Refund(String),
    /// To a void: the refund's id, if money had been taken.
    Void(Option<String>),
}

impl PaymentGateway for Connection<Gateway> {
    fn charge(&self, request: ChargeRequest) -> ApiFuture<'_, ChargeAnswer> {
        let call = self.call(Request::Charge(request));
        Box::pin(async {
            let Response::Charge(answer) = call.await? else { unreachable!("it was a charge") };
            Ok(answer)
        })
    }

    fn refund(&self, request: RefundRequest) -> ApiFuture<'_, String> {
        let call = self.call(Request::Refund(request));
        Box::pin(async {
            let Response::Refund(id) = call.await? else { unreachable!("it was a refund") };
            Ok(id)
        })
    }

    fn void(&self, idempotency_key: String) -> ApiFuture<'_, Option<String>> {
        let call = self.call(Request::Void(idempotency_key));
        Box::pin(async {
            let Response::Void(refund) = call.await? else { unreachable!("it was a void") };
            Ok(refund)
        })
    }
}

/// Money was taken from a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Charged {
    /// The gateway's id: `ch_...`.
    pub charge: Name,
    /// The customer.
    pub customer: Name,
    /// How much.
    pub amount: Cents,
    /// In which currency.
    pub currency: Name,
    /// The idempotency key, if the service sent one.
    pub key: Option<Name>,
}

impl Effect for Charged {
    const KIND: &'static str = "charged";

    fn text(&self) -> String {
        let Self { charge, customer, amount, currency, key } = self;
        format!("charged {customer} {amount} {currency}: {charge}{}", with(key.as_ref()))
    }
}

/// A bank declined; no money moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declined {
    /// The customer.
    pub customer: Name,
    /// The reason given.
    pub reason: Name,
    /// The idempotency key, if the service sent one.
    pub key: Option<Name>,
}

impl Effect for Declined {
    const KIND: &'static str = "declined";

    fn text(&self) -> String {
        format!("declined {}: {}{}", self.customer, self.reason, with(self.key.as_ref()))
    }
}

/// Money was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refunded {
    /// The gateway's id: `re_...`.
    pub refund: Name,
    /// The charge it belongs to.
    pub charge: Name,
    /// How much.
    pub amount: Cents,
    /// True if it is part of a void.
    pub void: bool,
    /// The idempotency key, if the service sent one.
    pub key: Option<Name>,
}

impl Effect for Refunded {
    const KIND: &'static str = "refunded";

    fn text(&self) -> String {
        let Self { refund, charge, amount, key, .. } = self;
        format!("refunded {amount} of {charge}: {refund}{}", with(key.as_ref()))
    }
}

/// An idempotency key was voided: no charge under it can happen any more. If money had been taken under it, a
/// [`Refunded`] of the same call comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Voided {
    /// The key.
    pub key: Name,
}

impl Effect for Voided {
    const KIND: &'static str = "voided";

    fn text(&self) -> String {
        format!("voided key {}", self.key)
    }
}

fn with(key: Option<&Name>) -> String {
    key.map_or_else(String::new, |key| format!(", key {key}"))
}

/// How the gateway behaves when nothing goes wrong. Real ones differ in this.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// How likely a customer's bank declines a payment.
    pub declined: Rate,
    /// Customers whose bank declines every payment.
    pub declines: BTreeSet<String>,
    /// False for a gateway that ignores idempotency keys.
    pub idempotency_keys: bool,
    /// False for one that answers a known idempotency key without a look at what is asked for.
    pub compares_requests: bool,
    /// False for one that gives back any amount.
    pub checks_refunds: bool,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            declined: Rate::NEVER,
            declines: BTreeSet::new(),
            idempotency_keys: true,
            compares_requests: true,
            checks_refunds: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Charge {
    amount: Cents,
    refunded: Cents,
}

/// What is stored under an idempotency key.
#[derive(Clone, Debug)]
enum Keyed {
    Charge(ChargeRequest, ChargeAnswer, EffectRecord),
    Refund(RefundRequest, String, EffectRecord),
    Voided(Option<String>),
}

/// The simulated gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    config: GatewayConfig,
    charges: BTreeMap<Name, Charge>,
    keys: BTreeMap<String, Keyed>,
    issued: u32,
}

impl System for Gateway {
    const NAME: &'static str = "gateway";
    const SUMMARY: &'static str = "the payment gateway";
    const EFFECTS: &'static [&'static str] = &["charged", "declined", "refunded", "voided"];
    type Config = GatewayConfig;
    type Request = Request;
    type Response = Response;

    fn new(config: &GatewayConfig) -> Self {
        let (charges, keys) = (BTreeMap::new(), BTreeMap::new());
        Self { config: config.clone(), charges, keys, issued: 0 }
    }

    fn handle(&mut self, request: &Request, cx: &mut Context<'_>) -> Result<Response, Rejected> {
        match request {
            Request::Charge(request) => self.charge(request, cx).map(Response::Charge),
            Request::Refund(request) => self.refund(request, cx).map(Response::Refund),
            Request::Void(key) => self.void(key, cx).map(Response::Void),
        }
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        let mut fold: BTreeMap<Name, Charge> = BTreeMap::new();
        for effect in effects.iter().filter(|effect| effect.change == Change::Made) {
            if let Some(Charged { charge, amount, .. }) = effect.downcast() {
                fold.insert(charge.clone(), Charge { amount: *amount, refunded: Cents(0) });
            } else if let Some(Refunded { charge, amount, .. }) = effect.downcast() {
                let entry = fold.get_mut(charge);
                let entry = entry.ok_or(format!("{charge} was refunded and never charged"))?;
                entry.refunded.0 += amount.0;
            }
        }
        let mut ids = self.charges.keys().chain(fold.keys());
        match ids.find(|id| fold.get(*id) != self.charges.get(*id)) {
            None => Ok(()),
            Some(id) => Err(format!("the ledger and the effects differ on {id}")),
        }
    }
}

impl Gateway {
    fn stored(&self, key: Option<&String>) -> Option<&Keyed> {
        key.filter(|_| self.config.idempotency_keys).and_then(|k| self.keys.get(k))
    }

    fn store(&mut self, key: Option<&String>, keyed: impl FnOnce() -> Keyed) {
        if let Some(key) = key.filter(|_| self.config.idempotency_keys) {
            self.keys.insert(key.clone(), keyed());
        }
    }

    /// True if it takes both requests, which came under one key, for one.
    fn same<T: PartialEq>(&self, first: &T, request: &T) -> bool {
        !self.config.compares_requests || first == request
    }

    fn charge(
        &mut self,
        request: &ChargeRequest,
        cx: &mut Context<'_>,
    ) -> Result<ChargeAnswer, Rejected> {
        let key = request.idempotency_key.as_ref();
        match self.stored(key) {
            Some(Keyed::Charge(first, answer, effect)) if self.same(first, request) => {
                cx.repeat(effect);
                return Ok(answer.clone());
            }
            Some(Keyed::Voided(_)) => return Err(Rejected::new("idempotency key was voided")),
            Some(_) => return Err(used_otherwise()),
            None => {}
        }
        if request.amount <= Cents(0) {
            return Err(Rejected::new("amount must be positive"));
        }
        // one customer's bank gives one answer per payment, however often it is asked
        let payment = cx.caller().map_or_else(|| "nobody's".into(), |caller| caller.label.clone());
        let declined = self.config.declines.contains(&request.customer)
            || cx.chance_of("declined", &payment, self.config.declined);
        let (customer, name) =
            (Name::from(request.customer.as_str()), key.map(|k| Name::from(k.as_str())));
        let (answer, effect) = if declined {
            let reason = "insufficient funds";
            let effect = Declined { customer, reason: reason.into(), key: name };
            (ChargeAnswer::Declined { reason: reason.into() }, cx.note(effect))
        } else {
            self.issued += 1;
            let charge_id = format!("ch_{customer}_{}", self.issued);
            let charge: Name = charge_id.as_str().into();
            let entry = Charge { amount: request.amount, refunded: Cents(0) };
            self.charges.insert(charge.clone(), entry);
            let currency = request.currency.as_str().into();
            let amount = request.amount;
            let effect = Charged { charge, customer, amount, currency, key: name };
            (ChargeAnswer::Captured { charge_id }, cx.effect(effect))
        };
        self.store(key, || Keyed::Charge(request.clone(), answer.clone(), effect));
        Ok(answer)
    }

    fn refund(
        &mut self,
        request: &RefundRequest,
        cx: &mut Context<'_>,
    ) -> Result<String, Rejected> {
        let key = request.idempotency_key.as_ref();
        match self.stored(key) {
            Some(Keyed::Refund(first, id, effect)) if self.same(first, request) => {
                cx.repeat(effect);
                return Ok(id.clone());
            }
            Some(_) => return Err(used_otherwise()),
            None => {}
        }
        let charge = self.charges.get(request.charge_id.as_str());
        let left = charge.map(|c| c.amount.0 - c.refunded.0);
        let left = left.ok_or_else(|| Rejected::new("no such charge"))?;
        if self.config.checks_refunds && request.amount <= Cents(0) {
            return Err(Rejected::new("amount must be positive"));
        }
        if self.config.checks_refunds && left < request.amount.0 {
            return Err(Rejected::new("refund exceeds what is left of the charge"));
        }
        let (id, effect) = self.give_back(&request.charge_id, request.amount, key, cx);
        self.store(key, || Keyed::Refund(request.clone(), id.clone(), effect));
        Ok(id)
    }

    fn void(&mut self, key: &str, cx: &mut Context<'_>) -> Result<Option<String>, Rejected> {
        let voided = Voided { key: key.into() };
        let captured = match self.keys.get(key) {
            Some(Keyed::Voided(refund)) => {
                cx.repeated(voided);
                return Ok(refund.clone());
            }
            Some(Keyed::Refund(..)) => {
                return Err(Rejected::new("idempotency key belongs to a refund"));
            }
            Some(Keyed::Charge(_, ChargeAnswer::Captured { charge_id }, _)) => {
                Some(charge_id.clone())
            }
            Some(Keyed::Charge(_, ChargeAnswer::Declined { .. }, _)) | None => None,
        };
        let left = captured.and_then(|charge| {
            let entry = self.charges.get(charge.as_str())?;
            let left = entry.amount.0 - entry.refunded.0;
            (left > 0).then_some((charge, Cents(left)))
        });
        let refund = left.map(|(charge, left)| {
            self.issued += 1;
            self.refund_of(&charge, left, None, true, cx).0
        });
        self.keys.insert(key.to_owned(), Keyed::Voided(refund.clone()));
        cx.effect(voided);
        Ok(refund)
    }

    fn give_back(
        &mut self,
        charge: &str,
        amount: Cents,
        key: Option<&String>,
        cx: &mut Context<'_>,
    ) -> (String, EffectRecord) {
        self.issued += 1;
        self.refund_of(charge, amount, key, false, cx)
    }

    fn refund_of(
        &mut self,
        charge: &str,
        amount: Cents,
        key: Option<&String>,
        void: bool,
        cx: &mut Context<'_>,
    ) -> (String, EffectRecord) {
        let id = format!("re_{charge}_{}", self.issued);
        let entry = self.charges.get_mut(charge).expect("the caller found this charge");
        entry.refunded.0 += amount.0;
        let key = key.map(|k| k.as_str().into());
        let refund = id.as_str().into();
        (id, cx.effect(Refunded { refund, charge: charge.into(), amount, void, key }))
    }
}

fn used_otherwise() -> Rejected {
    Rejected::new("idempotency key was used with other parameters")
}

#[cfg(test)]
mod tests {
    use onceproof::system::Standalone;

    use super::*;

    fn charge(amount: i64, key: Option<&str>) -> Request {
        Request::Charge(ChargeRequest {
            amount: Cents(amount),
            currency: "USD".into(),
            customer: "alice".into(),
            idempotency_key: key.map(Into::into),
        })
    }

    fn refund(charge_id: &str, amount: i64, key: Option<&str>) -> Request {
        let (charge_id, idempotency_key) = (charge_id.into(), key.map(Into::into));
        Request::Refund(RefundRequest { charge_id, amount: Cents(amount), idempotency_key })
    }

    fn void() -> Request {
        Request::Void("k".into())
    }

    /// Asks each in turn; `ledger` is what it shows after, as `charge amount-refunded`, and `last` the last
    /// answer.
    #[track_caller]
    fn check(config: &GatewayConfig, requests: &[Request], ledger: &str, last: &str) {
        let mut gateway = Standalone::<Gateway>::new(config);
        let mut answer = String::new();
        for request in requests {
            answer = match gateway.call(request.clone()) {
                Ok(Response::Charge(ChargeAnswer::Captured { charge_id })) => charge_id,
                Ok(Response::Charge(ChargeAnswer::Declined { reason })) => reason,
                Ok(Response::Refund(id)) => id,
                Ok(Response::Void(id)) => format!("void {id:?}"),
                Err(e) => format!("error: {e}"),
            };
        }
        let charges = gateway.system().charges.iter();
        let shown: Vec<_> =
            charges.map(|(id, c)| format!("{id} {}-{}", c.amount, c.refunded)).collect();
        assert_eq!((shown.join(", ").as_str(), answer.as_str()), (ledger, last));
        assert_eq!(gateway.audit(), Ok(()));
    }

    #[test]
    fn keys_decide_whether_money_moves_again() {
        let strict = &GatewayConfig::default();
        let ignoring = &GatewayConfig { idempotency_keys: false, ..strict.clone() };
        let k = Some("k");
        let two = "ch_alice_1 100-0, ch_alice_2 100-0";
        check(strict, &[charge(100, None), charge(100, None)], two, "ch_alice_2");
        check(strict, &[charge(100, k), charge(100, k)], "ch_alice_1 100-0", "ch_alice_1");
        check(ignoring, &[charge(100, k), charge(100, k)], two, "ch_alice_2");
        let other = "error: idempotency key was used with other parameters";
        check(strict, &[charge(100, k), charge(99, k)], "ch_alice_1 100-0", other);
        check(strict, &[charge(0, k)], "", "error: amount must be positive");
        let declining = &GatewayConfig { declines: ["alice".into()].into(), ..strict.clone() };
        check(declining, &[charge(100, k), charge(100, k)], "", "insufficient funds");
    }

    #[test]
    fn refunds_stay_within_the_charge() {
        let strict = &GatewayConfig::default();
        let paid = charge(100, Some("k"));
        let back = |n, key| refund("ch_alice_1", n, key);
        let check = |requests: &[Request], ledger, last| check(strict, requests, ledger, last);
        check(&[paid.clone(), back(30, None)], "ch_alice_1 100-30", "re_ch_alice_1_2");
        let twice = [paid.clone(), back(30, Some("r")), back(30, Some("r"))];
        check(&twice, "ch_alice_1 100-30", "re_ch_alice_1_2");
        let exceeds = "error: refund exceeds what is left of the charge";
        check(&[paid.clone(), back(60, None), back(60, None)], "ch_alice_1 100-60", exceeds);
        let negative = "error: amount must be positive";
        check(&[paid.clone(), back(-5, None)], "ch_alice_1 100-0", negative);
        check(&[refund("ch_x", 1, None)], "", "error: no such charge");
        let other = "error: idempotency key was used with other parameters";
        check(&[paid, back(1, Some("k"))], "ch_alice_1 100-0", other);
    }

    #[test]
    fn a_lax_gateway_gives_the_first_answer_and_any_refund() {
        let lax = &GatewayConfig {
            compares_requests: false,
            checks_refunds: false,
            ..GatewayConfig::default()
        };
        let paid = charge(100, Some("k"));
        let back = |n, key| refund("ch_alice_1", n, key);
        check(lax, &[paid.clone(), charge(99, Some("k"))], "ch_alice_1 100-0", "ch_alice_1");
        let again = [paid.clone(), back(30, Some("r")), back(40, Some("r"))];
        check(lax, &again, "ch_alice_1 100-30", "re_ch_alice_1_2");
        // a key still belongs to one kind of request
        let other = "error: idempotency key was used with other parameters";
        check(lax, &[paid.clone(), back(1, Some("k"))], "ch_alice_1 100-0", other);
        let more = [paid, back(60, None), back(60, None)];
        check(lax, &more, "ch_alice_1 100-120", "re_ch_alice_1_3");
        check(lax, &[refund("ch_x", 1, None)], "", "error: no such charge");
    }

    #[test]
    fn a_void_undoes_once_and_blocks_the_key() {
        let strict = &GatewayConfig::default();
        let paid = charge(100, Some("k"));
        let undone = "void Some(\"re_ch_alice_1_2\")";
        check(strict, &[paid.clone(), void()], "ch_alice_1 100-100", undone);
        check(strict, &[paid.clone(), void(), void()], "ch_alice_1 100-100", undone);
        check(strict, &[void(), paid], "", "error: idempotency key was voided");
    }

    #[test]
    fn what_is_repeated_is_told_as_repeated() {
        let mut gateway = Standalone::<Gateway>::new(&GatewayConfig::default());
        for request in [charge(100, Some("k")), charge(100, Some("k")), void(), void()] {
            gateway.call(request).expect("it is valid");
        }
        assert_eq!(
            gateway.reported(),
            [
                "charged alice 100 USD: ch_alice_1, key k",
                "charged alice 100 USD: ch_alice_1, key k (repeated)",
                "refunded 100 of ch_alice_1: re_ch_alice_1_2",
                "voided key k",
                "voided key k (repeated)",
            ]
        );
    }

    #[test]
    fn books_that_do_not_balance_are_noticed() {
        let mut gateway = Standalone::<Gateway>::new(&GatewayConfig::default());
        gateway.call(charge(100, None)).expect("it is valid");
        let error = gateway.system().audit(&[]).expect_err("an effect is missing");
        assert_eq!(error, "the ledger and the effects differ on ch_alice_1");
    }
}
