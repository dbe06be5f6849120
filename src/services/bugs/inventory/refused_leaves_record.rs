//! A reservation that is written down before the work, as a record should be, and stays there when the stock
//! does not suffice. The saga releases whatever it may have reserved, and the shelf gains what was never on it.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, ReservationStatus,
        RestockRequest, STOCK, StockLevel, expire_later, now, open,
    },
};

pub(in crate::services) const REFUSED_LEAVES_RECORD: Variant = Variant {
    name: "refused-leaves-record",
    summary: "a refused reservation is recorded as active",
    class: Some(21),
    caught_by: Some("released_only_if_reserved"),
    bind: |endpoint, _| endpoint.bind(RefusedLeavesRecord(InventoryService)),
};

variant_of! {
    struct RefusedLeavesRecord(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ReserveStock")]
        async fn reserve_stock(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRequest>,
        ) -> HandlerResult<Json<Reservation>> {
            let request = request.checked(ctx.key())?;
            let mut stock = open(&ctx).await?;
            if let Some(known) = stock.known(&request)? {
                return Ok(Json(known));
            }
            let created_at = now(&ctx).await?;
            let record = Reservation {
                reservation_id: request.reservation_id.clone(),
                product_id: request.product_id.clone(),
                quantity: request.quantity,
                status: ReservationStatus::Active,
                created_at: Some(created_at.clone()),
            };
            stock.reservations.insert(request.reservation_id.clone(), record);
            ctx.set(STOCK, Json(stock.clone()));

            stock.check_available(request.quantity)?;
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
