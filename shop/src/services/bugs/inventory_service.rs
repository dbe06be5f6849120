//! Planted bugs of `InventoryService`.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    inventory_service::{
        InventoryService, Reservation, ReservationRef, ReservationRequest, ReservationStatus,
        RestockRequest, STOCK, Stock, StockLevel, expire_later, now, open,
    },
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    CHECK_THEN_RESERVE,
    EXPIRY_RESTORES_AGAIN,
    REFUSED_LEAVES_RECORD,
    CANCEL_LOSES_STOCK,
    RELEASE_LEAVES_NO_TRACE,
    EXPIRY_FORGETS_RESERVATION,
    RESTOCK_REMEMBERS_LAST,
    COUNTED_BEFORE_BOOKED,
    ANSWERED_BEFORE_BOOKED,
    CANCELLED_EXPIRY,
    EXPIRY_ENDS_SALE,
    STOCK_BEFORE_EXPIRY,
];

variants_of! {
    $ "InventoryService": |_| InventoryService => InventoryService;
    "ReserveStock" reserve_stock(ObjectContext, request: Json<ReservationRequest>) -> [Json<Reservation>];
    "ReleaseReservation" release_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
    "ConfirmReservation" confirm_reservation(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
    "ExpireReservation" expire_reservation(ObjectContext, request: Json<ReservationRef>) -> [()];
    "ReturnSold" return_sold(ObjectContext, request: Json<ReservationRef>) -> [Json<Reservation>];
    "Restock" restock(ObjectContext, request: Json<RestockRequest>) -> [Json<StockLevel>];
    "GetStockLevel" get_stock_level(SharedObjectContext) -> [Json<StockLevel>];
}

/// Looks at the stock without waiting for a turn: answers with the reservation if it is known.
///
/// # Errors
/// If it is not known and there is too little in stock, or the request breaks a rule.
async fn look(
    ctx: &SharedObjectContext<'_>,
    request: &ReservationRequest,
) -> Result<Option<Reservation>, TerminalError> {
    let stock = ctx.get::<Json<Stock>>(STOCK).await?;
    let stock = stock.map_or_else(Stock::default, Json::into_inner);
    let known = stock.known(request)?;
    if known.is_none() {
        stock.check_available(request.quantity)?;
    }
    Ok(known)
}

fn active(request: &ReservationRequest, created_at: Option<String>) -> Reservation {
    Reservation {
        reservation_id: request.reservation_id.clone(),
        product_id: request.product_id.clone(),
        quantity: request.quantity,
        status: ReservationStatus::Active,
        created_at,
    }
}

variant! {
    /// A quick check first: a shared handler looks whether there is enough, and only then queues for the
    /// product. Whoever looked at the same moment saw the same last item. The classic of ticket and web
    /// shops: check, then decrement, in two steps.
    CHECK_THEN_RESERVE: CheckThenReserve {
        name: "check-then-reserve", class: 19, caught_by: "never_oversold",
        summary: "what is available is checked in one handler and taken in another",
    }

    async fn reserve_stock(&self, ctx: SharedObjectContext, Json(request)) {
        let request = request.checked(ctx.key())?;
        if let Some(known) = look(&ctx, &request).await? {
            return Ok(Json(known));
        }
        let product = ctx.object_client::<CheckThenReserveClient<'_>>(ctx.key());
        Ok(product.take_stock(Json(request)).call().await?)
    }

    /// Takes what was found to be available.
    #[handler(name = "takeStock")]
    async fn take_stock(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<ReservationRequest>,
    ) -> HandlerResult<Json<Reservation>> {
        let mut stock = open(&ctx).await?;
        if let Some(known) = stock.known(&request)? {
            return Ok(Json(known));
        }
        let created_at = now(&ctx).await?;
        expire_later(&ctx, &request);
        let reservation = stock.reserve(request, created_at);
        ctx.set(STOCK, Json(stock));
        Ok(Json(reservation))
    }
}

variant! {
    /// An expiry that spares only what was sold: what the customer had released long ago comes back a second
    /// time. Shops know it as the order that is cancelled by hand and then again by the cron job.
    EXPIRY_RESTORES_AGAIN: ExpiryRestoresAgain {
        name: "expiry-restores-again", class: 20, caught_by: "stock_restored_once",
        summary: "an expiry gives back what a release has given back already",
    }

    async fn expire_reservation(&self, ctx, Json(request)) {
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

variant! {
    /// A reservation that is written down before the work, as a record should be, and stays there when the
    /// stock does not suffice. The saga releases whatever it may have reserved, and the shelf gains what was
    /// never on it.
    REFUSED_LEAVES_RECORD: RefusedLeavesRecord {
        name: "refused-leaves-record", class: 21, caught_by: "released_only_if_reserved",
        summary: "a refused reservation is recorded as active",
    }

    async fn reserve_stock(&self, ctx, Json(request)) {
        let request = request.checked(ctx.key())?;
        let mut stock = open(&ctx).await?;
        if let Some(known) = stock.known(&request)? {
            return Ok(Json(known));
        }
        let created_at = now(&ctx).await?;
        let record = active(&request, Some(created_at.clone()));
        stock.reservations.insert(request.reservation_id.clone(), record);
        ctx.set(STOCK, Json(stock.clone()));

        stock.check_available(request.quantity)?;
        expire_later(&ctx, &request);
        let reservation = stock.reserve(request, created_at);
        ctx.set(STOCK, Json(stock));
        Ok(Json(reservation))
    }
}

variant! {
    /// A release that first marks the reservation, so that nobody gives the same stock back twice, and
    /// restores the stock after its next step. A cancel ends that step, and the mark says that there is
    /// nothing left to do.
    CANCEL_LOSES_STOCK: CancelLosesStock {
        name: "cancel-loses-stock", class: 23, caught_by: "stock_given_back",
        summary: "a cancelled release has marked the reservation, and restores nothing",
    }

    async fn release_reservation(&self, ctx, Json(request)) {
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

variant! {
    /// A release of what was never reserved does nothing, and remembers nothing. If it has overtaken its
    /// reserve, the stock is taken after all, for an order that is cancelled. Seata's TCC knows it as the
    /// empty rollback and the suspension that follows.
    RELEASE_LEAVES_NO_TRACE: ReleaseLeavesNoTrace {
        name: "release-leaves-no-trace", class: 27, caught_by: "release_is_final",
        summary: "a release that comes before its reserve is forgotten",
    }

    async fn release_reservation(&self, ctx, Json(request)) {
        let stock = open(&ctx).await?;
        if !stock.reservations.contains_key(&request.reservation_id) {
            return Ok(Json(Reservation::released(&request.reservation_id, ctx.key())));
        }
        self.0.release_reservation(ctx, Json(request)).await
    }
}

variant! {
    /// An expiry that tidies up: what has expired is deleted, and with it the memory that it was ever asked
    /// for. A duplicate of the request that comes later finds nothing, and takes stock again.
    EXPIRY_FORGETS_RESERVATION: ExpiryForgetsReservation {
        name: "expiry-forgets-reservation", class: 35, caught_by: "reserved_once",
        summary: "an expired reservation is as good as new",
    }

    async fn expire_reservation(&self, ctx, Json(request)) {
        let mut stock = open(&ctx).await?;
        if stock.expire(&request) {
            stock.reservations.remove(&request.reservation_id);
            ctx.set(STOCK, Json(stock));
        }
        Ok(())
    }
}

variant! {
    /// A truck's delivery is booked once: the last one is remembered, and a duplicate of it is found. A
    /// duplicate that comes after the next truck is not.
    RESTOCK_REMEMBERS_LAST: RestockRemembersLast {
        name: "restock-remembers-last", class: 49, caught_by: "restocked_once",
        summary: "only the last restock is remembered, so that an earlier one counts again",
    }

    async fn restock(&self, ctx, Json(request)) {
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

variant! {
    /// The counts first, so that nobody else is promised the stock, then the reservation. An operator who
    /// kills the invocation in between leaves stock that is reserved by no reservation, and nothing gives it
    /// back.
    COUNTED_BEFORE_BOOKED: CountedBeforeBooked {
        name: "counted-before-booked", class: 50, caught_by: "stock_adds_up",
        summary: "the counts are stored before the reservation that changed them",
    }

    async fn reserve_stock(&self, ctx, Json(request)) {
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

variant! {
    /// Checkouts are not to wait for each other, so the stock is looked at beside others, the customer is
    /// told, and a message takes the stock. When it comes, there may be nothing left, and nobody hears of
    /// that.
    ANSWERED_BEFORE_BOOKED: AnsweredBeforeBooked {
        name: "answered-before-booked", class: 51, caught_by: "reservation_answers_in_book",
        summary: "a reservation is answered, and left to a message that may be refused",
    }

    async fn reserve_stock(&self, ctx: SharedObjectContext, Json(request)) {
        let request = request.checked(ctx.key())?;
        if let Some(known) = look(&ctx, &request).await? {
            return Ok(Json(known));
        }
        let reservation = active(&request, None);
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

variant! {
    /// The expiry is a handler like any other, and gives up when somebody cancels it. But nobody asks for it
    /// again: the stock is held until a person finds it.
    CANCELLED_EXPIRY: CancelledExpiry {
        name: "cancelled-expiry", class: 52, caught_by: "stock_held_for_nobody",
        summary: "an expiry that is cancelled never comes",
    }

    async fn expire_reservation(&self, ctx, Json(request)) {
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

variant! {
    /// An expiry that spares only what was released: what the customer has paid for goes back on the shelf.
    EXPIRY_ENDS_SALE: ExpiryEndsSale {
        name: "expiry-ends-sale", class: 57, caught_by: "reservation_ends_once",
        summary: "an expiry ends what was sold, as it spares only what was released",
    }

    async fn expire_reservation(&self, ctx, Json(request)) {
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

variant! {
    /// First the stock, then the timer that gives it back, as one would say it. Whoever is killed in between holds
    /// the stock for ever: a lease without an end.
    STOCK_BEFORE_EXPIRY: StockBeforeExpiry {
        name: "stock-before-expiry", class: 60, caught_by: "stock_held_for_nobody",
        summary: "the stock is taken before its expiry is sent, and a kill comes in between",
    }

    async fn reserve_stock(&self, ctx, Json(request)) {
        let request = request.checked(ctx.key())?;
        let mut stock = open(&ctx).await?;
        if let Some(known) = stock.known(&request)? {
            return Ok(Json(known));
        }
        stock.check_available(request.quantity)?;
        let created_at = now(&ctx).await?;
        let reservation = stock.reserve(request.clone(), created_at);
        ctx.set(STOCK, Json(stock));
        ctx.run(|| async { Ok(()) }).name("audit").await?;
        expire_later(&ctx, &request);
        Ok(Json(reservation))
    }
}
