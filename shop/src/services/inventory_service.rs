//! `InventoryService`: the stock of one product per object, and who holds how much of it.
//!
//! What makes it safe: the counts change in one write together with the reservation that changed them, so
//! that even an operator's kill cannot part them; a reservation is remembered after its end, so that a late
//! duplicate finds it; and a release that overtakes its reserve is remembered too.
//!
//! Must not know: who reserves, the simulation.

use restate_sdk::prelude::*;

use super::{
    durable::despite_cancels,
    rfc3339,
    service::{Service, needed, reference, takes, takes_nothing},
};

pub use super::inventory_book::opening_stock;
pub(super) use super::inventory_book::{
    Reservation, ReservationRef, ReservationRequest, ReservationStatus, RestockRequest, STOCK,
    Stock, StockLevel,
};

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "InventoryService",
    keyed: true,
    handlers: &[
        takes("ReserveStock", needed::<ReservationRequest>()),
        takes("ReleaseReservation", needed::<ReservationRef>()),
        takes("ConfirmReservation", needed::<ReservationRef>()),
        takes("ExpireReservation", needed::<ReservationRef>()),
        takes("ReturnSold", needed::<ReservationRef>()),
        takes("Restock", needed::<RestockRequest>()),
        takes_nothing("GetStockLevel").beside_others(),
    ],
    reference: reference("each reservation counted once, and given back once", |endpoint, _| {
        endpoint.bind(InventoryService)
    }),
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
        let request = request.checked()?;
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
