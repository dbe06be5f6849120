//! A quick check first: a shared handler looks whether there is enough, and only then queues for the product.
//! Whoever looked at the same moment saw the same last item. The classic of ticket and web shops: check, then
//! decrement, in two steps.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, RestockRequest, STOCK,
        Stock, StockLevel, expire_later, now, open,
    },
};

pub(in crate::services) const CHECK_THEN_RESERVE: Variant = Variant {
    name: "check-then-reserve",
    summary: "what is available is checked in one handler and taken in another",
    class: Some(19),
    caught_by: Some("never_oversold"),
    bind: |endpoint, _| endpoint.bind(CheckThenReserve(InventoryService)),
};

variant_of! {
    struct CheckThenReserve(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ReserveStock")]
        async fn reserve_stock(
            &self,
            ctx: SharedObjectContext<'_>,
            Json(request): Json<ReservationRequest>,
        ) -> HandlerResult<Json<Reservation>> {
            let request = request.checked(ctx.key())?;
            let stock = ctx.get::<Json<Stock>>(STOCK).await?;
            let stock = stock.map_or_else(Stock::default, Json::into_inner);
            if let Some(known) = stock.known(&request)? {
                return Ok(Json(known));
            }
            stock.check_available(request.quantity)?;
            let product = ctx.object_client::<CheckThenReserveClient<'_>>(ctx.key());
            Ok(product.take_stock(Json(request)).call().await?)
        }

        /// Takes what was found to be available.
        #[handler(name = "takeStock")]
        async fn take_stock(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRequest>,
        ) -> HandlerResult<Json<Reservation>> {
            let mut stock = open(&ctx).await?;
            if let Some(known) = stock.known(&request)? {
                return Ok(Json(known));
            }
            let created_at = now(&ctx).await?;
            expire_later(&ctx, &request);
            let reservation = stock.reserve(request, created_at);
            ctx.set(STOCK, Json(stock));
            Ok(Json(reservation))
        }
    }
    reference {
        "ReleaseReservation" release_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ConfirmReservation" confirm_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ExpireReservation" expire_reservation(ObjectContext, request: Json<ReservationRef>) -> [()];
        "ReturnSold" return_sold(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "Restock" restock(ObjectContext, request: Json<RestockRequest>) -> [Json<StockLevel>];
        "GetStockLevel" get_stock_level(SharedObjectContext) -> [Json<StockLevel>];
    }
}
