//! A truck's delivery is booked once: the last one is remembered, and a duplicate of it is found. A duplicate
//! that comes after the next truck is not.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, RestockRequest, STOCK,
        StockLevel, open,
    },
};

pub(in crate::services) const RESTOCK_REMEMBERS_LAST: Variant = Variant {
    name: "restock-remembers-last",
    summary: "only the last restock is remembered, so that an earlier one counts again",
    class: Some(49),
    caught_by: Some("restocked_once"),
    bind: |endpoint, _| endpoint.bind(RestockRemembersLast(InventoryService)),
};

variant_of! {
    struct RestockRemembersLast(InventoryService) as "InventoryService";
    own {
        #[handler(name = "Restock")]
        async fn restock(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<RestockRequest>,
        ) -> HandlerResult<Json<StockLevel>> {
            let RestockRequest { quantity, restock_id } = request.checked()?;
            let mut stock = open(&ctx).await?;
            if ctx.get::<String>("last_restock").await?.as_ref() == Some(&restock_id) {
                return Ok(Json(stock.level));
            }
            ctx.set("last_restock", restock_id);
            stock.level.total_stock += quantity;
            stock.level.available_stock += quantity;
            let level = stock.level.clone();
            ctx.set(STOCK, Json(stock));
            Ok(Json(level))
        }
    }
    reference {
        "ReserveStock" reserve_stock(ObjectContext, request: Json<ReservationRequest>) -> [Json<Reservation>];
        "ReleaseReservation" release_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ConfirmReservation" confirm_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ExpireReservation" expire_reservation(ObjectContext, request: Json<ReservationRef>) -> [()];
        "ReturnSold" return_sold(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "GetStockLevel" get_stock_level(SharedObjectContext) -> [Json<StockLevel>];
    }
}
