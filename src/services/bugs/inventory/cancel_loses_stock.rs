//! A release that first marks the reservation, so that nobody gives the same stock back twice, and restores the
//! stock after its next step. A cancel ends that step, and the mark says that there is nothing left to do.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, ReservationStatus,
        RestockRequest, STOCK, StockLevel, now, open,
    },
};

pub(in crate::services) const CANCEL_LOSES_STOCK: Variant = Variant {
    name: "cancel-loses-stock",
    summary: "a cancelled release has marked the reservation, and restores nothing",
    class: Some(23),
    caught_by: Some("stock_given_back"),
    bind: |endpoint, _| endpoint.bind(CancelLosesStock(InventoryService)),
};

variant_of! {
    struct CancelLosesStock(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ReleaseReservation")]
        async fn release_reservation(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRef>,
        ) -> HandlerResult<Json<Reservation>> {
            let mut stock = open(&ctx).await?;
            let Some(known) = stock.reservations.get_mut(&request.reservation_id) else {
                return self.0.release_reservation(ctx, Json(request)).await;
            };
            if known.status != ReservationStatus::Active {
                return self.0.release_reservation(ctx, Json(request)).await;
            }
            known.status = ReservationStatus::Released;
            let released = known.clone();
            ctx.set(STOCK, Json(stock.clone()));

            // For the warehouse's report.
            let moved_at = now(&ctx).await?;
            ctx.set("moved_at", moved_at);
            stock.level.reserved_stock -= released.quantity;
            stock.level.available_stock += released.quantity;
            ctx.set(STOCK, Json(stock));
            Ok(Json(released))
        }
    }
    reference {
        "ReserveStock" reserve_stock(ObjectContext, request: Json<ReservationRequest>) -> [Json<Reservation>];
        "ConfirmReservation" confirm_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "ExpireReservation" expire_reservation(ObjectContext, request: Json<ReservationRef>) -> [()];
        "ReturnSold" return_sold(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
        "Restock" restock(ObjectContext, request: Json<RestockRequest>) -> [Json<StockLevel>];
        "GetStockLevel" get_stock_level(SharedObjectContext) -> [Json<StockLevel>];
    }
}
