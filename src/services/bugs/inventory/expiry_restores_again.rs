//! An expiry that spares only what was sold: what the customer had released long ago comes back a second time.
//! Shops know it as the order that is cancelled by hand and then again by the cron job.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, ReservationStatus,
        RestockRequest, STOCK, StockLevel, open,
    },
};

pub(in crate::services) const EXPIRY_RESTORES_AGAIN: Variant = Variant {
    name: "expiry-restores-again",
    summary: "an expiry gives back what a release has given back already",
    class: Some(20),
    caught_by: Some("stock_restored_once"),
    bind: |endpoint, _| endpoint.bind(ExpiryRestoresAgain(InventoryService)),
};

variant_of! {
    struct ExpiryRestoresAgain(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ExpireReservation")]
        async fn expire_reservation(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRef>,
        ) -> HandlerResult<()> {
            let mut stock = open(&ctx).await?;
            if let Some(known) = stock.reservations.get_mut(&request.reservation_id)
                && known.status != ReservationStatus::Sold
            {
                known.status = ReservationStatus::Expired;
                stock.level.reserved_stock -= known.quantity;
                stock.level.available_stock += known.quantity;
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
