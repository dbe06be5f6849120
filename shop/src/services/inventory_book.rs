//! The book of one product: how much there is, who holds how much of it, and every rule of how that changes.
//!
//! All of it is one value without a context, so that each rule can be read, and tested, by itself.
//!
//! Must not know: handlers, who reserves, the simulation.

use std::{collections::BTreeMap, time::Duration};

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::durable::invalid;

/// The state that holds the [`Stock`].
pub(super) const STOCK: &str = "stock_level";

/// How long stock is held for whoever does not say.
const EXPIRY_S: i64 = 15 * 60;
/// Nobody may hold stock for longer than this.
const EXPIRY_S_MAX: i64 = 7 * 24 * 60 * 60;

/// The body of `ReserveStock`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["productId", "quantity", "reservationId"]), extend("examples" = [{ "productId": "tea", "quantity": 1, "reservationId": "r-1" }]))]
pub(super) struct ReservationRequest {
    #[schemars(length(min = 1))]
    pub(super) product_id: String,
    #[schemars(range(min = 1))]
    pub(super) quantity: i64,
    #[schemars(length(min = 1))]
    pub(super) reservation_id: String,
    /// A quarter of an hour if not given.
    #[schemars(range(min = 1, max = EXPIRY_S_MAX))]
    pub(super) expires_in_seconds: Option<i64>,
}

/// The body of the handlers that take nothing but the name of a reservation.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["reservationId"]), extend("examples" = [{ "reservationId": "r-1" }]))]
pub(super) struct ReservationRef {
    #[schemars(length(min = 1))]
    pub(super) reservation_id: String,
}

/// The body of `Restock`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["quantity", "restockId"]), extend("examples" = [{ "quantity": 10, "restockId": "truck-1" }]))]
pub(super) struct RestockRequest {
    #[schemars(range(min = 1))]
    pub(super) quantity: i64,
    #[schemars(length(min = 1))]
    pub(super) restock_id: String,
}

/// How far a reservation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReservationStatus {
    Active,
    Released,
    Expired,
    Sold,
}

/// A reservation, as it is stored and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reservation {
    pub(super) reservation_id: String,
    pub(super) product_id: String,
    pub(super) quantity: i64,
    pub(super) status: ReservationStatus,
    /// When the stock was set aside; none if it was released before that could happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
}

/// How much there is, as `GetStockLevel` answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockLevel {
    pub(super) product_id: String,
    /// Whatever was ever put in stock.
    pub(super) total_stock: i64,
    pub(super) available_stock: i64,
    pub(super) reserved_stock: i64,
    pub(super) sold_stock: i64,
}

/// The product: one value, so that it changes as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stock {
    #[serde(flatten)]
    pub(super) level: StockLevel,
    #[serde(default)]
    pub(super) reservations: BTreeMap<String, Reservation>,
    /// How much came with each restock.
    #[serde(default)]
    restocks: BTreeMap<String, i64>,
}

/// The state of a product before its first reservation: the state's name, and its value as JSON.
#[must_use]
pub fn opening_stock(product: &str, quantity: u32) -> (&'static str, serde_json::Value) {
    let stock = serde_json::json!({
        "productId": product, "totalStock": quantity, "availableStock": quantity, "reservedStock": 0,
        "soldStock": 0, "reservations": {}, "restocks": {},
    });
    (STOCK, stock)
}

impl Stock {
    pub(super) fn new(product: &str) -> Self {
        let level = StockLevel { product_id: product.into(), ..StockLevel::default() };
        Self { level, ..Self::default() }
    }

    /// What there is to answer to `request` if the reservation is known.
    ///
    /// # Errors
    /// 400 if the name belongs to another quantity, 410 if the reservation is over.
    pub(super) fn known(
        &self,
        request: &ReservationRequest,
    ) -> Result<Option<Reservation>, TerminalError> {
        let Some(known) = self.reservations.get(&request.reservation_id) else { return Ok(None) };
        match known.status {
            ReservationStatus::Released | ReservationStatus::Expired => Err(known.over()),
            _ if known.quantity != request.quantity => {
                Err(invalid("reservationId", "belongs to another reservation"))
            }
            ReservationStatus::Active | ReservationStatus::Sold => Ok(Some(known.clone())),
        }
    }

    /// # Errors
    /// 422 if there is less than `quantity`.
    pub(super) fn check_available(&self, quantity: i64) -> Result<(), TerminalError> {
        if quantity > self.level.available_stock {
            return Err(TerminalError::new_with_code(422, "insufficient stock"));
        }
        Ok(())
    }

    /// Sets stock aside, of which there must be enough.
    pub(super) fn reserve(
        &mut self,
        request: ReservationRequest,
        created_at: String,
    ) -> Reservation {
        let ReservationRequest { product_id, quantity, reservation_id, .. } = request;
        self.level.available_stock -= quantity;
        self.level.reserved_stock += quantity;
        let reservation = Reservation {
            reservation_id: reservation_id.clone(),
            product_id,
            quantity,
            status: ReservationStatus::Active,
            created_at: Some(created_at),
        };
        self.reservations.insert(reservation_id, reservation.clone());
        reservation
    }

    /// Gives back what is held.
    ///
    /// # Errors
    /// 400 if the name is bad, 422 if the reservation is sold: that is for [`Stock::return_sold`] to undo.
    pub(super) fn release(
        &mut self,
        request: ReservationRef,
    ) -> Result<Reservation, TerminalError> {
        let ReservationRef { reservation_id } = request.checked()?;
        let product_id = &self.level.product_id;
        // The release came first: remember it, so that the reserve is refused when it comes.
        let never_made = || Reservation::released(&reservation_id, product_id);
        let known = self.reservations.entry(reservation_id.clone()).or_insert_with(never_made);
        match known.status {
            ReservationStatus::Released | ReservationStatus::Expired => {}
            ReservationStatus::Sold => {
                return Err(TerminalError::new_with_code(422, "reservation is sold"));
            }
            ReservationStatus::Active => {
                known.status = ReservationStatus::Released;
                self.level.reserved_stock -= known.quantity;
                self.level.available_stock += known.quantity;
            }
        }
        Ok(known.clone())
    }

    pub(super) fn confirm(
        &mut self,
        request: ReservationRef,
    ) -> Result<Reservation, TerminalError> {
        let ReservationRef { reservation_id } = request.checked()?;
        let known = self.reservations.get_mut(&reservation_id).ok_or_else(not_found)?;
        match known.status {
            ReservationStatus::Sold => {}
            ReservationStatus::Released | ReservationStatus::Expired => return Err(known.over()),
            ReservationStatus::Active => {
                known.status = ReservationStatus::Sold;
                self.level.reserved_stock -= known.quantity;
                self.level.sold_stock += known.quantity;
            }
        }
        Ok(known.clone())
    }

    /// Ends the reservation if it is active; says whether it was.
    pub(super) fn expire(&mut self, request: &ReservationRef) -> bool {
        let Some(known) = self.reservations.get_mut(&request.reservation_id) else { return false };
        if known.status != ReservationStatus::Active {
            return false;
        }
        known.status = ReservationStatus::Expired;
        self.level.reserved_stock -= known.quantity;
        self.level.available_stock += known.quantity;
        true
    }

    pub(super) fn return_sold(
        &mut self,
        request: ReservationRef,
    ) -> Result<Reservation, TerminalError> {
        let ReservationRef { reservation_id } = request.checked()?;
        let known = self.reservations.get_mut(&reservation_id).ok_or_else(not_found)?;
        match known.status {
            ReservationStatus::Released => {}
            ReservationStatus::Active | ReservationStatus::Expired => {
                return Err(TerminalError::new_with_code(422, "reservation is not sold"));
            }
            ReservationStatus::Sold => {
                known.status = ReservationStatus::Released;
                self.level.sold_stock -= known.quantity;
                self.level.available_stock += known.quantity;
            }
        }
        Ok(known.clone())
    }

    pub(super) fn restock(&mut self, request: RestockRequest) -> Result<StockLevel, TerminalError> {
        let RestockRequest { quantity, restock_id } = request.checked()?;
        match self.restocks.get(&restock_id) {
            Some(&known) if known == quantity => return Ok(self.level.clone()),
            Some(_) => return Err(invalid("restockId", "belongs to another restock")),
            None => {}
        }
        // What is available is never more than the total, so that it has room too.
        let total = self.level.total_stock.checked_add(quantity);
        self.level.total_stock = total.ok_or_else(|| invalid("quantity", "is too large"))?;
        self.level.available_stock += quantity;
        self.restocks.insert(restock_id, quantity);
        Ok(self.level.clone())
    }
}

impl Reservation {
    /// A reservation that was released before it was made.
    pub(super) fn released(reservation_id: &str, product_id: &str) -> Self {
        Self {
            reservation_id: reservation_id.into(),
            product_id: product_id.into(),
            quantity: 0,
            status: ReservationStatus::Released,
            created_at: None,
        }
    }

    fn over(&self) -> TerminalError {
        let how =
            if self.status == ReservationStatus::Expired { "expired" } else { "was released" };
        TerminalError::new_with_code(410, format!("reservation {how}"))
    }
}

impl ReservationRequest {
    /// The request, if it keeps the rules.
    ///
    /// # Errors
    /// 400, naming the field, if not.
    pub(super) fn checked(self, product: &str) -> Result<Self, TerminalError> {
        if self.product_id.is_empty() {
            return Err(invalid("productId", "must not be empty"));
        }
        if self.product_id != product {
            return Err(invalid("productId", "is not the product that was asked"));
        }
        check_id("reservationId", &self.reservation_id)?;
        if self.quantity <= 0 {
            return Err(invalid("quantity", "must be positive"));
        }
        match self.expires_in_seconds {
            Some(..=0) => Err(invalid("expiresInSeconds", "must be positive")),
            Some(s) if s > EXPIRY_S_MAX => Err(invalid("expiresInSeconds", "is more than a week")),
            _ => Ok(self),
        }
    }

    pub(super) fn expiry(&self) -> Duration {
        let s = self.expires_in_seconds.unwrap_or(EXPIRY_S);
        Duration::from_secs(u64::try_from(s).unwrap_or(0))
    }
}

impl ReservationRef {
    pub(super) fn checked(self) -> Result<Self, TerminalError> {
        check_id("reservationId", &self.reservation_id)?;
        Ok(self)
    }
}

impl RestockRequest {
    pub(super) fn checked(self) -> Result<Self, TerminalError> {
        check_id("restockId", &self.restock_id)?;
        if self.quantity <= 0 {
            return Err(invalid("quantity", "must be positive"));
        }
        Ok(self)
    }
}

fn check_id(field: &str, id: &str) -> Result<(), TerminalError> {
    if id.trim().is_empty() {
        return Err(invalid(field, "must not be empty"));
    }
    Ok(())
}

fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "reservation not found")
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde_json::json;

    use super::*;

    const WEEK_S: i64 = 7 * 24 * 60 * 60;

    fn opened(quantity: u32) -> Stock {
        let (_, state) = opening_stock("widget", quantity);
        serde_json::from_value(state).expect("an opening state is a stock")
    }

    fn request(id: &str, quantity: i64) -> ReservationRequest {
        ReservationRequest {
            product_id: "widget".into(),
            quantity,
            reservation_id: id.into(),
            expires_in_seconds: None,
        }
    }

    fn named(id: &str) -> ReservationRef {
        ReservationRef { reservation_id: id.into() }
    }

    fn restock(id: &str, quantity: i64) -> RestockRequest {
        RestockRequest { quantity, restock_id: id.into() }
    }

    /// Five widgets, two of them set aside for `r`.
    fn reserved() -> Stock {
        let mut stock = opened(5);
        stock.reserve(request("r", 2), "then".into());
        stock
    }

    /// Total, available, reserved, sold.
    fn counts(stock: &Stock) -> [i64; 4] {
        let level = &stock.level;
        [level.total_stock, level.available_stock, level.reserved_stock, level.sold_stock]
    }

    /// What is refused, with the code and the message; nothing may change.
    #[track_caller]
    fn refuses<T: fmt::Debug>(
        mut stock: Stock,
        entry: impl FnOnce(&mut Stock) -> Result<T, TerminalError>,
        code: u16,
        message: &str,
    ) {
        let before = (counts(&stock), stock.reservations.clone());
        let error = entry(&mut stock).expect_err(message);
        assert_eq!((error.code(), error.message()), (code, message));
        assert_eq!((counts(&stock), stock.reservations), before, "{message}");
    }

    #[test]
    fn a_reservation_and_the_stock_look_as_in_the_exercise() {
        let mut stock = opened(5);
        let reservation = stock.reserve(request("r", 2), "2024-11-22T00:45:00.000Z".into());
        let expected = r#"{"reservationId":"r","productId":"widget","quantity":2,"#.to_owned()
            + r#""status":"active","createdAt":"2024-11-22T00:45:00.000Z"}"#;
        assert_eq!(serde_json::to_string(&reservation).expect("it is JSON"), expected);
        let expected = r#"{"productId":"widget","totalStock":5,"availableStock":3,"#.to_owned()
            + r#""reservedStock":2,"soldStock":0}"#;
        assert_eq!(serde_json::to_string(&stock.level).expect("it is JSON"), expected);
        let stored = serde_json::to_value(&stock).expect("it is JSON");
        assert_eq!(stored["availableStock"], json!(3));
        assert_eq!(stored["reservations"]["r"]["status"], json!("active"));
    }

    #[test]
    fn a_reservation_ends_once_and_however_often_that_is_asked() {
        let mut stock = reserved();
        assert_eq!(counts(&stock), [5, 3, 2, 0]);
        for _ in 0..2 {
            stock.confirm(named("r")).expect("allowed");
            assert_eq!(counts(&stock), [5, 3, 0, 2]);
        }
        assert!(!stock.expire(&named("r")));
        for _ in 0..2 {
            stock.return_sold(named("r")).expect("allowed");
            assert_eq!(counts(&stock), [5, 5, 0, 0]);
        }

        let mut stock = reserved();
        for _ in 0..2 {
            let released = stock.release(named("r")).expect("allowed");
            assert_eq!(released.status, ReservationStatus::Released);
            assert_eq!(counts(&stock), [5, 5, 0, 0]);
        }
        assert!(!stock.expire(&named("r")));

        let mut stock = reserved();
        assert!(stock.expire(&named("r")) && !stock.expire(&named("r")));
        let expired = stock.release(named("r")).expect("allowed");
        assert_eq!(expired.status, ReservationStatus::Expired);
        assert_eq!(counts(&stock), [5, 5, 0, 0]);
    }

    #[test]
    fn a_released_reservation_is_never_made_whichever_comes_first() {
        let mut stock = opened(5);
        stock.release(named("r")).expect("allowed");
        refuses(stock, |s| s.known(&request("r", 2)), 410, "reservation was released");
        let mut stock = reserved();
        stock.expire(&named("r"));
        refuses(stock, |s| s.known(&request("r", 2)), 410, "reservation expired");
    }

    #[test]
    fn a_known_reservation_is_answered_again() {
        let mut stock = reserved();
        assert_eq!(stock.known(&request("q", 2)).expect("allowed"), None);
        let known = stock.known(&request("r", 2)).expect("allowed").expect("known");
        assert_eq!((known.status, known.quantity), (ReservationStatus::Active, 2));
        stock.confirm(named("r")).expect("allowed");
        let known = stock.known(&request("r", 2)).expect("allowed").expect("known");
        assert_eq!(known.status, ReservationStatus::Sold);
    }

    #[test]
    fn a_restock_is_counted_once() {
        let mut stock = reserved();
        for _ in 0..2 {
            let level = stock.restock(restock("a", 3)).expect("allowed");
            assert_eq!((level.total_stock, level.available_stock), (8, 6));
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_changes_nothing() {
        refuses(reserved(), |s| s.check_available(4), 422, "insufficient stock");
        refuses(reserved(), |s| s.check_available(i64::MAX), 422, "insufficient stock");
        refuses(reserved(), |s| s.return_sold(named("r")), 422, "reservation is not sold");
        refuses(reserved(), |s| s.confirm(named("q")), 404, "reservation not found");
        refuses(reserved(), |s| s.return_sold(named("q")), 404, "reservation not found");
        let mut sold = reserved();
        sold.confirm(named("r")).expect("allowed");
        refuses(sold, |s| s.release(named("r")), 422, "reservation is sold");
        let mut released = reserved();
        released.release(named("r")).expect("allowed");
        refuses(released, |s| s.confirm(named("r")), 410, "reservation was released");
        let mut expired = reserved();
        expired.expire(&named("r"));
        refuses(expired, |s| s.return_sold(named("r")), 422, "reservation is not sold");
    }

    #[test]
    fn bad_input_is_refused_with_400_and_the_name_of_the_field() {
        let empty = "invalid reservationId: must not be empty";
        refuses(reserved(), |s| s.release(named(" ")), 400, empty);
        refuses(reserved(), |s| s.confirm(named("")), 400, empty);
        refuses(reserved(), |s| s.return_sold(named("")), 400, empty);
        let other = "invalid reservationId: belongs to another reservation";
        refuses(reserved(), |s| s.known(&request("r", 3)), 400, other);
        let empty = "invalid restockId: must not be empty";
        refuses(reserved(), |s| s.restock(restock("", 1)), 400, empty);
        let quantity = "invalid quantity: must be positive";
        refuses(reserved(), |s| s.restock(restock("a", 0)), 400, quantity);
        refuses(reserved(), |s| s.restock(restock("a", -1)), 400, quantity);
        let large = "invalid quantity: is too large";
        refuses(reserved(), |s| s.restock(restock("a", i64::MAX)), 400, large);
        let mut restocked = reserved();
        restocked.restock(restock("a", 1)).expect("allowed");
        let other = "invalid restockId: belongs to another restock";
        refuses(restocked, |s| s.restock(restock("a", 2)), 400, other);
    }

    #[test]
    fn a_bad_reservation_is_refused_with_400_and_the_name_of_the_field() {
        let check = |product: &str, id: &str, quantity, expires, expected: Option<&str>| {
            let request = ReservationRequest {
                product_id: product.into(),
                expires_in_seconds: expires,
                ..request(id, quantity)
            };
            let refused = request.checked("widget").err();
            let refused = refused.map(|error| (error.code(), error.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.into())));
        };
        check("widget", "r", 1, None, None);
        check("widget", "r", i64::MAX, Some(WEEK_S), None);
        check("", "r", 1, None, Some("invalid productId: must not be empty"));
        let other = Some("invalid productId: is not the product that was asked");
        check("gadget", "r", 1, None, other);
        check("widget", "", 1, None, Some("invalid reservationId: must not be empty"));
        check("widget", " ", 1, None, Some("invalid reservationId: must not be empty"));
        check("widget", "r", 0, None, Some("invalid quantity: must be positive"));
        check("widget", "r", i64::MIN, None, Some("invalid quantity: must be positive"));
        check("widget", "r", 1, Some(0), Some("invalid expiresInSeconds: must be positive"));
        check("widget", "r", 1, Some(-1), Some("invalid expiresInSeconds: must be positive"));
        let long = Some("invalid expiresInSeconds: is more than a week");
        check("widget", "r", 1, Some(WEEK_S + 1), long);
        check("widget", "r", 1, Some(i64::MAX), long);
    }

    #[test]
    fn stock_is_held_for_a_quarter_of_an_hour_or_as_long_as_asked() {
        assert_eq!(request("r", 1).expiry(), Duration::from_secs(900));
        let minute = ReservationRequest { expires_in_seconds: Some(60), ..request("r", 1) };
        assert_eq!(minute.expiry(), Duration::from_secs(60));
    }
}
