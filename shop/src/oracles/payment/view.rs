//! What the payment services answered and stored, and what was charged for whatever service: parsed once for all oracles
//! of money.
//!
//! Must not know: what ought to hold.

use std::collections::BTreeMap;

use onceproof::{
    base::Name,
    history::{Outcome, Payload},
    oracle::{Facts, Happened, Invocation, Scope, StateChange, View},
};
use serde::{Deserialize, Deserializer};

use crate::systems::gateway::{Charged, Refunded};

/// The object that charges a card at the gateway.
pub(super) const PAYMENT: &str = "PaymentService";
/// The object that takes money from an account.
pub(super) const TOKEN: &str = "PaymentProcessor";
/// The service that hands requests on to [`TOKEN`], whose key it finds in their bodies.
const TOKEN_BY_BODY: &str = "payments";
/// The object that holds a balance.
pub(super) const ACCOUNT: &str = "Account";

/// The handler's name as oracles know it: `Create` is another name of `CreatePayment`.
pub(super) fn handler_of<'h>(service: &str, handler: &'h str) -> &'h str {
    if service == PAYMENT && handler == "Create" { "CreatePayment" } else { handler }
}

/// The fields of a body that mean something to an oracle. A bare string is a status, a bare integer an amount. An empty
/// string stands for an absent one, as it does in the tutorial's Go structs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Body {
    #[serde(deserialize_with = "filled")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) charge_id: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) refund_id: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) reason: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) account_id: Option<String>,
    #[serde(alias = "id", alias = "transfer", deserialize_with = "filled")]
    pub(super) transfer_id: Option<String>,
    /// In cents.
    #[serde(alias = "amountCents")]
    pub(super) amount: Option<i64>,
    /// In cents.
    balance: Option<i64>,
    pub(super) success: Option<bool>,
}

fn filled<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

impl Body {
    /// None if it is neither an object, a string nor an integer, or if a field has another type.
    pub(super) fn of(payload: &Payload) -> Option<Self> {
        // answers without a body are common, and not worth an error
        match payload.0.first()? {
            b'{' => serde_json::from_slice(&payload.0).ok(),
            b'"' => {
                let status = serde_json::from_slice(&payload.0).ok()?;
                Some(Self { status: Some(status), ..Self::default() })
            }
            b'-' | b'0'..=b'9' => {
                let amount = serde_json::from_slice(&payload.0).ok()?;
                Some(Self { amount: Some(amount), ..Self::default() })
            }
            _ => None,
        }
    }
}

/// The answer of a handler.
#[derive(Debug)]
pub(super) struct Answer {
    handler: Name,
    /// The record of the invocation's creation.
    pub(super) created: usize,
    /// The record of its end.
    pub(super) record: usize,
    /// The fields of the answer if there are any, or the code of a terminal error.
    pub(super) outcome: Result<Option<Body>, u32>,
}

impl Answer {
    fn of(invocation: &Invocation<'_>) -> Option<Self> {
        let (record, outcome) = invocation.completed?;
        let target = invocation.target;
        let name = handler_of(&target.service, &target.handler);
        let same = name == &*target.handler;
        Some(Self {
            handler: if same { target.handler.clone() } else { name.into() },
            created: invocation.created,
            record,
            outcome: match outcome {
                Outcome::Success(body) => Ok(Body::of(body)),
                Outcome::Failure { code, .. } => Err(*code),
            },
        })
    }

    pub(super) fn is_of(&self, handler: &str) -> bool {
        &*self.handler == handler
    }

    /// The fields of a successful answer.
    pub(super) fn body(&self) -> Option<&Body> {
        self.outcome.as_ref().ok()?.as_ref()
    }

    pub(super) fn status(&self) -> Option<&str> {
        self.body()?.status.as_deref()
    }

    /// True if the handler succeeded and does not say otherwise itself.
    pub(super) fn succeeded(&self) -> bool {
        self.outcome.is_ok() && self.body().and_then(|b| b.success) != Some(false)
    }
}

/// The values of a state, each with its record; none where it was cleared or cannot be read.
pub(super) type Values = Vec<(usize, Option<Body>)>;

/// The last value, with its record.
fn last(values: &Values) -> Option<(usize, &Body)> {
    values.last().and_then(|(record, body)| Some((*record, body.as_ref()?)))
}

/// A `PaymentService` object.
#[derive(Debug, Default)]
pub(super) struct Payment {
    /// Of the state `payment`.
    pub(super) states: Values,
    /// Of the state `refund`.
    pub(super) refunds: Values,
    /// In order of their ends.
    pub(super) answers: Vec<Answer>,
}

impl Payment {
    /// The last value of the state `payment`, with its record.
    pub(super) fn stored(&self) -> Option<(usize, &Body)> {
        last(&self.states)
    }

    /// The last value of the state `refund`, with its record.
    pub(super) fn stored_refund(&self) -> Option<(usize, &Body)> {
        last(&self.refunds)
    }
}

/// A `PaymentProcessor` object.
#[derive(Debug, Default)]
pub(super) struct Token {
    /// Of the state `status`.
    pub(super) statuses: Values,
    /// Of the state `payment`.
    pub(super) payments: Values,
    /// In order of their ends.
    pub(super) answers: Vec<Answer>,
    /// What `payments` answered of this token, in order of the ends. Such an answer comes later than the token's own
    /// that it hands on, maybe after others of the token.
    pub(super) handed_on: Vec<Answer>,
    /// What it moved, in order of time.
    pub(super) transfers: Vec<Transfer>,
}

/// The status that a state holds.
pub(super) fn status(value: Option<&Body>) -> Option<&str> {
    value?.status.as_deref()
}

/// An `Account` object.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// The balance before the run and its record; none if it was not given.
    pub(super) opening: Option<(usize, i64)>,
    /// The last balance, with its record.
    pub(super) balance: Option<(usize, i64)>,
    /// What others than tokens moved: the record, and the cents that were added.
    pub(super) others: Vec<(usize, i64)>,
}

/// A change of an account's balance that a token asked for.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) record: usize,
    pub(super) account: String,
    /// In cents; negative if the account has less than before.
    pub(super) delta: i64,
}

/// Money taken at the gateway, and what became of it.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) by: Scope,
    pub(super) record: usize,
    pub(super) id: Name,
    /// In cents.
    pub(super) amount: i64,
    /// How much was given back of it, in all.
    pub(super) refunded: i64,
    /// The record at which it was voided.
    pub(super) voided: Option<usize>,
}

impl Charge {
    fn of(facts: &Facts<'_>, charged: &Happened<'_, Charged>) -> Self {
        let (by, id) = (charged.by(), charged.charge.clone());
        let (amount, record) = (charged.amount.0, charged.record);
        let mut charge = Self { by, record, id, amount, refunded: 0, voided: None };
        for refund in refunds_of(facts, &charged.charge) {
            charge.refunded += refund.amount.0;
            charge.voided = if refund.void { Some(refund.record) } else { charge.voided };
        }
        charge
    }

    /// What the merchant keeps of it.
    pub(super) fn held(&self) -> i64 {
        self.amount - self.refunded
    }
}

/// Records, each with what it shows: `ch_1`.
pub(super) type Shown = Vec<(usize, String)>;

/// `ch_1 at 1.000s, ch_2 at 2.000s`
pub(super) fn list(facts: &Facts<'_>, shown: &[(usize, String)]) -> String {
    let each = shown.iter().map(|(record, what)| format!("{what} at {}", facts.at(*record)));
    each.collect::<Vec<_>>().join(", ")
}

/// What was given back of a charge, in order of time.
pub(super) fn refunds_of<'a, 'h>(
    facts: &'a Facts<'h>,
    charge: &'a str,
) -> impl Iterator<Item = Happened<'h, Refunded>> + 'a {
    facts.effects::<Refunded>().filter(move |refund| &*refund.charge == charge)
}

/// All objects of the payment services by key, and all charges of all services.
#[derive(Debug, Default)]
pub(super) struct Payments {
    pub(super) payments: BTreeMap<String, Payment>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) accounts: BTreeMap<String, Account>,
    /// Those of one object side by side, in order of time.
    pub(super) charges: Vec<Charge>,
}

impl View for Payments {
    fn of(facts: &Facts<'_>) -> Self {
        let mut all = Self::default();
        for change in facts.states() {
            all.add_state(facts, change);
        }
        for invocation in facts.invocations() {
            all.add_answer(invocation);
        }
        for payment in all.payments.values_mut() {
            payment.answers.sort_by_key(|a| a.record);
        }
        for token in all.tokens.values_mut() {
            token.answers.sort_by_key(|a| a.record);
            token.handed_on.sort_by_key(|a| a.record);
        }
        all.charges = facts.effects::<Charged>().map(|c| Charge::of(facts, &c)).collect();
        all.charges.sort_by(|a, b| {
            let object = a.by.service().cmp(b.by.service()).then(a.by.key().cmp(b.by.key()));
            object.then(a.record.cmp(&b.record))
        });
        all
    }
}

impl Payments {
    /// The charges that handlers of an object made, in order of time.
    pub(super) fn charges_of(&self, service: &str, key: &str) -> &[Charge] {
        let of = |c: &Charge| (c.by.service(), c.by.key()).cmp(&(service, key));
        let from = self.charges.partition_point(|c| of(c).is_lt());
        let len = self.charges[from..].partition_point(|c| of(c).is_eq());
        &self.charges[from..from + len]
    }

    fn add_state(&mut self, facts: &Facts<'_>, change: &StateChange<'_>) {
        let value = || (change.record, change.value.and_then(Body::of));
        match (change.service, change.name) {
            (PAYMENT, "payment") => object(&mut self.payments, change.key).states.push(value()),
            (PAYMENT, "refund") => object(&mut self.payments, change.key).refunds.push(value()),
            (TOKEN, "status") => object(&mut self.tokens, change.key).statuses.push(value()),
            (TOKEN, "payment") => object(&mut self.tokens, change.key).payments.push(value()),
            // the whole book in one value, or the bare balance
            (ACCOUNT, "account" | "balance") => self.add_balance(facts, change),
            _ => {}
        }
    }

    fn add_balance(&mut self, facts: &Facts<'_>, change: &StateChange<'_>) {
        let account = object(&mut self.accounts, change.key);
        let body = change.value.and_then(Body::of).unwrap_or_default();
        let (record, balance) = (change.record, body.balance.or(body.amount).unwrap_or(0));
        let Some(inv) = change.inv else {
            account.opening = Some((record, balance));
            account.balance = account.opening;
            return;
        };
        if let Some((_, before)) = account.balance.replace((record, balance)) {
            let delta = balance - before;
            let asked = facts.invocation(inv).and_then(|i| facts.ancestors(i).next());
            match asked.map(Invocation::object) {
                Some((TOKEN, key)) => {
                    let transfer = Transfer { record, account: change.key.to_owned(), delta };
                    object(&mut self.tokens, key).transfers.push(transfer);
                }
                _ => account.others.push((record, delta)),
            }
        }
    }

    fn add_answer(&mut self, invocation: &Invocation<'_>) {
        if invocation.completed.is_none() {
            return;
        }
        let (service, key) = invocation.object();
        let answers = match service {
            PAYMENT => &mut object(&mut self.payments, key).answers,
            TOKEN => &mut object(&mut self.tokens, key).answers,
            TOKEN_BY_BODY => {
                #[derive(Deserialize)]
                struct Named<'a> {
                    key: &'a str,
                }
                let Some(named) = invocation.input_as::<Named<'_>>() else { return };
                &mut object(&mut self.tokens, named.key).handed_on
            }
            _ => return,
        };
        answers.extend(Answer::of(invocation));
    }
}

fn object<'a, T: Default>(objects: &'a mut BTreeMap<String, T>, key: &str) -> &'a mut T {
    if !objects.contains_key(key) {
        objects.insert(key.to_owned(), T::default());
    }
    objects.get_mut(key).expect("it was put there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_every_shape_the_services_use() {
        let text =
            r#"{"chargeId":"ch_1","refundId":"","amountCents":5,"success":true,"other":[{}]}"#;
        let body = Body::of(&text.into()).expect("an object");
        assert_eq!((body.charge_id.as_deref(), body.refund_id), (Some("ch_1"), None));
        assert_eq!((body.amount, body.success), (Some(5), Some(true)));
        for (text, status, cents) in [
            (r#""NEW""#, Some("NEW"), None),
            (r#"{"status":"a\"b","amount":7}"#, Some("a\"b"), Some(7)),
            ("-12", None, Some(-12)),
            ("", None, None),
            ("null", None, None),
            ("{", None, None),
        ] {
            let body = Body::of(&text.into()).unwrap_or_default();
            assert_eq!((body.status.as_deref(), body.amount), (status, cents), "{text}");
        }
    }
}
