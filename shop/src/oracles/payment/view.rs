//! What the payment services said, and what they moved between accounts: parsed once for all oracles of money.
//!
//! Must not know: what ought to hold.

use std::{collections::BTreeMap, fmt};

use onceproof::oracle::{Facts, Invocation, Said, StateChange, View, said};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

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

/// True if something of the object was killed and nobody came back for it. A cancel also finishes what a killed
/// payment had begun; nothing else finishes what another handler had.
pub(super) fn cut_off(facts: &Facts<'_>, service: &str, key: &str) -> bool {
    facts.cut_off(service, key, |cut, later| {
        let name = |handler| handler_of(service, handler);
        let takes_money = matches!(cut.handler(), "makePayment");
        name(cut.handler()) == name(later.handler())
            || takes_money && later.handler() == "cancelPayment"
    })
}

/// The fields of a body that mean something to an oracle. A bare string is a status, a bare integer an amount. An empty
/// string stands for an absent one, as it does in the tutorial's Go structs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub(super) struct Body {
    #[serde(deserialize_with = "filled")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) charge_id: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) refund_id: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) currency: Option<String>,
    #[serde(deserialize_with = "filled")]
    pub(super) customer_id: Option<String>,
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
    pub(super) balance: Option<i64>,
    pub(super) success: Option<bool>,
}

fn filled<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Body;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, a status or an amount")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Body, A::Error> {
                Body::deserialize(MapAccessDeserializer::new(map))
            }
            fn visit_str<E: Error>(self, status: &str) -> Result<Body, E> {
                Ok(Body { status: Some(status.to_owned()), ..Body::default() })
            }
            fn visit_i64<E: Error>(self, amount: i64) -> Result<Body, E> {
                Ok(Body { amount: Some(amount), ..Body::default() })
            }
            fn visit_u64<E: Error>(self, amount: u64) -> Result<Body, E> {
                self.visit_i64(i64::try_from(amount).map_err(E::custom)?)
            }
        }
        from.deserialize_any(Written)
    }
}

/// All that an object stored and answered, in order of time.
pub(super) type History = Vec<Said<Body>>;

/// The last value of a state, with its record.
pub(super) fn last<'a>(said: &'a [Said<Body>], state: &str) -> Option<(usize, &'a Body)> {
    let last = said.iter().rfind(|said| said.is_state(state))?;
    Some((last.record, last.value()?))
}

/// The status that is stored or answered.
pub(super) fn status(said: &Said<Body>) -> Option<&str> {
    said.value()?.status.as_deref()
}

/// True if the handler succeeded and does not say otherwise itself.
pub(super) fn succeeded(answer: &Said<Body>) -> bool {
    answer.outcome.is_ok() && answer.value().and_then(|b| b.success) != Some(false)
}

/// A `PaymentProcessor` object.
#[derive(Debug, Default)]
pub(super) struct Token {
    pub(super) said: History,
    /// What `payments` answered of this token, in order of the ends. Such an answer comes later than the token's own
    /// that it hands on, maybe after others of the token.
    pub(super) handed_on: History,
    /// What it moved, in order of time.
    pub(super) transfers: Vec<Transfer>,
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

impl Transfer {
    /// `100 from abc`
    pub(super) fn text(&self) -> String {
        let Self { account, delta, .. } = self;
        format!("{} {} {account}", delta.abs(), if *delta < 0 { "from" } else { "to" })
    }
}

/// All objects of the payment services by key.
#[derive(Debug, Default)]
pub(super) struct Payments {
    pub(super) payments: BTreeMap<String, History>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) accounts: BTreeMap<String, Account>,
}

impl View for Payments {
    fn of(facts: &Facts<'_>) -> Self {
        let mut all = Self { payments: said(facts, PAYMENT), ..Self::default() };
        for answer in all.payments.values_mut().flatten().filter(|said| said.is_answer("Create")) {
            answer.name = handler_of(PAYMENT, "Create").into();
        }
        let of_token = |(key, said)| (key, Token { said, ..Token::default() });
        all.tokens = said(facts, TOKEN).into_iter().map(of_token).collect();
        // a service without keys: all of it is under the empty one, in order of time
        for (said, invocation) in handed_on(facts) {
            #[derive(Deserialize)]
            struct Named {
                key: String,
            }
            if let Some(Named { key }) = invocation.input_as() {
                all.tokens.entry(key).or_default().handed_on.push(said);
            }
        }
        // the whole book in one value, or the bare balance
        for change in facts.states().iter().filter(|change| change.service == ACCOUNT) {
            if matches!(change.name, "account" | "balance") {
                all.add_balance(facts, change);
            }
        }
        all
    }
}

fn handed_on<'f, 'h>(
    facts: &'f Facts<'h>,
) -> impl Iterator<Item = (Said<Body>, &'f Invocation<'h>)> {
    let mut ended: Vec<_> = facts
        .invocations_of(TOKEN_BY_BODY)
        .filter(|i| i.completed.is_some() && i.killed.is_none())
        .collect();
    ended.sort_by_key(|i| i.completed.map(|(record, _)| record));
    said(facts, TOKEN_BY_BODY).into_values().flatten().zip(ended)
}

impl Payments {
    fn add_balance(&mut self, facts: &Facts<'_>, change: &StateChange<'_>) {
        let account = self.accounts.entry(change.key.to_owned()).or_default();
        let body = change.value_as::<Body>().unwrap_or_default();
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
                    self.tokens.entry(key.to_owned()).or_default().transfers.push(transfer);
                }
                _ => account.others.push((record, delta)),
            }
        }
    }
}

/// What was asked of a token: by itself, or by `payments`, which hands requests on.
pub(super) fn orders<'f>(facts: &'f Facts<'_>, token: &'f str) -> impl Iterator<Item = Body> + 'f {
    #[derive(Deserialize)]
    struct HandedOn {
        request: Body,
    }
    let made = facts.invocations_of(TOKEN).filter(|i| i.handler() == "makePayment");
    made.filter(move |i| &*i.target.key == token).filter_map(|i| {
        let by = facts.ancestors(i).next().filter(|by| by.object().0 == TOKEN_BY_BODY);
        by.map_or_else(|| i.input_as(), |by| Some(by.input_as::<HandedOn>()?.request))
    })
}
