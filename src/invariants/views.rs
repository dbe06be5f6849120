//! What the payment services said and stored, parsed once for all oracles of money.
//!
//! Must not know: what ought to hold.

use std::{borrow::Cow, collections::BTreeMap};

use crate::history::Outcome;

use super::{
    body::{Body, balance_of, status_of},
    facts::{Business, Facts, Invocation, StateChange},
};

/// The object that charges a card at the gateway.
pub(super) const PAYMENT: &str = "PaymentService";
/// The object that takes money from an account.
pub(super) const TOKEN: &str = "PaymentProcessor";
/// The object that holds a balance.
pub(super) const ACCOUNT: &str = "Account";

/// All objects of the payment services, by key.
#[derive(Debug, Default)]
pub(super) struct Views<'h> {
    pub(super) payments: BTreeMap<&'h str, Payment<'h>>,
    pub(super) tokens: BTreeMap<&'h str, Token<'h>>,
    pub(super) accounts: BTreeMap<&'h str, Account<'h>>,
    /// Those of one business key side by side, in order of time.
    transfers: Vec<Transfer<'h>>,
}

/// The answer of a handler.
#[derive(Debug)]
pub(super) struct Answer<'h> {
    pub(super) handler: &'h str,
    /// The records of its creation and its end.
    pub(super) created: usize,
    pub(super) record: usize,
    pub(super) said: Said<'h>,
}

/// What a handler answered.
#[derive(Debug)]
pub(super) enum Said<'h> {
    /// A success; the fields of its body if it is an object.
    Body(Option<Body<'h>>),
    /// A terminal error.
    Failure(u32),
}

impl<'h> Answer<'h> {
    /// The fields of a successful answer.
    pub(super) fn body(&self) -> Option<&Body<'h>> {
        match &self.said {
            Said::Body(body) => body.as_ref(),
            Said::Failure(_) => None,
        }
    }

    /// True if the handler succeeded and does not say otherwise itself.
    pub(super) fn succeeded(&self) -> bool {
        match &self.said {
            Said::Body(body) => body.as_ref().and_then(|b| b.success) != Some(false),
            Said::Failure(_) => false,
        }
    }
}

/// A `PaymentService` object.
#[derive(Debug, Default)]
pub(super) struct Payment<'h> {
    /// Each value of the state `payment`, with its record.
    pub(super) states: Vec<(usize, Option<Body<'h>>)>,
    /// Each value of the state `refund`.
    pub(super) refunds: Vec<(usize, Option<Body<'h>>)>,
    /// In order of their ends.
    pub(super) answers: Vec<Answer<'h>>,
}

impl<'h> Payment<'h> {
    /// The last value of the state `payment`, with its record.
    pub(super) fn stored(&self) -> Option<(usize, &Body<'h>)> {
        self.states.last().and_then(|(record, body)| Some((*record, body.as_ref()?)))
    }

    /// The last value of the state `refund`, with its record.
    pub(super) fn stored_refund(&self) -> Option<(usize, &Body<'h>)> {
        self.refunds.last().and_then(|(record, body)| Some((*record, body.as_ref()?)))
    }
}

/// A `PaymentProcessor` object.
#[derive(Debug, Default)]
pub(super) struct Token<'h> {
    /// Each value of the state `status`, with its record; none where it was cleared.
    pub(super) statuses: Vec<(usize, Option<Cow<'h, str>>)>,
    /// Each value of the state `payment`.
    pub(super) payments: Vec<(usize, Option<Body<'h>>)>,
    /// In order of their ends.
    pub(super) answers: Vec<Answer<'h>>,
}

/// An `Account` object.
#[derive(Debug, Default)]
pub(super) struct Account<'h> {
    /// The balance before the run, in cents; none if it was not given.
    pub(super) opening: Option<i64>,
    /// The last balance, with its record.
    pub(super) balance: Option<(usize, i64)>,
    /// In order of their ends.
    pub(super) answers: Vec<Answer<'h>>,
}

/// A change of an account's balance: the ground truth of what a deposit or withdrawal did.
#[derive(Debug)]
pub(super) struct Transfer<'h> {
    /// The object whose handler asked for it; none if a client did.
    pub(super) by: Option<Business<'h>>,
    pub(super) record: usize,
    pub(super) account: &'h str,
    /// In cents; negative if the account has less than before.
    pub(super) delta: i64,
}

impl<'h> Views<'h> {
    pub(super) fn of(facts: &Facts<'h>) -> Self {
        let mut views = Self::default();
        for change in facts.states() {
            views.add_state(facts, change);
        }
        for invocation in facts.invocations() {
            views.add_answer(invocation);
        }
        for payment in views.payments.values_mut() {
            payment.answers.sort_by_key(|a| a.record);
        }
        for token in views.tokens.values_mut() {
            token.answers.sort_by_key(|a| a.record);
        }
        for account in views.accounts.values_mut() {
            account.answers.sort_by_key(|a| a.record);
        }
        views.transfers.sort_by_key(|t| (t.by, t.record));
        views
    }

    /// All changes of balances, those of one business key side by side, in order of time.
    pub(super) fn transfers(&self) -> &[Transfer<'h>] {
        &self.transfers
    }

    /// The changes of balances that the object `TOKEN/key` asked for, in order of time.
    pub(super) fn transfers_of(&self, token: &str) -> &[Transfer<'h>] {
        let by = Some(Business::object(TOKEN, token));
        let from = self.transfers.partition_point(|t| t.by < by);
        let len = self.transfers[from..].partition_point(|t| t.by == by);
        &self.transfers[from..from + len]
    }

    fn add_state(&mut self, facts: &Facts<'h>, change: &StateChange<'h>) {
        let record = change.record;
        match (change.service, change.name) {
            (PAYMENT, "payment") => {
                let body = change.value.and_then(Body::parse);
                self.payments.entry(change.key).or_default().states.push((record, body));
            }
            (PAYMENT, "refund") => {
                let body = change.value.and_then(Body::parse);
                self.payments.entry(change.key).or_default().refunds.push((record, body));
            }
            (TOKEN, "status") => {
                let status = change.value.and_then(status_of);
                self.tokens.entry(change.key).or_default().statuses.push((record, status));
            }
            (TOKEN, "payment") => {
                let body = change.value.and_then(Body::parse);
                self.tokens.entry(change.key).or_default().payments.push((record, body));
            }
            // The whole book in one value, or the bare balance.
            (ACCOUNT, "account" | "balance") => self.add_balance(facts, change),
            _ => {}
        }
    }

    fn add_balance(&mut self, facts: &Facts<'h>, change: &StateChange<'h>) {
        let account = self.accounts.entry(change.key).or_default();
        let balance = change.value.and_then(balance_of).unwrap_or(0);
        if change.inv.is_none() {
            account.opening = Some(balance);
        } else if let Some((_, before)) = account.balance {
            let by = change
                .inv
                .and_then(|inv| facts.invocation(inv)?.parent())
                .and_then(|inv| facts.invocation(inv))
                .map(|parent| Business {
                    service: &parent.target.service,
                    key: &parent.target.key,
                    inv: parent.target.key.is_empty().then_some(parent.inv),
                });
            self.transfers.push(Transfer {
                by,
                record: change.record,
                account: change.key,
                delta: balance - before,
            });
        }
        account.balance = Some((change.record, balance));
    }

    fn add_answer(&mut self, invocation: &Invocation<'h>) {
        let Some((record, outcome)) = invocation.completed else { return };
        let (service, key) = invocation.object();
        let answers = match service {
            PAYMENT => &mut self.payments.entry(key).or_default().answers,
            TOKEN => &mut self.tokens.entry(key).or_default().answers,
            ACCOUNT => &mut self.accounts.entry(key).or_default().answers,
            _ => return,
        };
        answers.push(Answer {
            handler: &invocation.target.handler,
            created: invocation.created,
            record,
            said: match outcome {
                Outcome::Success(body) => Said::Body(Body::parse(body)),
                Outcome::Failure { code, .. } => Said::Failure(*code),
            },
        });
    }
}
