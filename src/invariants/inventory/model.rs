//! A sequential model of one product's stock: what each operation may answer, one after the other.
//!
//! Whoever was cancelled, killed, or is not over, may have done its work or not, and never half of it.
//!
//! Must not know: histories, time.

use std::collections::BTreeMap;

use super::{
    super::linearize::Model,
    book::{Entry, Slip, Status},
};

/// The handler that the opening stock is said to come from.
pub(super) const OPEN: &str = "";

/// An operation: what was asked, and what was answered.
#[derive(Debug)]
pub(super) struct Call<'h> {
    pub(super) handler: &'h str,
    pub(super) asked: Slip,
    pub(super) answer: Answered,
}

/// How an operation ended.
#[derive(Debug)]
pub(super) enum Answered {
    Told(Told),
    Refused {
        code: u32,
    },
    /// Cancelled, killed, or not over.
    Unknown,
}

/// What a success says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A reservation's quantity and status.
    Reservation(i64, Status),
    /// Total, available, reserved, sold.
    Level([i64; 4]),
    Nothing,
}

/// The product, as the answers describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// False until there is any stock, or any reservation.
    is_known: bool,
    available: i64,
    reserved: i64,
    sold: i64,
    reservations: BTreeMap<String, (i64, Status)>,
    restocks: BTreeMap<String, i64>,
}

/// `InventoryService`, one product.
pub(super) struct StockModel<'h>(std::marker::PhantomData<&'h ()>);

impl<'h> Model for StockModel<'h> {
    type State = State;
    type Op = Call<'h>;

    fn step(state: &State, op: &Call<'h>, next: &mut Vec<State>) {
        let done = state.after(op.handler, &op.asked);
        match (&op.answer, done) {
            (Answered::Told(told), Ok((after, fits))) => {
                next.extend((*told == fits).then_some(after));
            }
            (Answered::Told(_), Err(_)) => {}
            // Of what there is to refuse about a request by itself, the model knows little.
            (Answered::Refused { code: 400 }, _) => next.push(state.clone()),
            (Answered::Refused { code }, done) => {
                next.extend((done.err() == Some(*code)).then(|| state.clone()));
            }
            (Answered::Unknown, done) => {
                next.push(state.clone());
                next.extend(done.ok().map(|(after, _)| after));
            }
        }
    }
}

impl State {
    fn level(&self) -> [i64; 4] {
        let Self { available, reserved, sold, .. } = *self;
        [available.saturating_add(reserved).saturating_add(sold), available, reserved, sold]
    }

    /// The state after the operation, and what it answers; or the code with which it is refused.
    fn after(&self, handler: &str, asked: &Slip) -> Result<(Self, Told), u32> {
        let mut after = Self { is_known: true, ..self.clone() };
        let told = match handler {
            OPEN => {
                after.available = asked.quantity;
                Told::Nothing
            }
            "ReserveStock" => after.reserve(asked)?,
            "Restock" => after.restock(asked)?,
            "GetStockLevel" if !self.is_known => return Err(404),
            "GetStockLevel" => Told::Level(after.level()),
            "ReleaseReservation" => after.release(&asked.reservation_id)?,
            "ConfirmReservation" => after.turn(&asked.reservation_id, |status| match status {
                Status::Active | Status::Sold => Ok(Status::Sold),
                Status::Released | Status::Expired => Err(410),
            })?,
            "ReturnSold" => after.turn(&asked.reservation_id, |status| match status {
                Status::Sold | Status::Released => Ok(Status::Released),
                Status::Active | Status::Expired => Err(422),
            })?,
            "ExpireReservation" => {
                let expire = |status| match status {
                    Status::Active => Ok(Status::Expired),
                    over => Ok(over),
                };
                // Of one that nobody knows, nothing is written down.
                after.is_known = after.turn(&asked.reservation_id, expire).is_ok() || self.is_known;
                Told::Nothing
            }
            _ => Told::Nothing,
        };
        Ok((after, told))
    }

    fn reserve(&mut self, asked: &Slip) -> Result<Told, u32> {
        match self.reservations.get(&asked.reservation_id) {
            Some((_, Status::Released | Status::Expired)) => Err(410),
            Some(&(quantity, _)) if quantity != asked.quantity => Err(400),
            Some(&(quantity, status)) => Ok(Told::Reservation(quantity, status)),
            None if asked.quantity <= 0 => Err(400),
            None if asked.quantity > self.available => Err(422),
            None => {
                let (quantity, status) = (asked.quantity, Status::Active);
                self.count(status, quantity);
                self.count_available(-quantity);
                self.reservations.insert(asked.reservation_id.clone(), (quantity, status));
                Ok(Told::Reservation(quantity, status))
            }
        }
    }

    fn release(&mut self, id: &str) -> Result<Told, u32> {
        // One that was never made is kept from being made.
        self.reservations.entry(id.into()).or_insert((0, Status::Released));
        self.turn(id, |status| match status {
            Status::Active | Status::Released => Ok(Status::Released),
            Status::Expired => Ok(Status::Expired),
            Status::Sold => Err(422),
        })
    }

    fn restock(&mut self, asked: &Slip) -> Result<Told, u32> {
        match self.restocks.get(&asked.restock_id) {
            Some(&known) if known != asked.quantity => return Err(400),
            Some(_) => {}
            None if asked.quantity <= 0 => return Err(400),
            None => {
                self.count_available(asked.quantity);
                self.restocks.insert(asked.restock_id.clone(), asked.quantity);
            }
        }
        Ok(Told::Level(self.level()))
    }

    /// Gives the reservation the status that `to` says; 404 if there is none.
    fn turn(&mut self, id: &str, to: impl Fn(Status) -> Result<Status, u32>) -> Result<Told, u32> {
        let &(quantity, from) = self.reservations.get(id).ok_or(404_u32)?;
        let to = to(from)?;
        self.count(from, -quantity);
        self.count(to, quantity);
        self.reservations.insert(id.into(), (quantity, to));
        Ok(Told::Reservation(quantity, to))
    }

    /// Adds to what is held by reservations of this status.
    fn count(&mut self, status: Status, quantity: i64) {
        let held = match status {
            Status::Active => &mut self.reserved,
            Status::Sold => &mut self.sold,
            Status::Released | Status::Expired => &mut self.available,
        };
        *held = held.saturating_add(quantity);
    }

    fn count_available(&mut self, quantity: i64) {
        self.available = self.available.saturating_add(quantity);
    }
}

impl Told {
    /// What an answer says, as far as `handler` says anything.
    pub(super) fn read(handler: &str, entry: Option<Entry>, level: Option<[i64; 4]>) -> Self {
        match (handler, entry, level) {
            ("ExpireReservation", ..) => Self::Nothing,
            ("GetStockLevel" | "Restock", _, Some(level)) => Self::Level(level),
            (_, Some(Entry { quantity, status }), _) => Self::Reservation(quantity, status),
            _ => Self::Nothing,
        }
    }
}
