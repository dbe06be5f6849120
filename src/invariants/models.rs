//! Sequential models of the payment services: what each operation may answer, one after the other.
//!
//! [`Answered::Lost`] means that the operation was killed or not over: it may have happened, or not,
//! or half. A terminal error changes nothing, except that a cancel may leave its traces.
//!
//! Must not know: histories, time.

use std::collections::BTreeMap;

use super::{body::Body, linearize::Model};

/// An operation of a model: what was asked, and what was answered.
#[derive(Debug)]
pub(super) struct Call<'h> {
    pub(super) handler: &'h str,
    pub(super) input: Input<'h>,
    pub(super) answer: Answered<'h>,
}

/// The parts of an input that models read.
#[derive(Debug, Default)]
pub(super) struct Input<'h> {
    pub(super) body: Option<Body<'h>>,
    pub(super) cents: Option<i64>,
}

/// How an operation ended.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "almost all are successes, and live in one list")]
pub(super) enum Answered<'h> {
    /// A success: the fields of its body, its `status` or string, its number.
    Success { body: Option<Body<'h>>, status: Option<String>, cents: Option<i64> },
    /// A terminal error; `cancelled` if a cancel signal was sent to the operation.
    Failure { code: u32, cancelled: bool },
    /// No answer was given.
    Lost,
}

impl Answered<'_> {
    fn succeeded(&self) -> bool {
        match self {
            Self::Success { body, .. } => body.as_ref().and_then(|b| b.success) != Some(false),
            _ => false,
        }
    }
}

/// `PaymentService`, one payment.
pub(super) struct PaymentModel<'h>(std::marker::PhantomData<&'h ()>);

/// What a payment is. Ids are none until an answer names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PaymentState {
    #[default]
    Absent,
    Pending,
    Failed,
    Cancelled,
    Completed(Charged),
    Refunded(Charged, Option<(String, i64)>),
}

/// What was charged, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Charged {
    id: Option<String>,
    amount: Option<i64>,
}

impl Charged {
    /// This, with what `body` tells of it; none if that is something else.
    fn refine(&self, body: &Body<'_>) -> Option<Self> {
        let agree = |known: &Option<String>, told: Option<&str>| {
            known.is_none() || told.is_none() || known.as_deref() == told
        };
        let same_amount =
            self.amount.is_none() || body.amount.is_none_or(|a| self.amount == Some(a));
        (agree(&self.id, body.charge_id()) && same_amount).then(|| Self {
            id: self.id.clone().or_else(|| body.charge_id().map(Into::into)),
            amount: self.amount.or(body.amount),
        })
    }
}

impl PaymentState {
    /// This, as `body` describes it; none if `body` describes something else.
    fn read(&self, body: &Body<'_>) -> Option<Self> {
        match (self, body.status()?) {
            (Self::Pending, "pending")
            | (Self::Failed, "failed")
            | (Self::Cancelled, "cancelled" | "failed") => Some(self.clone()),
            (Self::Completed(charged), "completed") => Some(Self::Completed(charged.refine(body)?)),
            (Self::Refunded(charged, refund), "refunded") => {
                Some(Self::Refunded(charged.refine(body)?, refund.clone()))
            }
            _ => None,
        }
    }
}

impl<'h> Model for PaymentModel<'h> {
    type State = PaymentState;
    type Op = Call<'h>;

    fn step(state: &PaymentState, op: &Call<'h>, next: &mut Vec<PaymentState>) {
        match op.handler {
            "CreatePayment" => create(state, op, next),
            "GetPayment" => match &op.answer {
                Answered::Success { body: Some(body), .. } => next.extend(state.read(body)),
                Answered::Failure { code: 404, .. } => {
                    next.extend((*state == PaymentState::Absent).then_some(state.clone()));
                }
                _ => next.push(state.clone()),
            },
            "RefundPayment" => refund(state, op, next),
            _ => next.push(state.clone()),
        }
    }
}

fn create(state: &PaymentState, op: &Call<'_>, next: &mut Vec<PaymentState>) {
    let is_new = matches!(state, PaymentState::Absent | PaymentState::Pending);
    // What is pending was begun by another request, and its amount stands.
    let asked = op.input.body.as_ref().filter(|_| *state == PaymentState::Absent);
    let charged = Charged { id: None, amount: asked.and_then(|b| b.amount) };
    match &op.answer {
        Answered::Success { body: Some(body), .. } => {
            next.extend(state.read(body));
            match body.status() {
                Some("completed") if is_new => {
                    next.extend(charged.refine(body).map(PaymentState::Completed));
                }
                Some("failed") if is_new => next.push(PaymentState::Failed),
                Some("cancelled") if is_new => next.push(PaymentState::Cancelled),
                _ => {}
            }
        }
        Answered::Success { .. } => next.push(state.clone()),
        Answered::Failure { .. } => {
            next.push(state.clone());
            if is_new {
                next.extend([PaymentState::Failed, PaymentState::Cancelled, PaymentState::Pending]);
            }
        }
        Answered::Lost => {
            next.push(state.clone());
            if is_new {
                next.extend([PaymentState::Failed, PaymentState::Cancelled, PaymentState::Pending]);
                next.push(PaymentState::Completed(charged));
            }
        }
    }
}

fn refund(state: &PaymentState, op: &Call<'_>, next: &mut Vec<PaymentState>) {
    match (&op.answer, state) {
        (Answered::Success { body: Some(body), .. }, _) if body.refund_id().is_some() => {
            let told = body.refund_id().map(Into::into).zip(body.amount);
            match state {
                PaymentState::Completed(charged) if fits(charged, op, body) => {
                    next.push(PaymentState::Refunded(charged.clone(), told));
                }
                PaymentState::Refunded(charged, known) if known.is_none() || *known == told => {
                    next.push(PaymentState::Refunded(charged.clone(), told));
                }
                _ => {}
            }
        }
        (
            Answered::Failure { cancelled: true, .. } | Answered::Lost,
            PaymentState::Completed(c),
        ) => {
            next.push(state.clone());
            next.push(PaymentState::Refunded(c.clone(), None));
        }
        _ => next.push(state.clone()),
    }
}

/// True if the refund's amount is what was asked for: that, or all if nothing or too much was.
fn fits(charged: &Charged, op: &Call<'_>, body: &Body<'_>) -> bool {
    let (Some(all), Some(refunded)) = (charged.amount, body.amount) else { return true };
    match op.input.body.as_ref().and_then(|b| b.amount) {
        Some(asked) if asked != 0 && asked <= all => refunded == asked,
        _ => refunded == all,
    }
}

/// `PaymentProcessor`, one token.
pub(super) struct TokenModel<'h>(std::marker::PhantomData<&'h ()>);

/// What a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TokenState {
    #[default]
    New,
    Completed,
    Cancelled,
    Expired,
}

impl<'h> Model for TokenModel<'h> {
    type State = TokenState;
    type Op = Call<'h>;

    fn step(state: &TokenState, op: &Call<'h>, next: &mut Vec<TokenState>) {
        use TokenState::{Cancelled, Completed, Expired, New};
        let cancelled = matches!(op.answer, Answered::Failure { cancelled: true, .. });
        let lost = matches!(op.answer, Answered::Lost);
        match op.handler {
            "makePayment" if op.answer.succeeded() => {
                next.extend(matches!(state, New | Completed).then_some(Completed));
            }
            "makePayment" => {
                next.push(state.clone());
                if *state == New && (cancelled || lost) {
                    next.push(Cancelled);
                }
                if *state == New && lost {
                    next.push(Completed);
                }
            }
            "cancelPayment" if op.answer.succeeded() => {
                next.push(if *state == Expired { Expired } else { Cancelled });
            }
            "cancelPayment" => {
                next.push(state.clone());
                if *state != Expired && (cancelled || lost) {
                    next.push(Cancelled);
                }
            }
            "expire" => {
                if !op.answer.succeeded() || *state == New {
                    next.push(state.clone());
                }
                next.push(Expired);
            }
            "getStatus" => match &op.answer {
                Answered::Success { status: Some(status), .. } => {
                    let is = match status.as_str() {
                        "NEW" => *state == New,
                        "COMPLETED_SUCCESSFULLY" => *state == Completed,
                        "CANCELLED" => *state == Cancelled,
                        "EXPIRED" => *state == Expired,
                        _ => true,
                    };
                    next.extend(is.then(|| state.clone()));
                }
                _ => next.push(state.clone()),
            },
            _ => next.push(state.clone()),
        }
    }
}

/// The handler that an account's opening balance is said to come from.
pub(super) const OPEN: &str = "";

/// `Account`, one account.
pub(super) struct AccountModel<'h>(std::marker::PhantomData<&'h ()>);

/// A balance in cents, none until it is known, and the transfers by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountState {
    balance: Option<i64>,
    transfers: BTreeMap<String, Transfer>,
}

/// What became of a transfer, with what it added to the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Transfer {
    Done(i64),
    Reversed,
}

impl AccountState {
    fn with(&self, delta: i64, id: Option<&str>, transfer: Transfer) -> Self {
        let mut state = self.clone();
        state.balance = self.balance.map(|b| b + delta);
        state.transfers.extend(id.map(|id| (id.to_owned(), transfer)));
        state
    }

    fn unknown(&self) -> Self {
        Self { balance: None, ..self.clone() }
    }

    /// The state after `op` was done; none if it cannot be done here.
    fn done(&self, op: &Call<'_>) -> Option<Self> {
        let id = op.input.body.as_ref().and_then(|b| b.transfer_id());
        let known = id.and_then(|id| self.transfers.get(id));
        let Some(cents) = op.input.cents.filter(|_| op.handler != "reverse") else {
            return Some(match (op.handler, known) {
                ("reverse", Some(&Transfer::Done(delta))) => {
                    self.with(-delta, id, Transfer::Reversed)
                }
                ("reverse", _) if id.is_some() => self.with(0, id, Transfer::Reversed),
                _ => self.unknown(),
            });
        };
        let delta = if op.handler == "withdraw" { -cents } else { cents };
        match known {
            Some(&Transfer::Done(before)) => (before == delta).then(|| self.clone()),
            Some(Transfer::Reversed) => None,
            None if delta < 0 && self.balance.is_some_and(|b| b < cents) => None,
            None => Some(self.with(delta, id, Transfer::Done(delta))),
        }
    }
}

impl<'h> Model for AccountModel<'h> {
    type State = AccountState;
    type Op = Call<'h>;

    fn step(state: &AccountState, op: &Call<'h>, next: &mut Vec<AccountState>) {
        match op.handler {
            OPEN => next.push(AccountState { balance: op.input.cents, ..state.clone() }),
            "balance" => {
                let told = match &op.answer {
                    Answered::Success { cents, .. } => *cents,
                    _ => None,
                };
                if told.is_none() || state.balance.is_none() || told == state.balance {
                    next.push(AccountState { balance: told.or(state.balance), ..state.clone() });
                }
            }
            "withdraw" | "deposit" | "reverse" => match &op.answer {
                Answered::Success { .. } if op.answer.succeeded() => next.extend(state.done(op)),
                Answered::Failure { cancelled: true, .. } | Answered::Lost => {
                    next.push(state.clone());
                    next.extend(state.done(op));
                }
                _ => next.push(state.clone()),
            },
            // Another handler may do anything to the balance; a read says what it is again.
            _ => next.push(state.unknown()),
        }
    }
}
