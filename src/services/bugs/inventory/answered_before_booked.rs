//! Checkouts are not to wait for each other, so the stock is looked at beside others, the customer is told, and
//! a message takes the stock. When it comes, there may be nothing left, and nobody hears of that.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, ReservationStatus,
        RestockRequest, STOCK, Stock, StockLevel,
    },
};

pub(in crate::services) const ANSWERED_BEFORE_BOOKED: Variant = Variant {
    name: "answered-before-booked",
    summary: "a reservation is answered, and left to a message that may be refused",
    class: Some(51),
    caught_by: Some("reservation_answers_in_book"),
    bind: |endpoint, _| endpoint.bind(AnsweredBeforeBooked(InventoryService)),
};

variant_of! {
    struct AnsweredBeforeBooked(InventoryService) as "InventoryService";
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
            let reservation = Reservation {
                reservation_id: request.reservation_id.clone(),
                product_id: request.product_id.clone(),
                quantity: request.quantity,
                status: ReservationStatus::Active,
                created_at: None,
            };
            let product = ctx.object_client::<AnsweredBeforeBookedClient<'_>>(ctx.key());
            product.take_stock(Json(request)).send();
            Ok(Json(reservation))
        }

        /// Takes the stock, if it is still there.
        #[handler(name = "takeStock")]
        async fn take_stock(
            &self,
            ctx: ObjectContext<'_>,
            request: Json<ReservationRequest>,
        ) -> HandlerResult<Json<Reservation>> {
            self.0.reserve_stock(ctx, request).await
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
