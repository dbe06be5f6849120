//! A release of what was never reserved does nothing, and remembers nothing. If it has overtaken its reserve,
//! the stock is taken after all, for an order that is cancelled. Seata's TCC knows it as the empty rollback
//! and the suspension that follows.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, RestockRequest,
        StockLevel, open,
    },
};

pub(in crate::services) const RELEASE_LEAVES_NO_TRACE: Variant = Variant {
    name: "release-leaves-no-trace",
    summary: "a release that comes before its reserve is forgotten",
    class: Some(27),
    caught_by: Some("release_is_final"),
    bind: |endpoint, _| endpoint.bind(ReleaseLeavesNoTrace(InventoryService)),
};

variant_of! {
    struct ReleaseLeavesNoTrace(InventoryService) as "InventoryService";
    own {
        #[handler(name = "ReleaseReservation")]
        async fn release_reservation(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<ReservationRef>,
        ) -> HandlerResult<Json<Reservation>> {
            let stock = open(&ctx).await?;
            if !stock.reservations.contains_key(&request.reservation_id) {
                return Ok(Json(Reservation::released(&request.reservation_id, ctx.key())));
            }
            self.0.release_reservation(ctx, Json(request)).await
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
