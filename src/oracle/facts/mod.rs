//! What happened in a run, as tables: one pass over the records, read by every oracle.
//!
//! Everything is borrowed from the history, and no body is parsed until an oracle asks for it.
//!
//! Must not know: what ought to hold, what bodies and effects mean.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;

use crate::{
    base::VirtualTime,
    history::{CallId, Change, Effect, End, History, Inv},
};

use happened::Origin;
use views::Views;

mod builder;
mod happened;
mod journal;
mod rows;
mod views;

pub use happened::Happened;
pub use journal::{Entry, OperatorAnswer};
pub use rows::{Delivery, Invocation, Request, Scope, StateChange, Stored, SystemCall};

/// What happened in one run, as tables. `record` is always an index into [`History::records`].
#[derive(Debug)]
pub struct Facts<'h> {
    history: &'h History,
    invocations: Vec<Invocation<'h>>,
    requests: Vec<Request<'h>>,
    deliveries: Vec<Delivery<'h>>,
    calls: Vec<SystemCall<'h>>,
    effects: Vec<Happened<'h>>,
    effects_of: Index<&'static str>,
    states: Vec<StateChange<'h>>,
    states_of: Index<(&'h str, &'h str)>,
    failures: Vec<usize>,
    tainted: BTreeSet<(&'h str, &'h str)>,
    faults_over: Option<usize>,
    end: Option<&'h End>,
    views: Views,
}

/// A table that a family of oracles derives from a run: parsed once, read by all of them.
///
/// ```
/// use onceproof::oracle::{Facts, View, oracle};
///
/// struct Answered(usize);
///
/// impl View for Answered {
///     fn of(facts: &Facts<'_>) -> Self {
///         Self(facts.invocations_of("Bookings").filter(|i| i.answer().is_some()).count())
///     }
/// }
///
/// let rule = oracle("one_answer", "one booking is answered", |facts, report| {
///     if facts.view::<Answered>().0 > 1 {
///         report.violation("two bookings were answered", [0]);
///     }
/// });
/// ```
pub trait View: 'static {
    /// Derives it. It may ask for other views.
    fn of(facts: &Facts<'_>) -> Self;
}

/// Rows by what they have in common; a run has few kinds of effects and few names of states.
#[derive(Debug)]
struct Index<K>(Vec<(K, Vec<usize>)>);

impl<K: PartialEq + Copy> Index<K> {
    fn add(&mut self, key: K, row: usize) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => rows.push(row),
            None => self.0.push((key, vec![row])),
        }
    }

    fn rows(&self, is: impl Fn(K) -> bool) -> &[usize] {
        self.0.iter().find(|(known, _)| is(*known)).map_or(&[], |(_, rows)| rows)
    }
}

impl<'h> Facts<'h> {
    /// The history itself.
    #[must_use]
    pub fn history(&self) -> &'h History {
        self.history
    }

    /// When the record `record` was made.
    ///
    /// # Panics
    /// If there is no such record.
    #[must_use]
    pub fn at(&self, record: usize) -> VirtualTime {
        self.history.records()[record].at
    }

    /// A table of one's own, derived when first asked for.
    #[must_use]
    pub fn view<T: View>(&self) -> &T {
        self.views.get(|| T::of(self))
    }

    // ---- effects of systems -------------------------------------------------------------------

    /// The effects of type `E` that changed the world, in order of time.
    ///
    /// ```
    /// # use onceproof::{history::Effect, oracle::{Facts, testing::Story}};
    /// # #[derive(Debug, serde::Serialize)]
    /// # struct Booked { room: u32, key: String }
    /// # impl Effect for Booked { const KIND: &'static str = "booked"; }
    /// # let mut story = Story::new();
    /// # let inv = story.begin("Bookings/b-1/Book", "{}");
    /// # story.effect(inv, "hotel", "book", Booked { room: 12, key: "b-1".into() });
    /// # let facts = Facts::of(story.history());
    /// let booked = facts.effects::<Booked>().next().expect("a room was booked");
    /// assert_eq!((booked.room, booked.key()), (12, "b-1"));
    /// assert_eq!(booked.by().to_string(), "b-1");
    /// ```
    pub fn effects<E: Effect>(&self) -> impl Iterator<Item = Happened<'h, E>> + '_ {
        self.happened().filter(|e: &Happened<'h, E>| e.change() == Change::Made)
    }

    /// The effects of type `E` that a system gave again for a known idempotency key, in order of time.
    pub fn repeats<E: Effect>(&self) -> impl Iterator<Item = Happened<'h, E>> + '_ {
        self.happened().filter(|e: &Happened<'h, E>| e.change() == Change::Repeated)
    }

    /// The `E` that changed nothing: look-ups, refusals; in order of time.
    pub fn notes<E: Effect>(&self) -> impl Iterator<Item = Happened<'h, E>> + '_ {
        self.happened().filter(|e: &Happened<'h, E>| e.change() == Change::Nothing)
    }

    /// The effects of type `E` that handlers of the object `service/key` made, in order of time.
    pub fn effects_by<'a, E: Effect>(
        &'a self,
        service: &'a str,
        key: &'a str,
    ) -> impl Iterator<Item = Happened<'h, E>> + 'a {
        self.effects().filter(move |e: &Happened<'h, E>| e.is_by(service, key))
    }

    /// The effects of type `E` that no later `U` undid, in order of time: what is left of them in the end.
    ///
    /// ```
    /// # use onceproof::{history::Effect, oracle::{Facts, testing::Story}};
    /// # #[derive(Debug, serde::Serialize)]
    /// # struct Booked { room: u32 }
    /// # impl Effect for Booked { const KIND: &'static str = "booked"; }
    /// # #[derive(Debug, serde::Serialize)]
    /// # struct Released { room: u32 }
    /// # impl Effect for Released { const KIND: &'static str = "released"; }
    /// # let mut story = Story::new();
    /// # let inv = story.begin("Bookings/b-1/Book", "{}");
    /// # story.effect(inv, "hotel", "release", Released { room: 7 });
    /// # for room in [7, 8] {
    /// #     story.effect(inv, "hotel", "book", Booked { room });
    /// # }
    /// # story.effect(inv, "hotel", "release", Released { room: 8 });
    /// # let facts = Facts::of(story.history());
    /// let taken = facts.standing(|booked: &Booked, released: &Released| booked.room == released.room);
    /// assert_eq!(taken.map(|booked| booked.room).collect::<Vec<_>>(), [7]);
    /// ```
    pub fn standing<'a, E: Effect, U: Effect>(
        &'a self,
        undoes: impl Fn(&E, &U) -> bool + 'a,
    ) -> impl Iterator<Item = Happened<'h, E>> + 'a {
        self.effects::<E>()
            .filter(move |e| !self.effects::<U>().any(|u| u.record > e.record && undoes(e, &u)))
    }

    /// The effect of the record `record`, if it is an `E`; a change or not.
    #[must_use]
    pub fn effect_at<E: Effect>(&self, record: usize) -> Option<Happened<'h, E>> {
        let row = self.effects.binary_search_by_key(&record, |e| e.record).ok()?;
        self.effects[row].cast()
    }

    fn happened<E: Effect>(&self) -> impl Iterator<Item = Happened<'h, E>> + '_ {
        self.effects_of
            .rows(|kind| kind == E::KIND)
            .iter()
            .filter_map(|&row| self.effects[row].cast())
    }

    /// All effects of all systems, changes or not, in order of time.
    #[must_use]
    pub fn all_effects(&self) -> &[Happened<'h>] {
        &self.effects
    }

    /// All calls to systems, by number.
    #[must_use]
    pub fn calls(&self) -> &[SystemCall<'h>] {
        &self.calls
    }

    /// The call of this number.
    #[must_use]
    pub fn call(&self, call: CallId) -> Option<&SystemCall<'h>> {
        find(&self.calls, call.0, |c| c.call.0).map(|i| &self.calls[i])
    }

    /// The calls whose request is an `R`, with it, by number.
    pub fn requests_to<R: 'static>(&self) -> impl Iterator<Item = (&SystemCall<'h>, &'h R)> {
        self.calls.iter().filter_map(|call| Some((call, call.request()?)))
    }

    // ---- invocations and requests -------------------------------------------------------------

    /// All invocations, by number.
    #[must_use]
    pub fn invocations(&self) -> &[Invocation<'h>] {
        &self.invocations
    }

    /// The invocation of this number.
    #[must_use]
    pub fn invocation(&self, inv: Inv) -> Option<&Invocation<'h>> {
        find_invocation(&self.invocations, inv).map(|i| &self.invocations[i])
    }

    /// All invocations of handlers of `service`, by number.
    pub fn invocations_of<'a>(
        &'a self,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Invocation<'h>> {
        self.invocations.iter().filter(move |i| &*i.target.service == service)
    }

    /// The invocations of `service/handler` that succeeded, by number.
    pub fn answered<'a>(
        &'a self,
        service: &'a str,
        handler: &'a str,
    ) -> impl Iterator<Item = &'a Invocation<'h>> {
        self.invocations_of(service).filter(move |i| i.handler() == handler && i.answer().is_some())
    }

    /// The invocations of `service/handler` that succeeded, of objects that no kill touched: what a service can be
    /// held to; with the record of each end, by number.
    pub fn settled<'a>(
        &'a self,
        service: &'a str,
        handler: &'a str,
    ) -> impl Iterator<Item = (&'a Invocation<'h>, usize)> {
        let untainted = |i: &&Invocation<'h>| !self.tainted(i.object().0, i.object().1);
        let answered = self.answered(service, handler).filter(untainted);
        answered.filter_map(|i| Some((i, i.answer()?.0)))
    }

    /// The invocations that are not over, by number.
    pub fn unfinished(&self) -> impl Iterator<Item = &Invocation<'h>> {
        self.invocations.iter().filter(|i| !i.is_over())
    }

    /// The delayed sends whose time has not come, by number: all timers that a history shows.
    pub fn scheduled(&self) -> impl Iterator<Item = &Invocation<'h>> {
        self.unfinished().filter(|i| i.due.is_some() && i.started.is_none())
    }

    /// The invocation whose handler asked for `invocation`, the one that asked for that, and so on.
    pub fn ancestors<'a>(
        &'a self,
        invocation: &Invocation<'h>,
    ) -> impl Iterator<Item = &'a Invocation<'h>> + 'a {
        let up = |parent: Option<Inv>| parent.and_then(|inv| self.invocation(inv));
        std::iter::successors(up(invocation.parent()), move |i| up(i.parent()))
    }

    /// All requests of clients, in the order of their first tries.
    #[must_use]
    pub fn requests(&self) -> &[Request<'h>] {
        &self.requests
    }

    /// All arrivals of what systems send of their own accord, in order of time.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery<'h>] {
        &self.deliveries
    }

    /// The records of all failed attempts.
    #[must_use]
    pub fn failures(&self) -> &[usize] {
        &self.failures
    }

    // ---- state --------------------------------------------------------------------------------

    /// All changes of state, those from before the run first.
    #[must_use]
    pub fn states(&self) -> &[StateChange<'h>] {
        &self.states
    }

    /// All changes of the state `name` of objects of `service`, in order of time.
    pub fn states_of(
        &self,
        service: &str,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = &StateChange<'h>> {
        let rows = self.states_of.rows(|(of, named)| of == service && named == name);
        rows.iter().map(|&row| &self.states[row])
    }

    /// The last change of the state `name` of the object `service/key`.
    #[must_use]
    pub fn last_state(&self, service: &str, key: &str, name: &str) -> Option<&StateChange<'h>> {
        self.states_of(service, name).rfind(|s| s.key == key)
    }

    /// The last change of the state `name` of the object `service/key` before the record `before`.
    #[must_use]
    pub fn state_before(
        &self,
        service: &str,
        key: &str,
        name: &str,
        before: usize,
    ) -> Option<&StateChange<'h>> {
        self.states_of(service, name).rfind(|s| s.key == key && s.record < before)
    }

    /// The changes of the state `name` of each object of `service`, by its key, in order of time.
    #[must_use]
    pub fn states_by_key(
        &self,
        service: &str,
        name: &str,
    ) -> BTreeMap<&'h str, Vec<&StateChange<'h>>> {
        let mut objects: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for change in self.states_of(service, name) {
            objects.entry(change.key).or_default().push(change);
        }
        objects
    }

    /// The values of the state `name` of each object of `service`, by its key, in order of time. A value that is
    /// no `T` is left out.
    #[must_use]
    pub fn values<T: Deserialize<'h>>(
        &self,
        service: &str,
        name: &str,
    ) -> BTreeMap<&'h str, Vec<Stored<T>>> {
        let mut objects: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for change in self.states_of(service, name) {
            let value = change.value_as();
            if value.is_some() || change.value.is_none() {
                let StateChange { record, at, inv, .. } = *change;
                objects.entry(change.key).or_default().push(Stored { record, at, inv, value });
            }
        }
        objects
    }

    // ---- the run ------------------------------------------------------------------------------

    /// True if the object is, or called, or was called by, one whose invocation was killed, is not over, or was a
    /// send cancelled before it ran: its work may be half done through no fault of its service.
    #[must_use]
    pub fn tainted(&self, service: &str, key: &str) -> bool {
        !self.tainted.is_empty() && self.tainted.contains(&(service, key))
    }

    /// [`tainted`](Self::tainted) of the object of `scope`, or of the service if it has no keys.
    #[must_use]
    pub fn tainted_scope(&self, scope: &Scope) -> bool {
        self.tainted(scope.service(), scope.key())
    }

    /// True if something that the object did was taken out or is not over, and nothing that succeeded later `repairs` it
    /// (what was cut off, and what came later): only then can no service help what is left of it.
    ///
    /// [`tainted`](Self::tainted) excuses an object for good; this one asks whether somebody came back for it. It
    /// knows the object itself, not those that it called.
    ///
    /// ```
    /// # use onceproof::oracle::{Facts, testing::Story};
    /// # let mut story = Story::new();
    /// # for key in ["b-1", "b-2"] {
    /// #     let inv = story.begin(&format!("Bookings/{key}/Book"), "{}");
    /// #     story.kill(inv);
    /// # }
    /// # story.op("Bookings/b-1/Book", "{}", "{}");
    /// # let facts = Facts::of(story.history());
    /// let cut_off = |key| facts.cut_off("Bookings", key, |cut, later| cut.handler() == later.handler());
    /// assert!(facts.tainted("Bookings", "b-1") && !cut_off("b-1"), "it was asked again, and finished");
    /// assert!(cut_off("b-2"));
    /// ```
    #[must_use]
    pub fn cut_off(
        &self,
        service: &str,
        key: &str,
        repairs: impl Fn(&Invocation<'h>, &Invocation<'h>) -> bool,
    ) -> bool {
        let own = || self.invocations_of(service).filter(|i| i.exclusive && &*i.target.key == key);
        let mut cut = own().filter(|i| i.was_taken_out() || !i.is_over());
        self.tainted(service, key)
            && cut.any(|cut| {
                let from = Some(cut.interval().0);
                !own().any(|i| i.answer().is_some() && i.started > from && repairs(cut, i))
            })
    }

    /// The record from which on no more faults are injected.
    #[must_use]
    pub fn faults_over(&self) -> Option<usize> {
        self.faults_over
    }

    /// Why the run ended; none if the history is cut off.
    #[must_use]
    pub fn end(&self) -> Option<&'h End> {
        self.end
    }

    /// True if the run ended because nothing was left to happen.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        matches!(self.end, Some(End::Quiet))
    }
}

fn find_invocation(invocations: &[Invocation<'_>], inv: Inv) -> Option<usize> {
    find(invocations, inv.0, |i| i.inv.0)
}

/// The row of this number. Numbers are given in order, so the index is almost always the number itself.
fn find<T>(rows: &[T], number: u32, number_of: impl Fn(&T) -> u32) -> Option<usize> {
    let guess = number as usize;
    for i in [guess, guess.wrapping_sub(1)] {
        if rows.get(i).is_some_and(|row| number_of(row) == number) {
            return Some(i);
        }
    }
    rows.binary_search_by_key(&number, number_of).ok()
}

#[cfg(test)]
mod tests;
