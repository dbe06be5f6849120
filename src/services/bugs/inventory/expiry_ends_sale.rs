//! An expiry that spares only what was released: what the customer has paid for goes back on the shelf.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, ReservationStatus,
        RestockRequest, STOCK, StockLevel, open,
    },
};

pub(in crate::services) const EXPIRY_ENDS_SALE: Variant = Variant {
    name: "expiry-ends-sale",
    summary: "an expiry ends what was sold, as it spares only what was released",
    class: Some(57),
    caught_by: Some("reservation_ends_once"),
    bind: |endpoint, _| endpoint.bind(ExpiryEndsSale(InventoryService)),
};

variant_of! {
    struct ExpiryEndsSale(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ExpireReservation")]
        async fn expire_reservation(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRef>,
        ) -> HandlerResult<()> {
            let mut stock = open(&ctx).await?;
            if let Some(known) = stock.reservations.get_mut(&request.reservation_id)
                && known.status != ReservationStatus::Released
            {
                match known.status {
                    ReservationStatus::Sold => stock.level.sold_stock -= known.quantity,
                    _ => stock.level.reserved_stock -= known.quantity,
                }
                stock.level.available_stock += known.quantity;
                known.status = ReservationStatus::Expired;
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
