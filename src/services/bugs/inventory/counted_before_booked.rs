//! The counts first, so that nobody else is promised the stock, then the reservation. An operator who kills the
//! invocation in between leaves stock that is reserved by no reservation, and nothing gives it back.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, RestockRequest, STOCK,
        StockLevel, expire_later, now, open,
    },
};

pub(in crate::services) const COUNTED_BEFORE_BOOKED: Variant = Variant {
    name: "counted-before-booked",
    summary: "the counts are stored before the reservation that changed them",
    class: Some(50),
    caught_by: Some("stock_adds_up"),
    bind: |endpoint, _| endpoint.bind(CountedBeforeBooked(InventoryService)),
};

variant_of! {
    struct CountedBeforeBooked(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ReserveStock")]
        async fn reserve_stock(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRequest>,
        ) -> HandlerResult<Json<Reservation>> {
            let request = request.checked(ctx.key())?;
            let stock = open(&ctx).await?;
            if let Some(known) = stock.known(&request)? {
                return Ok(Json(known));
            }
            stock.check_available(request.quantity)?;
            let mut counted = stock.clone();
            counted.level.available_stock -= request.quantity;
            counted.level.reserved_stock += request.quantity;
            ctx.set(STOCK, Json(counted));

            let created_at = now(&ctx).await?;
            expire_later(&ctx, &request);
            let mut booked = stock;
            let reservation = booked.reserve(request, created_at);
            ctx.set(STOCK, Json(booked));
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
