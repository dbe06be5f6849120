//! Sequential models of the payment services: what each operation may answer, one after the other.
//!
//! A killed or unfinished operation ([`Answered::Lost`]) may have happened, or not, or half. A terminal error changes
//! nothing, except that a cancel may leave its traces. Restate shows shared handlers the state in the middle of an
//! exclusive one, so a read of such a state (`pending`) is legal while an exclusive operation runs, and has no part.
//!
//! Must not know: time, orders of operations.

use std::collections::BTreeMap;

use onceproof::{
    history::Outcome,
    oracle::{Facts, Invocation, Model},
};

use super::view::{Body, Payments, handler_of};

/// An operation of a model: what was asked, and what was answered.
pub(super) struct Operation<'h> {
    handler: &'h str,
    input: Body,
    answer: Answered,
}

/// How an operation ended.
enum Answered {
    /// A success, with the fields of its answer if there are any.
    Success(Option<Box<Body>>),
    /// A terminal error; `cancelled` if a cancel signal was sent to the operation, or to one that it waited for.
    Failure { code: u32, cancelled: bool },
    /// No answer was given.
    Lost,
}

impl<'h> Operation<'h> {
    fn of(invocation: &Invocation<'h>) -> Self {
        // a read without a body is common, and not worth an error
        let input = if invocation.input.0.is_empty() { None } else { invocation.input_as() };
        let answer = match invocation.completed.filter(|_| invocation.killed.is_none()) {
            None => Answered::Lost,
            Some((_, Outcome::Success(body))) if body.0.is_empty() => Answered::Success(None),
            Some((_, Outcome::Success(_))) => Answered::Success(invocation.answer_as()),
            Some((_, Outcome::Failure { code, .. })) => Answered::Failure {
                code: *code,
                cancelled: *code == 409 || invocation.cancelled.is_some(),
            },
        };
        let handler = handler_of(invocation.object().0, invocation.handler());
        Self { handler, input: input.unwrap_or_default(), answer }
    }

    fn succeeded(&self) -> bool {
        match &self.answer {
            Answered::Success(body) => body.as_ref().and_then(|b| b.success) != Some(false),
            Answered::Failure { .. } | Answered::Lost => false,
        }
    }

    fn was_cancelled(&self) -> bool {
        matches!(self.answer, Answered::Failure { cancelled: true, .. })
    }

    fn is_lost(&self) -> bool {
        matches!(self.answer, Answered::Lost)
    }
}

/// `PaymentService`, one payment.
pub(super) struct PaymentModel;

/// What a payment is. Ids are none until an answer names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PaymentState {
    Absent,
    Pending,
    Failed,
    Cancelled,
    Completed(Taken),
    Refunded(Taken, Option<(String, i64)>),
}

/// What was charged, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Taken {
    id: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    customer: Option<String>,
}

impl Taken {
    /// This, with what `body` adds to it; none if that is something else.
    fn refine(&self, body: &Body) -> Option<Self> {
        fn both<T: Clone + PartialEq>(known: &Option<T>, stated: &Option<T>) -> Option<Option<T>> {
            let agree = known.as_ref().zip(stated.as_ref()).is_none_or(|(a, b)| a == b);
            agree.then(|| known.clone().or_else(|| stated.clone()))
        }
        Some(Self {
            id: both(&self.id, &body.charge_id)?,
            amount: both(&self.amount, &body.amount)?,
            currency: both(&self.currency, &body.currency)?,
            customer: both(&self.customer, &body.customer_id)?,
        })
    }
}

impl PaymentState {
    /// This, as `body` describes it; none if `body` describes something else.
    fn read(&self, body: &Body) -> Option<Self> {
        match (self, body.status.as_deref()?) {
            (Self::Pending, "pending")
            | (Self::Failed, "failed")
            | (Self::Cancelled, "cancelled" | "failed") => Some(self.clone()),
            (Self::Completed(taken), "completed") => Some(Self::Completed(taken.refine(body)?)),
            (Self::Refunded(taken, refund), "refunded") => {
                Some(Self::Refunded(taken.refine(body)?, refund.clone()))
            }
            _ => None,
        }
    }
}

impl Model for PaymentModel {
    type State = PaymentState;
    type Op<'h> = Operation<'h>;

    fn opening(_: &Facts<'_>, _: &str) -> Option<PaymentState> {
        Some(PaymentState::Absent)
    }

    fn operation<'h>(_: &Facts<'h>, invocation: &Invocation<'h>) -> Option<Operation<'h>> {
        Some(Operation::of(invocation))
    }

    fn is_midway(invocation: &Invocation<'_>) -> bool {
        reads_pending(invocation)
    }

    fn step(state: &PaymentState, op: &Operation<'_>, next: &mut Vec<PaymentState>) {
        match op.handler {
            "CreatePayment" => create(state, op, next),
            "GetPayment" => match &op.answer {
                Answered::Success(Some(body)) => next.extend(state.read(body)),
                Answered::Failure { code: 404, .. } => {
                    next.extend((*state == PaymentState::Absent).then_some(PaymentState::Absent));
                }
                _ => next.push(state.clone()),
            },
            "RefundPayment" => refund(state, op, next),
            "CancelPayment" => cancel(state, op, next),
            _ => next.push(state.clone()),
        }
    }
}

/// True if it answers a state that only exists in the middle of an operation.
fn reads_pending(invocation: &Invocation<'_>) -> bool {
    let body = invocation.answer_as::<Body>();
    body.is_some_and(|body| body.status.as_deref() == Some("pending"))
}

fn create(state: &PaymentState, op: &Operation<'_>, next: &mut Vec<PaymentState>) {
    use PaymentState::{Absent, Cancelled, Completed, Failed, Pending};
    let is_new = matches!(state, Absent | Pending);
    // what is pending was begun by another request, and its amount stands
    let asked = Body { charge_id: None, ..op.input.clone() };
    let taken = if *state == Absent { Taken::default().refine(&asked) } else { None };
    let taken = taken.unwrap_or_default();
    if let Answered::Success(Some(body)) = &op.answer {
        next.extend(state.read(body));
        match body.status.as_deref() {
            Some("completed") if is_new => next.extend(taken.refine(body).map(Completed)),
            Some("failed") if is_new => next.push(Failed),
            Some("cancelled") if is_new => next.push(Cancelled),
            _ => {}
        }
        return;
    }
    next.push(state.clone());
    if is_new && !matches!(op.answer, Answered::Success(_)) {
        next.extend([Failed, Cancelled, Pending]);
        next.extend(op.is_lost().then_some(Completed(taken)));
    }
}

fn refund(state: &PaymentState, op: &Operation<'_>, next: &mut Vec<PaymentState>) {
    use PaymentState::{Completed, Refunded};
    match (&op.answer, state) {
        (Answered::Success(Some(body)), _) if body.refund_id.is_some() => {
            let stated = body.refund_id.clone().zip(body.amount);
            match state {
                Completed(taken) if fits(taken, op, body) => {
                    next.push(Refunded(taken.clone(), stated));
                }
                Refunded(taken, known) if known.is_none() || *known == stated => {
                    next.push(Refunded(taken.clone(), stated));
                }
                _ => {}
            }
        }
        (_, Completed(taken)) if op.was_cancelled() || op.is_lost() => {
            next.extend([state.clone(), Refunded(taken.clone(), None)]);
        }
        _ => next.push(state.clone()),
    }
}

fn cancel(state: &PaymentState, op: &Operation<'_>, next: &mut Vec<PaymentState>) {
    use PaymentState::{Absent, Failed, Pending};
    match (&op.answer, state) {
        (Answered::Success(Some(body)), Pending) => {
            next.extend((body.status.as_deref() == Some("failed")).then_some(Failed));
        }
        (Answered::Success(Some(body)), _) => next.extend(state.read(body)),
        (Answered::Failure { code: 404, .. }, _) => {
            next.extend((*state == Absent).then_some(Absent));
        }
        (_, Pending) => next.extend([Pending, Failed]),
        _ => next.push(state.clone()),
    }
}

/// True if the refund's amount is what was asked for: that, or all if nothing or too much was.
fn fits(taken: &Taken, op: &Operation<'_>, body: &Body) -> bool {
    let Some((all, refunded)) = taken.amount.zip(body.amount) else { return true };
    match op.input.amount {
        Some(asked) if asked != 0 && asked <= all => refunded == asked,
        _ => refunded == all,
    }
}

/// `PaymentProcessor`, one token.
pub(super) struct TokenModel;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TokenState {
    New,
    Completed,
    Cancelled,
    Expired,
}

impl Model for TokenModel {
    type State = TokenState;
    type Op<'h> = Operation<'h>;

    fn opening(_: &Facts<'_>, _: &str) -> Option<TokenState> {
        Some(TokenState::New)
    }

    fn operation<'h>(_: &Facts<'h>, invocation: &Invocation<'h>) -> Option<Operation<'h>> {
        Some(Operation::of(invocation))
    }

    fn step(state: &TokenState, op: &Operation<'_>, next: &mut Vec<TokenState>) {
        use TokenState::{Cancelled, Completed, Expired, New};
        let half_done = op.was_cancelled() || op.is_lost();
        match op.handler {
            "makePayment" if op.succeeded() => {
                next.extend(matches!(state, New | Completed).then_some(Completed));
            }
            "makePayment" => {
                next.push(*state);
                next.extend((*state == New && half_done).then_some(Cancelled));
                next.extend((*state == New && op.is_lost()).then_some(Completed));
            }
            "cancelPayment" if op.succeeded() => {
                next.push(if *state == Expired { Expired } else { Cancelled });
            }
            "cancelPayment" => {
                next.push(*state);
                next.extend((*state != Expired && half_done).then_some(Cancelled));
            }
            "expire" => {
                next.extend((!op.succeeded() || *state == New).then_some(*state));
                next.push(Expired);
            }
            "getStatus" => {
                let Answered::Success(Some(body)) = &op.answer else { return next.push(*state) };
                let is = match body.status.as_deref() {
                    Some("NEW") => *state == New,
                    Some("COMPLETED_SUCCESSFULLY") => *state == Completed,
                    Some("CANCELLED") => *state == Cancelled,
                    Some("EXPIRED") => *state == Expired,
                    _ => true,
                };
                next.extend(is.then_some(*state));
            }
            _ => next.push(*state),
        }
    }
}

/// `Account`, one account.
pub(super) struct AccountModel;

/// A balance in cents, none until it is known, and the transfers by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountState {
    balance: Option<i64>,
    transfers: BTreeMap<String, Transfer>,
}

/// What became of a transfer, with what it added to the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Transfer {
    Done(i64),
    Reversed,
}

impl AccountState {
    fn with(&self, delta: i64, id: Option<&String>, transfer: Transfer) -> Self {
        let mut state = self.clone();
        state.balance = self.balance.map(|b| b + delta);
        state.transfers.extend(id.map(|id| (id.clone(), transfer)));
        state
    }

    fn unknown(&self) -> Self {
        Self { balance: None, ..self.clone() }
    }

    /// The state after `op` was done; none if it cannot be done here.
    fn done(&self, op: &Operation<'_>) -> Option<Self> {
        let id = op.input.transfer_id.as_ref();
        let known = id.and_then(|id| self.transfers.get(id));
        if op.handler == "reverse" {
            return Some(match known {
                Some(&Transfer::Done(delta)) => self.with(-delta, id, Transfer::Reversed),
                _ if id.is_some() => self.with(0, id, Transfer::Reversed),
                _ => self.unknown(),
            });
        }
        let Some(cents) = op.input.amount else { return Some(self.unknown()) };
        let delta = if op.handler == "withdraw" { -cents } else { cents };
        match known {
            Some(&Transfer::Done(before)) => (before == delta).then(|| self.clone()),
            Some(Transfer::Reversed) => None,
            None if delta < 0 && self.balance.is_some_and(|b| b < cents) => None,
            None => Some(self.with(delta, id, Transfer::Done(delta))),
        }
    }
}

impl Model for AccountModel {
    type State = AccountState;
    type Op<'h> = Operation<'h>;

    fn opening(facts: &Facts<'_>, key: &str) -> Option<AccountState> {
        let account = facts.view::<Payments>().accounts.get(key);
        let balance = account.and_then(|a| a.opening).map(|(_, balance)| balance);
        Some(AccountState { balance, ..AccountState::default() })
    }

    fn operation<'h>(_: &Facts<'h>, invocation: &Invocation<'h>) -> Option<Operation<'h>> {
        Some(Operation::of(invocation))
    }

    fn step(state: &AccountState, op: &Operation<'_>, next: &mut Vec<AccountState>) {
        match op.handler {
            "balance" => {
                let stated = match &op.answer {
                    Answered::Success(body) => body.as_ref().and_then(|b| b.amount),
                    _ => None,
                };
                if stated.is_none() || state.balance.is_none() || stated == state.balance {
                    next.push(AccountState { balance: stated.or(state.balance), ..state.clone() });
                }
            }
            "withdraw" | "deposit" | "reverse" if op.succeeded() => next.extend(state.done(op)),
            "withdraw" | "deposit" | "reverse" => {
                next.push(state.clone());
                next.extend((op.was_cancelled() || op.is_lost()).then(|| state.done(op)).flatten());
            }
            // another handler may do anything to the balance; a read says what it is again
            _ => next.push(state.unknown()),
        }
    }
}
