//! The simulated payment gateway: idempotency keys, declines, refunds, voids, and its ledger.

use std::collections::BTreeMap;

use super::{
    ChargeAnswer, ChargeRequest, RefundRequest, WorldError,
    line::{Answer, Reply, Request},
};
use crate::{
    base::{Cents, Name},
    history::{Effect, Event, History},
};

/// One charge in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Charge {
    amount: Cents,
    refunded: Cents,
}

/// What is stored under an idempotency key.
#[derive(Clone, Debug)]
enum Keyed {
    Charge(ChargeRequest, ChargeAnswer),
    Refund(RefundRequest, String),
    Voided(Option<String>),
}

/// What the gateway looks at before it does what it is asked. Real ones differ in this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// It does for one idempotency key what is asked once; else it ignores keys.
    pub(crate) honours_keys: bool,
    /// It refuses a key that comes again with another request; else it gives the stored answer.
    pub(crate) compares_requests: bool,
    /// It refuses refunds of nothing, of less, and of more than is left of the charge.
    pub(crate) checks_refunds: bool,
}

/// The gateway: a pure state machine over [`Request`]s.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    rules: Rules,
    charges: BTreeMap<Name, Charge>,
    keys: BTreeMap<String, Keyed>,
    issued: u32,
}

impl Gateway {
    /// A gateway with an empty ledger.
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, charges: BTreeMap::new(), keys: BTreeMap::new(), issued: 0 }
    }

    /// Does what `request` asks; `decline` is the customer's bank's word on a new charge.
    ///
    /// Returns what really happened, and the answer to give.
    pub(crate) fn apply(&mut self, request: &Request, decline: bool) -> (Vec<Effect>, Answer) {
        match request {
            Request::Charge(r) => self.charge(r, decline),
            Request::Refund(r) => self.refund(r),
            Request::Void(key) => self.void(key),
            _ => unreachable!("only the gateway's own operations come here"),
        }
    }

    fn stored(&self, key: Option<&String>) -> Option<(&String, &Keyed)> {
        key.filter(|_| self.rules.honours_keys).and_then(|k| self.keys.get_key_value(k))
    }

    /// True if it takes both requests, which came under one key, for one.
    fn same<T: PartialEq>(&self, first: &T, request: &T) -> bool {
        !self.rules.compares_requests || first == request
    }

    fn charge(&mut self, request: &ChargeRequest, decline: bool) -> (Vec<Effect>, Answer) {
        if let Some((key, stored)) = self.stored(request.idempotency_key.as_ref()) {
            return match stored {
                Keyed::Charge(first, answer) if self.same(first, request) => {
                    let charge = match answer {
                        ChargeAnswer::Captured { charge_id } => Some(charge_id.as_str().into()),
                        ChargeAnswer::Declined { .. } => None,
                    };
                    let effect = Effect::ChargeRepeated { charge, key: key.as_str().into() };
                    (vec![effect], Ok(Reply::Charge(answer.clone())))
                }
                Keyed::Voided(_) => rejected("idempotency key was voided", Some(key)),
                _ => rejected("idempotency key was used with other parameters", Some(key)),
            };
        }
        if request.amount <= Cents(0) {
            return rejected("amount must be positive", request.idempotency_key.as_ref());
        }
        let key: Option<Name> = request.idempotency_key.as_deref().map(Into::into);
        let customer: Name = request.customer.as_str().into();
        let (effect, answer) = if decline {
            let reason = "insufficient funds";
            (
                Effect::Declined { customer, reason: reason.into(), key },
                ChargeAnswer::Declined { reason: reason.into() },
            )
        } else {
            self.issued += 1;
            let charge_id = format!("ch_{customer}_{}", self.issued);
            let charge: Name = charge_id.as_str().into();
            self.charges
                .insert(charge.clone(), Charge { amount: request.amount, refunded: Cents(0) });
            let currency = request.currency.as_str().into();
            (
                Effect::Charged { charge, customer, amount: request.amount, currency, key },
                ChargeAnswer::Captured { charge_id },
            )
        };
        if let Some(key) = &request.idempotency_key
            && self.rules.honours_keys
        {
            self.keys.insert(key.clone(), Keyed::Charge(request.clone(), answer.clone()));
        }
        (vec![effect], Ok(Reply::Charge(answer)))
    }

    fn refund(&mut self, request: &RefundRequest) -> (Vec<Effect>, Answer) {
        if let Some((key, stored)) = self.stored(request.idempotency_key.as_ref()) {
            return match stored {
                Keyed::Refund(first, id) if self.same(first, request) => {
                    let refund = Some(id.as_str().into());
                    let effect = Effect::RefundRepeated { refund, key: key.as_str().into() };
                    (vec![effect], Ok(Reply::Refund(id.clone())))
                }
                _ => rejected("idempotency key was used with other parameters", Some(key)),
            };
        }
        let key = request.idempotency_key.as_ref();
        match self.charges.get(request.charge_id.as_str()) {
            None => return rejected("no such charge", key),
            Some(_) if !self.rules.checks_refunds => {}
            Some(_) if request.amount <= Cents(0) => {
                return rejected("amount must be positive", key);
            }
            Some(c) if c.amount.0 - c.refunded.0 < request.amount.0 => {
                return rejected("refund exceeds what is left of the charge", key);
            }
            Some(_) => {}
        }
        let (id, effect) = self.give_back(&request.charge_id, request.amount, key);
        if let Some(key) = key
            && self.rules.honours_keys
        {
            self.keys.insert(key.clone(), Keyed::Refund(request.clone(), id.clone()));
        }
        (vec![effect], Ok(Reply::Refund(id)))
    }

    fn void(&mut self, key: &str) -> (Vec<Effect>, Answer) {
        let voided = Effect::Voided { key: key.into() };
        let captured = match self.keys.get(key) {
            Some(Keyed::Voided(refund)) => {
                return (vec![voided], Ok(Reply::Void(refund.clone())));
            }
            Some(Keyed::Refund(..)) => {
                return rejected("idempotency key belongs to a refund", Some(key));
            }
            Some(Keyed::Charge(_, ChargeAnswer::Captured { charge_id })) => Some(charge_id.clone()),
            Some(Keyed::Charge(_, ChargeAnswer::Declined { .. })) | None => None,
        };
        let mut effects = Vec::with_capacity(2);
        let refund = captured.and_then(|charge| {
            let left = self.charges.get(charge.as_str()).map(|c| c.amount.0 - c.refunded.0)?;
            (left > 0).then(|| {
                let (id, effect) = self.give_back(&charge, Cents(left), None);
                effects.push(effect);
                id
            })
        });
        self.keys.insert(key.to_owned(), Keyed::Voided(refund.clone()));
        effects.push(voided);
        (effects, Ok(Reply::Void(refund)))
    }

    fn give_back(&mut self, charge: &str, amount: Cents, key: Option<&String>) -> (String, Effect) {
        self.issued += 1;
        let id = format!("re_{charge}_{}", self.issued);
        let entry = self.charges.get_mut(charge).expect("the caller found this charge");
        entry.refunded.0 += amount.0;
        let effect = Effect::Refunded {
            refund: id.as_str().into(),
            charge: charge.into(),
            amount,
            key: key.map(|k| k.as_str().into()),
        };
        (id, effect)
    }

    /// The second set of books: the ledger must equal the fold of the history's effects.
    ///
    /// # Errors
    /// Names the first charge on which they differ; that is a bug of this crate.
    pub(crate) fn balances_with(&self, history: &History) -> Result<(), String> {
        let mut fold: BTreeMap<Name, Charge> = BTreeMap::new();
        for record in history.records() {
            let Event::WorldEffect { effect, .. } = &record.event else { continue };
            match effect {
                Effect::Charged { charge, amount, .. } => {
                    fold.insert(charge.clone(), Charge { amount: *amount, refunded: Cents(0) });
                }
                Effect::Refunded { charge, amount, .. } => match fold.get_mut(charge) {
                    Some(c) => c.refunded.0 += amount.0,
                    None => return Err(format!("{charge} was refunded and never charged")),
                },
                _ => {}
            }
        }
        if fold == self.charges {
            return Ok(());
        }
        let differs =
            self.charges.keys().chain(fold.keys()).find(|c| fold.get(*c) != self.charges.get(*c));
        Err(format!("ledger and history differ on {differs:?}"))
    }
}

fn rejected(reason: &str, key: Option<impl AsRef<str>>) -> (Vec<Effect>, Answer) {
    let key = key.map(|k| k.as_ref().into());
    let effect = Effect::Rejected { reason: reason.into(), key };
    (vec![effect], Err(WorldError::Rejected(reason.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules =
        Rules { honours_keys: true, compares_requests: true, checks_refunds: true };

    fn charge(amount: i64, key: Option<&str>) -> Request {
        Request::Charge(ChargeRequest {
            amount: Cents(amount),
            currency: "USD".into(),
            customer: "alice".into(),
            idempotency_key: key.map(Into::into),
        })
    }

    fn refund(charge_id: &str, amount: i64, key: Option<&str>) -> Request {
        Request::Refund(RefundRequest {
            charge_id: charge_id.into(),
            amount: Cents(amount),
            idempotency_key: key.map(Into::into),
        })
    }

    /// Applies each request in turn; `expect` is what the ledger shows after, as
    /// `charge amount-refunded` joined by commas, and the last answer.
    fn check(honours_keys: bool, requests: &[(Request, bool)], ledger: &str, last: &str) {
        check_by(Rules { honours_keys, ..STRICT }, requests, ledger, last);
    }

    fn check_by(rules: Rules, requests: &[(Request, bool)], ledger: &str, last: &str) {
        let mut gateway = Gateway::new(rules);
        let mut answer = String::new();
        for (request, decline) in requests {
            answer = match gateway.apply(request, *decline).1 {
                Ok(Reply::Charge(ChargeAnswer::Captured { charge_id })) => charge_id,
                Ok(Reply::Charge(ChargeAnswer::Declined { reason })) => {
                    format!("declined: {reason}")
                }
                Ok(Reply::Refund(id)) => id,
                Ok(Reply::Void(id)) => format!("void {id:?}"),
                Ok(other) => unreachable!("nothing else was asked for: {other:?}"),
                Err(e) => format!("error: {e}"),
            };
        }
        let shown: Vec<String> = gateway
            .charges
            .iter()
            .map(|(id, c)| format!("{id} {}-{}", c.amount, c.refunded))
            .collect();
        assert_eq!((shown.join(", ").as_str(), answer.as_str()), (ledger, last));
    }

    #[test]
    fn keys_decide_whether_money_moves_again() {
        let k = Some("k");
        let twice = |key| [(charge(100, key), false), (charge(100, key), false)];
        check(true, &twice(None), "ch_alice_1 100-0, ch_alice_2 100-0", "ch_alice_2");
        check(true, &twice(k), "ch_alice_1 100-0", "ch_alice_1");
        check(false, &twice(k), "ch_alice_1 100-0, ch_alice_2 100-0", "ch_alice_2");
        check(
            true,
            &[(charge(100, k), false), (charge(99, k), false)],
            "ch_alice_1 100-0",
            "error: idempotency key was used with other parameters",
        );
        check(
            true,
            &[(charge(100, k), true), (charge(100, k), false)],
            "",
            "declined: insufficient funds",
        );
        check(true, &[(charge(0, k), false)], "", "error: amount must be positive");
    }

    #[test]
    fn refunds_stay_within_the_charge() {
        let paid = (charge(100, Some("k")), false);
        let back = |n, key| (refund("ch_alice_1", n, key), false);
        check(true, &[paid.clone(), back(30, None)], "ch_alice_1 100-30", "re_ch_alice_1_2");
        check(
            true,
            &[paid.clone(), back(30, Some("r")), back(30, Some("r"))],
            "ch_alice_1 100-30",
            "re_ch_alice_1_2",
        );
        check(
            true,
            &[paid.clone(), back(60, None), back(60, None)],
            "ch_alice_1 100-60",
            "error: refund exceeds what is left of the charge",
        );
        check(
            true,
            &[paid.clone(), back(-5, None)],
            "ch_alice_1 100-0",
            "error: amount must be positive",
        );
        check(true, &[(refund("ch_x", 1, None), false)], "", "error: no such charge");
        check(
            true,
            &[paid, back(1, Some("k"))],
            "ch_alice_1 100-0",
            "error: idempotency key was used with other parameters",
        );
    }

    #[test]
    fn a_gateway_that_does_not_compare_gives_a_key_its_first_answer() {
        let k = Some("k");
        let lax = Rules { compares_requests: false, ..STRICT };
        let paid = (charge(100, k), false);
        check_by(lax, &[paid.clone(), (charge(99, k), false)], "ch_alice_1 100-0", "ch_alice_1");
        let back = |n| (refund("ch_alice_1", n, Some("r")), false);
        check_by(lax, &[paid.clone(), back(30), back(40)], "ch_alice_1 100-30", "re_ch_alice_1_2");
        // A key still belongs to one kind of request.
        check_by(
            lax,
            &[paid, (refund("ch_alice_1", 1, k), false)],
            "ch_alice_1 100-0",
            "error: idempotency key was used with other parameters",
        );
    }

    #[test]
    fn a_gateway_that_does_not_check_refunds_gives_back_what_it_is_told() {
        let lax = Rules { checks_refunds: false, ..STRICT };
        let paid = (charge(100, Some("k")), false);
        let back = |n| (refund("ch_alice_1", n, None), false);
        check_by(lax, &[paid.clone(), back(60), back(60)], "ch_alice_1 100-120", "re_ch_alice_1_3");
        check_by(lax, &[paid, back(-5)], "ch_alice_1 100--5", "re_ch_alice_1_2");
        check_by(lax, &[(refund("ch_x", 1, None), false)], "", "error: no such charge");
    }

    #[test]
    fn a_void_undoes_once_and_blocks_the_key() {
        let void = (Request::Void("k".into()), false);
        let paid = (charge(100, Some("k")), false);
        let undone = "void Some(\"re_ch_alice_1_2\")";
        check(true, &[paid.clone(), void.clone()], "ch_alice_1 100-100", undone);
        check(true, &[paid.clone(), void.clone(), void.clone()], "ch_alice_1 100-100", undone);
        check(true, &[void, paid], "", "error: idempotency key was voided");
    }

    #[test]
    fn the_books_balance_only_with_their_own_history() {
        use crate::{base::VirtualTime, history::CallId};
        let mut gateway = Gateway::new(STRICT);
        let mut history = History::new();
        for request in [charge(100, Some("k")), refund("ch_alice_1", 40, None)] {
            for effect in gateway.apply(&request, false).0 {
                history.push(VirtualTime::ZERO, Event::WorldEffect { call: CallId(0), effect });
            }
        }
        assert_eq!(gateway.balances_with(&history), Ok(()));
        drop(gateway.apply(&refund("ch_alice_1", 1, None), false));
        assert!(gateway.balances_with(&history).is_err());
    }
}
