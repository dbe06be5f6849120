//! `Account`: money that is moved by named transfers, each applied once.
//!
//! What makes it safe: the name of a transfer says which one it is, so that asking twice moves money
//! once; and the balance changes in one write together with the transfer that changed it, so that even
//! an operator's kill cannot part them.
//!
//! Must not know: who moves the money, the simulation.

use std::{collections::BTreeMap, sync::Arc};

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    durable::invalid,
    service::{Service, needed, reference, takes, takes_nothing},
};
use crate::money::Cents;

/// The state that holds the [`Book`].
const BOOK: &str = "account";

/// The body of `withdraw` and `deposit`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["transferId", "amountCents"]), extend("examples" = [{ "transferId": "t-1", "amountCents": 500 }]))]
pub(super) struct TransferRequest {
    #[schemars(length(min = 1))]
    pub(super) transfer_id: String,
    #[schemars(range(min = 1))]
    pub(super) amount_cents: Cents,
}

/// The body of `reverse`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["transferId"]), extend("examples" = [{ "transferId": "t-1" }]))]
pub(super) struct ReverseRequest {
    #[schemars(length(min = 1))]
    pub(super) transfer_id: String,
}

/// Whether it was done, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) reason: String,
}

impl Outcome {
    pub(super) fn done(reason: &str) -> Self {
        Self { success: true, reason: reason.into() }
    }

    pub(super) fn refused(reason: &str) -> Self {
        Self { success: false, reason: reason.into() }
    }
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Transfer {
    Withdrawn(Cents),
    Deposited(Cents),
    /// Undone, or never to be done.
    Reversed,
}

/// The account: one value, so that it changes as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Book {
    balance: Cents,
    transfers: BTreeMap<String, Transfer>,
}

/// The service; it has no planted bugs.
pub(super) static SERVICE: Service = Service {
    name: "Account",
    keyed: true,
    handlers: &[
        takes("withdraw", needed::<TransferRequest>()),
        takes("deposit", needed::<TransferRequest>()),
        takes("reverse", needed::<ReverseRequest>()),
        takes_nothing("balance").beside_others(),
    ],
    reference: reference("each transfer applied once", |endpoint, systems| {
        endpoint.bind(Account { opening: Arc::clone(&systems.accounts) })
    }),
};

/// One account per object key.
pub(super) struct Account {
    /// The balances of accounts before their first transfer.
    opening: Arc<BTreeMap<String, Cents>>,
}

#[object(name = "Account", client_visibility = "pub(super)")]
impl Account {
    /// Takes money out, once per transfer.
    #[handler]
    async fn withdraw(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<TransferRequest>,
    ) -> HandlerResult<Json<Outcome>> {
        let book = self.book(&ctx).await?;
        write(&ctx, book, |book| book.withdraw(request))
    }

    /// Puts money in, once per transfer.
    #[handler]
    async fn deposit(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<TransferRequest>,
    ) -> HandlerResult<Json<Outcome>> {
        let book = self.book(&ctx).await?;
        write(&ctx, book, |book| book.deposit(request))
    }

    /// Undoes a withdrawal, and if it has not come yet, keeps it from ever happening.
    #[handler]
    async fn reverse(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReverseRequest>,
    ) -> HandlerResult<Json<Outcome>> {
        let book = self.book(&ctx).await?;
        write(&ctx, book, |book| book.reverse(request))
    }

    /// The balance in cents.
    #[handler]
    async fn balance(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<i64> {
        let book = ctx.get::<Json<Book>>(BOOK).await?;
        Ok(book.map_or_else(|| self.opened(ctx.key()), Json::into_inner).balance.0)
    }
}

impl Account {
    async fn book(&self, ctx: &ObjectContext<'_>) -> HandlerResult<Book> {
        let book = ctx.get::<Json<Book>>(BOOK).await?;
        Ok(book.map_or_else(|| self.opened(ctx.key()), Json::into_inner))
    }

    /// The book of an account that has none yet.
    fn opened(&self, account: &str) -> Book {
        let balance = self.opening.get(account).copied().unwrap_or_default();
        Book { balance, ..Book::default() }
    }
}

/// The state of an account before its first transfer: the state's name, and its value as JSON.
#[must_use]
pub fn opening_state(balance: Cents) -> (&'static str, serde_json::Value) {
    (BOOK, serde_json::json!({ "balance": balance, "transfers": {} }))
}

/// Stores the book if `entry` changed it, and answers.
fn write(
    ctx: &ObjectContext<'_>,
    mut book: Book,
    entry: impl FnOnce(&mut Book) -> Result<Outcome, TerminalError>,
) -> HandlerResult<Json<Outcome>> {
    let before = book.clone();
    let outcome = entry(&mut book)?;
    if book != before {
        ctx.set(BOOK, Json(book));
    }
    Ok(Json(outcome))
}

impl Book {
    fn withdraw(&mut self, request: TransferRequest) -> Result<Outcome, TerminalError> {
        let TransferRequest { transfer_id, amount_cents } = request.checked()?;
        match self.transfers.get(&transfer_id) {
            None if self.balance < amount_cents => {
                return Ok(Outcome::refused("insufficient funds"));
            }
            None => {}
            Some(&Transfer::Withdrawn(amount)) if amount == amount_cents => {
                return Ok(Outcome::done("ok"));
            }
            Some(Transfer::Reversed) => return Ok(Outcome::refused("transfer was reversed")),
            Some(_) => return Err(taken()),
        }
        self.balance.0 -= amount_cents.0;
        self.transfers.insert(transfer_id, Transfer::Withdrawn(amount_cents));
        Ok(Outcome::done("ok"))
    }

    fn deposit(&mut self, request: TransferRequest) -> Result<Outcome, TerminalError> {
        let TransferRequest { transfer_id, amount_cents } = request.checked()?;
        match self.transfers.get(&transfer_id) {
            None => {}
            Some(&Transfer::Deposited(amount)) if amount == amount_cents => {
                return Ok(Outcome::done("ok"));
            }
            Some(_) => return Err(taken()),
        }
        let balance = self.balance.0.checked_add(amount_cents.0);
        self.balance = Cents(balance.ok_or_else(|| invalid("amountCents", "is too large"))?);
        self.transfers.insert(transfer_id, Transfer::Deposited(amount_cents));
        Ok(Outcome::done("ok"))
    }

    fn reverse(&mut self, request: ReverseRequest) -> Result<Outcome, TerminalError> {
        let transfer_id = request.transfer_id;
        check_id(&transfer_id)?;
        match self.transfers.get(&transfer_id) {
            None | Some(Transfer::Reversed) => {}
            Some(Transfer::Withdrawn(amount)) => {
                let balance = self.balance.0.checked_add(amount.0);
                self.balance =
                    Cents(balance.ok_or_else(|| invalid("amountCents", "is too large"))?);
            }
            Some(Transfer::Deposited(_)) => return Err(taken()),
        }
        self.transfers.insert(transfer_id, Transfer::Reversed);
        Ok(Outcome::done("ok"))
    }
}

impl TransferRequest {
    fn checked(self) -> Result<Self, TerminalError> {
        check_id(&self.transfer_id)?;
        if self.amount_cents <= Cents(0) {
            return Err(invalid("amountCents", "must be positive"));
        }
        Ok(self)
    }
}

fn check_id(transfer_id: &str) -> Result<(), TerminalError> {
    if transfer_id.is_empty() {
        return Err(invalid("transferId", "must not be empty"));
    }
    Ok(())
}

fn taken() -> TerminalError {
    invalid("transferId", "belongs to another transfer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(transfer_id: &str, amount: i64) -> TransferRequest {
        TransferRequest { transfer_id: transfer_id.into(), amount_cents: Cents(amount) }
    }

    fn reversal(transfer_id: &str) -> ReverseRequest {
        ReverseRequest { transfer_id: transfer_id.into() }
    }

    fn opened(balance: i64) -> Book {
        let (_, state) = opening_state(Cents(balance));
        serde_json::from_value(state).expect("an opening state is a book")
    }

    #[test]
    fn an_account_without_a_book_opens_as_it_was_told() {
        let opening = BTreeMap::from([("abc".to_owned(), Cents(7))]);
        let account = Account { opening: Arc::new(opening) };
        assert_eq!(account.opened("abc"), opened(7));
        assert_eq!(account.opened("def"), Book::default());
    }

    #[test]
    fn a_transfer_is_applied_once() {
        let mut book = opened(100);
        for _ in 0..2 {
            assert_eq!(book.withdraw(transfer("a", 60)).expect("allowed"), Outcome::done("ok"));
            assert_eq!(book.balance, Cents(40));
        }
        for _ in 0..2 {
            assert_eq!(book.deposit(transfer("b", 5)).expect("allowed"), Outcome::done("ok"));
            assert_eq!(book.balance, Cents(45));
        }
        for _ in 0..2 {
            assert_eq!(book.reverse(reversal("a")).expect("allowed"), Outcome::done("ok"));
            assert_eq!(book.balance, Cents(105));
        }
    }

    #[test]
    fn a_reversed_transfer_never_happens_whichever_comes_first() {
        let mut book = opened(100);
        book.reverse(reversal("a")).expect("allowed");
        let late = book.withdraw(transfer("a", 60)).expect("allowed");
        assert_eq!(late, Outcome::refused("transfer was reversed"));
        assert_eq!(book.balance, Cents(100));
    }

    #[test]
    fn a_refused_withdrawal_can_be_tried_again() {
        let mut book = opened(10);
        let refused = book.withdraw(transfer("a", 60)).expect("allowed");
        assert_eq!(refused, Outcome::refused("insufficient funds"));
        book.deposit(transfer("b", 50)).expect("allowed");
        assert_eq!(book.withdraw(transfer("a", 60)).expect("allowed"), Outcome::done("ok"));
        assert_eq!(book.balance, Cents(0));
    }

    #[test]
    fn a_bad_transfer_is_refused_with_400_and_changes_nothing() {
        type Entry = fn(&mut Book) -> Result<Outcome, TerminalError>;
        let before = {
            let mut book = opened(100);
            book.withdraw(transfer("out", 1)).expect("allowed");
            book.deposit(transfer("in", 1)).expect("allowed");
            book
        };
        let cases: [(Entry, &str); 8] = [
            (|book| book.withdraw(transfer("", 1)), "invalid transferId: must not be empty"),
            (|book| book.withdraw(transfer("a", 0)), "invalid amountCents: must be positive"),
            (|book| book.deposit(transfer("a", -1)), "invalid amountCents: must be positive"),
            (|book| book.deposit(transfer("a", i64::MAX)), "invalid amountCents: is too large"),
            (
                |book| book.withdraw(transfer("out", 2)),
                "invalid transferId: belongs to another transfer",
            ),
            (
                |book| book.deposit(transfer("out", 1)),
                "invalid transferId: belongs to another transfer",
            ),
            (
                |book| book.reverse(reversal("in")),
                "invalid transferId: belongs to another transfer",
            ),
            (|book| book.reverse(reversal("")), "invalid transferId: must not be empty"),
        ];
        for (entry, message) in cases {
            let mut book = before.clone();
            let error = entry(&mut book).expect_err(message);
            assert_eq!((error.code(), error.message()), (400, message));
            assert_eq!(book, before, "{message}");
        }
    }
}
