//! The expiry is a handler like any other, and gives up when somebody cancels it. But nobody asks for it again:
//! the stock is held until a person finds it.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, RestockRequest, STOCK,
        StockLevel, now, open,
    },
};

pub(in crate::services) const CANCELLED_EXPIRY: Variant = Variant {
    name: "cancelled-expiry",
    summary: "an expiry that is cancelled never comes",
    class: Some(52),
    caught_by: Some("stock_held_for_nobody"),
    bind: |endpoint, _| endpoint.bind(CancelledExpiry(InventoryService)),
};

variant_of! {
    struct CancelledExpiry(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ExpireReservation")]
        async fn expire_reservation(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRef>,
        ) -> HandlerResult<()> {
            // For the warehouse's report.
            let expired_at = now(&ctx).await?;
            let mut stock = open(&ctx).await?;
            if stock.expire(&request) {
                ctx.set("expired_at", expired_at);
                ctx.set(STOCK, Json(stock));
            }
            Ok(())
        }
    }
    reference {
        "ReserveStock" reserve_stock(ObjectContext, request: Json<ReservationRequest>) -> [Json<Reservation>];
        "ReleaseReservation" release_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ConfirmReservation" confirm_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ReturnSold" return_sold(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "Restock" restock(ObjectContext, request: Json<RestockRequest>) -> [Json<StockLevel>];
        "GetStockLevel" get_stock_level(SharedObjectContext) -> [Json<StockLevel>];
    }
}
