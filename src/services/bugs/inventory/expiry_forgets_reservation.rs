//! An expiry that tidies up: what has expired is deleted, and with it the memory that it was ever asked for. A
//! duplicate of the request that comes later finds nothing, and takes stock again.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, RestockRequest, STOCK,
        StockLevel, open,
    },
};

pub(in crate::services) const EXPIRY_FORGETS_RESERVATION: Variant = Variant {
    name: "expiry-forgets-reservation",
    summary: "an expired reservation is as good as new",
    class: Some(35),
    caught_by: Some("reserved_once"),
    bind: |endpoint, _| endpoint.bind(ExpiryForgetsReservation(InventoryService)),
};

variant_of! {
    struct ExpiryForgetsReservation(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ExpireReservation")]
        async fn expire_reservation(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRef>,
        ) -> HandlerResult<()> {
            let mut stock = open(&ctx).await?;
            if stock.expire(&request) {
                stock.reservations.remove(&request.reservation_id);
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
