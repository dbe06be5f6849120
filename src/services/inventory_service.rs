//! `InventoryService`: the stock of one product per object, and who holds how much of it.
//!
//! What makes it safe: the counts change in one write together with the reservation that changed them, so
//! that even an operator's kill cannot part them; a reservation is remembered after its end, so that a late
//! duplicate finds it; and a release that overtakes its reserve is remembered too.
//!
//! Must not know: who reserves, the simulation.

use std::{collections::BTreeMap, time::Duration};

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    durable::{despite_cancels, invalid},
    rfc3339,
    shipped::{Shipped, needed, reference, takes, takes_nothing},
};

/// The state that holds the [`Stock`].
pub(super) const STOCK: &str = "stock_level";

/// How long stock is held for whoever does not say.
const EXPIRY_S: i64 = 15 * 60;
/// Nobody may hold stock for longer than this.
const EXPIRY_S_MAX: i64 = 7 * 24 * 60 * 60;

/// The body of `ReserveStock`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ReservationRequest {
    pub(super) product_id: String,
    pub(super) quantity: i64,
    pub(super) reservation_id: String,
    /// A quarter of an hour if not given.
    pub(super) expires_in_seconds: Option<i64>,
}

/// The body of the handlers that take nothing but the name of a reservation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ReservationRef {
    pub(super) reservation_id: String,
}

/// The body of `Restock`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RestockRequest {
    pub(super) quantity: i64,
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

/// The service, in all its variants.
pub(super) static SHIPPED: Shipped = Shipped {
    name: "InventoryService",
    keyed: true,
    handlers: &[
        takes("ReserveStock", needed::<ReservationRequest>),
        takes("ReleaseReservation", needed::<ReservationRef>),
        takes("ConfirmReservation", needed::<ReservationRef>),
        takes("ExpireReservation", needed::<ReservationRef>),
        takes("ReturnSold", needed::<ReservationRef>),
        takes("Restock", needed::<RestockRequest>),
        takes_nothing("GetStockLevel").beside_others(),
    ],
    variants: &[reference("each reservation counted once, and given back once", |endpoint, _| {
        endpoint.bind(InventoryService)
    })],
};

/// One product per object key.
pub(super) struct InventoryService;

#[object(name = "InventoryService", client_visibility = "pub(super)")]
impl InventoryService {
    /// Sets stock aside, once per reservation, until it is confirmed, released or expires.
    #[handler(name = "ReserveStock")]
    pub(super) async fn reserve_stock(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReservationRequest>,
    ) -> HandlerResult<Json<Reservation>> {
        let request = request.checked(ctx.key())?;
        let mut stock = open(&ctx).await?;
        if let Some(known) = stock.known(&request)? {
            return Ok(Json(known));
        }
        stock.check_available(request.quantity)?;

        let created_at = now(&ctx).await?;
        // Before the stock is taken: whoever is killed in between leaves an expiry that finds nothing. The
        // other way round it would leave stock that nobody gives back.
        expire_later(&ctx, &request);
        let reservation = stock.reserve(request, created_at);
        ctx.set(STOCK, Json(stock));
        Ok(Json(reservation))
    }

    /// Gives the stock back, and if it has not been taken yet, keeps it from ever being taken.
    #[handler(name = "ReleaseReservation")]
    pub(super) async fn release_reservation(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReservationRef>,
    ) -> HandlerResult<Json<Reservation>> {
        write(&ctx, |stock| stock.release(request)).await
    }

    /// Sells what was reserved: from now on it does not expire.
    #[handler(name = "ConfirmReservation")]
    pub(super) async fn confirm_reservation(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReservationRef>,
    ) -> HandlerResult<Json<Reservation>> {
        write(&ctx, |stock| stock.confirm(request)).await
    }

    /// Gives the stock back if nobody has confirmed or released it by now. `ReserveStock` asks for it.
    #[handler(name = "ExpireReservation")]
    pub(super) async fn expire_reservation(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReservationRef>,
    ) -> HandlerResult<()> {
        // Nobody would ask again.
        let mut stock = despite_cancels(|| open(&ctx)).await?;
        if stock.expire(&request) {
            ctx.set(STOCK, Json(stock));
        }
        Ok(())
    }

    /// Takes back what was sold, once.
    #[handler(name = "ReturnSold")]
    pub(super) async fn return_sold(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReservationRef>,
    ) -> HandlerResult<Json<Reservation>> {
        write(&ctx, |stock| stock.return_sold(request)).await
    }

    /// Puts more in stock, once per restock.
    #[handler(name = "Restock")]
    pub(super) async fn restock(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<RestockRequest>,
    ) -> HandlerResult<Json<StockLevel>> {
        write(&ctx, |stock| stock.restock(request)).await
    }

    /// How much there is now.
    #[handler(name = "GetStockLevel")]
    pub(super) async fn get_stock_level(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<StockLevel>> {
        let stock = ctx.get::<Json<Stock>>(STOCK).await?;
        let unknown = || TerminalError::new_with_code(404, "product not found");
        Ok(Json(stock.ok_or_else(unknown)?.into_inner().level))
    }
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

/// The product, with nothing in stock if it was never heard of.
pub(super) async fn open(ctx: &ObjectContext<'_>) -> Result<Stock, TerminalError> {
    let stock = ctx.get::<Json<Stock>>(STOCK).await?.map(Json::into_inner);
    Ok(stock.unwrap_or_else(|| Stock::new(ctx.key())))
}

/// Stores the product if `entry` changed it, and answers.
pub(super) async fn write<T>(
    ctx: &ObjectContext<'_>,
    entry: impl FnOnce(&mut Stock) -> Result<T, TerminalError>,
) -> HandlerResult<Json<T>> {
    let before = open(ctx).await?;
    let mut stock = before.clone();
    let answer = entry(&mut stock)?;
    if stock != before {
        ctx.set(STOCK, Json(stock));
    }
    Ok(Json(answer))
}

/// What the clock shows, the same in each attempt.
pub(super) async fn now(ctx: &ObjectContext<'_>) -> Result<String, TerminalError> {
    ctx.run(|| async { Ok(rfc3339::now()) }).name("now").await
}

/// Has the reservation expire unless something else ends it first.
pub(super) fn expire_later(ctx: &ObjectContext<'_>, request: &ReservationRequest) {
    let reservation = ReservationRef { reservation_id: request.reservation_id.clone() };
    ctx.object_client::<InventoryServiceClient<'_>>(ctx.key())
        .expire_reservation(Json(reservation))
        .send_after(request.expiry());
}

impl Stock {
    fn new(product: &str) -> Self {
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

    fn confirm(&mut self, request: ReservationRef) -> Result<Reservation, TerminalError> {
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

    fn return_sold(&mut self, request: ReservationRef) -> Result<Reservation, TerminalError> {
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

    fn restock(&mut self, request: RestockRequest) -> Result<StockLevel, TerminalError> {
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
    fn released(reservation_id: &str, product_id: &str) -> Self {
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

    fn expiry(&self) -> Duration {
        let s = self.expires_in_seconds.unwrap_or(EXPIRY_S);
        Duration::from_secs(u64::try_from(s).unwrap_or(0))
    }
}

impl ReservationRef {
    fn checked(self) -> Result<Self, TerminalError> {
        check_id("reservationId", &self.reservation_id)?;
        Ok(self)
    }
}

impl RestockRequest {
    fn checked(self) -> Result<Self, TerminalError> {
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
