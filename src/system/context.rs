//! What a system sees while it does what it is asked: the time, the caller, its choices; and where it reports effects.
//!
//! Must not know: where choices come from, who reads effects.

use std::{any::Any, collections::BTreeMap, fmt};

use serde::Serialize;

use super::{Delivery, Rejected};
use crate::{
    base::{Name, Target},
    choice::Rate,
    history::{Change, Effect, EffectRecord, Inv},
};

/// The code that asked a system, if it is an attempt's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The invocation.
    pub inv: Inv,
    /// A name for the invocation that is unique in a run: `Bookings/b-1/Book#1`.
    pub label: Name,
    /// What was invoked.
    pub target: Target,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The `ctx.run` it was made in, if that is known.
    pub run: Option<Name>,
}

/// Where a system's choices come from.
pub(crate) trait Chooser {
    /// True with probability `rate`. With a key, the answer is the same whenever it is asked again.
    fn chance(&mut self, name: &'static str, key: Option<&str>, rate: Rate) -> bool;
    /// A number of `from..=to`.
    fn between(&mut self, name: &'static str, from: u64, to: u64) -> u64;
    /// 0, or the form of the system's own fault, of `forms`.
    ///
    /// # Errors
    /// If the system has no fault of this name.
    fn fault(&mut self, name: &'static str, forms: u32) -> Result<u32, String>;
}

/// What a system did in a call.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) effects: Vec<EffectRecord>,
    pub(crate) deliveries: Vec<Delivery>,
}

/// What a system remembers by idempotency key.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<String, Known>);

struct Known {
    request: Vec<u8>,
    answer: Box<dyn Any + Send>,
    effects: Vec<EffectRecord>,
    withdrawn: bool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a system does with a known idempotency key that comes with another request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mismatch {
    /// It refuses.
    #[default]
    Refuse,
    /// It gives the first answer, as for the first request.
    FirstAnswer,
}

/// What a system sees while it does what it is asked, and where it reports effects.
pub struct Context<'a> {
    pub(crate) unix_ms: u64,
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) done: &'a mut Done,
    pub(crate) keys: &'a mut Keys,
    pub(crate) chooser: &'a mut dyn Chooser,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("unix_ms", &self.unix_ms).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// What the system's clock shows, in milliseconds since the Unix epoch. It is never wrong.
    #[must_use]
    pub const fn unix_ms(&self) -> u64 {
        self.unix_ms
    }

    /// Who asks, as the simulation knows it and no real system would; none for a background task's call.
    #[must_use]
    pub const fn caller(&self) -> Option<&Caller> {
        self.caller
    }

    /// Records that something changed: money moved, a room was booked. What is returned can be kept, for
    /// [`repeat`](Self::repeat).
    pub fn effect<E: Effect>(&mut self, effect: E) -> EffectRecord {
        self.record(EffectRecord::new(effect, Change::Made))
    }

    /// Records that the request was known and its first answer is given again: nothing changed.
    pub fn repeated<E: Effect>(&mut self, effect: E) -> EffectRecord {
        self.record(EffectRecord::new(effect, Change::Repeated))
    }

    /// Records something that is worth knowing and changed nothing: a look-up, a refusal.
    pub fn note<E: Effect>(&mut self, effect: E) -> EffectRecord {
        self.record(EffectRecord::new(effect, Change::Nothing))
    }

    /// Records an earlier effect as repeated: its request came again, and nothing changed.
    pub fn repeat(&mut self, effect: &EffectRecord) {
        self.record(effect.repeated());
    }

    fn record(&mut self, effect: EffectRecord) -> EffectRecord {
        self.done.effects.push(effect.clone());
        effect
    }

    /// Does `work` once per idempotency key: when `key` comes again with the same request, the first answer is
    /// given, refusals included, and the effects are reported as repeated. Without a key the work is done.
    ///
    /// # Errors
    /// What `work` refuses; and a key that comes again with another request.
    pub fn once<'k, T: Clone + Send + 'static>(
        &mut self,
        key: impl Into<Option<&'k str>>,
        request: &impl Serialize,
        work: impl FnOnce(&mut Self) -> Result<T, Rejected>,
    ) -> Result<T, Rejected> {
        self.once_or(key, request, Mismatch::Refuse, work)
    }

    /// [`once`](Self::once), with a choice of what becomes of a key that comes again with another request.
    ///
    /// # Errors
    /// What `work` refuses, and a mismatch that is to be refused.
    pub fn once_or<'k, T: Clone + Send + 'static>(
        &mut self,
        key: impl Into<Option<&'k str>>,
        request: &impl Serialize,
        mismatch: Mismatch,
        work: impl FnOnce(&mut Self) -> Result<T, Rejected>,
    ) -> Result<T, Rejected> {
        let Some(key) = key.into() else { return work(self) };
        let bytes = postcard::to_allocvec(request).unwrap_or_default();
        if let Some(known) = self.keys.0.get(key) {
            if known.withdrawn {
                return Err(Rejected::new("idempotency key was withdrawn"));
            }
            if known.request != bytes && mismatch == Mismatch::Refuse {
                return Err(Rejected::new("idempotency key was used with another request"));
            }
            self.done.effects.extend(known.effects.iter().map(EffectRecord::repeated));
            let answer = known.answer.downcast_ref::<Result<T, Rejected>>();
            return answer.cloned().unwrap_or_else(|| {
                Err(Rejected::new("idempotency key was used for another operation"))
            });
        }
        let before = self.done.effects.len();
        let answer = work(self);
        let effects = self.done.effects[before..].to_vec();
        let answered = Box::new(answer.clone());
        let known = Known { request: bytes, answer: answered, effects, withdrawn: false };
        self.keys.0.insert(key.to_owned(), known);
        answer
    }

    /// Makes `key` unusable: [`once`](Self::once) refuses it from here on. Gives what was answered under it, for the
    /// caller to undo; nothing if that was a refusal, or no request came, or the key was withdrawn before.
    ///
    /// This is how a cancellation is safe that overtakes the request it is for.
    ///
    /// ```
    /// # use onceproof::{history::Effect, system::{Context, Rejected}};
    /// # #[derive(Debug, serde::Serialize)]
    /// # struct Cancelled { booking: u32 }
    /// # impl Effect for Cancelled { const KIND: &'static str = "cancelled"; }
    /// # struct Hotel { booked: std::collections::BTreeSet<u32> }
    /// # impl Hotel {
    /// fn cancel(&mut self, key: &str, cx: &mut Context<'_>) {
    ///     if let Some(booking) = cx.withdraw::<u32>(key) {
    ///         self.booked.remove(&booking);
    ///         cx.effect(Cancelled { booking });
    ///     }
    /// }
    /// # }
    /// ```
    pub fn withdraw<T: Clone + 'static>(&mut self, key: &str) -> Option<T> {
        let nothing = || Known {
            request: Vec::new(),
            answer: Box::new(()),
            effects: Vec::new(),
            withdrawn: false,
        };
        let known = self.keys.0.entry(key.to_owned()).or_insert_with(nothing);
        if std::mem::replace(&mut known.withdrawn, true) {
            return None;
        }
        known.answer.downcast_ref::<Result<T, Rejected>>()?.clone().ok()
    }

    /// True with probability `rate`: a choice of the run, named `name`, made anew by each call.
    pub fn chance(&mut self, name: &'static str, rate: Rate) -> bool {
        !rate.is_never() && self.chooser.chance(name, None, rate)
    }

    /// True with probability `rate`, and the same for one `key` however often it is asked in a run: a bank that
    /// declines a customer declines them again.
    pub fn chance_of(&mut self, name: &'static str, key: &str, rate: Rate) -> bool {
        !rate.is_never() && self.chooser.chance(name, Some(key), rate)
    }

    /// A number of `from..=to`: a choice of the run, named `name`.
    pub fn between(&mut self, name: &'static str, from: u64, to: u64) -> u64 {
        self.chooser.between(name, from, to)
    }

    /// True if the system's own fault `name` strikes now. It is one of
    /// [`System::FAULTS`](super::System::FAULTS), counted like every other fault.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn fault(&mut self, name: &'static str) -> bool {
        form(self.chooser.fault(name, 1)) != 0
    }

    /// Sends `delivery` to a handler, as often as it takes.
    pub fn deliver(&mut self, delivery: Delivery) {
        self.done.deliveries.push(delivery);
    }
}

/// The form of a fault that was drawn. A name that the system does not have is a mistake in its code.
#[track_caller]
fn form(drawn: Result<u32, String>) -> u32 {
    match drawn {
        Ok(form) => form,
        Err(unknown) => panic!("{unknown}"),
    }
}

/// A copy of a delivery that the system itself does not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) label: &'static str,
    pub(crate) after_ms: u64,
    pub(crate) headers: Vec<(String, String)>,
}

/// What a system sees while one of its deliveries is sent.
pub struct Sending<'a> {
    pub(crate) unix_ms: u64,
    pub(crate) chooser: &'a mut dyn Chooser,
    pub(crate) copies: Vec<Copy>,
    pub(crate) later_ms: u64,
}

impl fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("unix_ms", &self.unix_ms).finish_non_exhaustive()
    }
}

impl Sending<'_> {
    /// What the system's clock shows, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(&self) -> u64 {
        self.unix_ms
    }

    /// True if the system's own fault `name` strikes this delivery.
    ///
    /// # Panics
    /// If it is not one of [`System::FAULTS`](super::System::FAULTS).
    #[track_caller]
    pub fn fault(&mut self, name: &'static str) -> bool {
        form(self.chooser.fault(name, 1)) != 0
    }

    /// 0, or which of `forms` forms of the system's own fault `name` strikes this delivery.
    ///
    /// # Panics
    /// As [`fault`](Self::fault).
    #[track_caller]
    pub fn fault_form(&mut self, name: &'static str, forms: u32) -> u32 {
        form(self.chooser.fault(name, forms))
    }

    /// A number of `from..=to`: a choice of the run, named `name`.
    pub fn between(&mut self, name: &'static str, from: u64, to: u64) -> u64 {
        self.chooser.between(name, from, to)
    }

    /// Somebody sends a copy with these headers `after_ms` later; `label` says what it is: `forged`.
    pub fn copy(&mut self, label: &'static str, after_ms: u64, headers: Vec<(String, String)>) {
        self.copies.push(Copy { label, after_ms, headers });
    }

    /// The delivery itself leaves `ms` later.
    pub fn delay(&mut self, ms: u64) {
        self.later_ms += ms;
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        history::Effect,
        system::{Context, Rejected, Standalone, System},
    };

    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    enum Ask {
        Book(String),
        Cancel(String),
    }

    #[derive(Debug, serde::Serialize)]
    struct Changed(String);

    impl Effect for Changed {
        const KIND: &'static str = "changed";
    }

    struct Hotel(u32);

    impl System for Hotel {
        const NAME: &'static str = "hotel";
        type Config = ();
        type Request = Ask;
        type Response = ();

        fn new((): &()) -> Self {
            Self(0)
        }

        fn handle(&mut self, ask: &Ask, cx: &mut Context<'_>) -> Result<(), Rejected> {
            match ask {
                Ask::Book(key) if key == "full" => {
                    cx.once(key.as_str(), ask, |_| Err(Rejected::new("full")))
                }
                Ask::Book(key) => cx
                    .once(key.as_str(), ask, |cx| {
                        self.0 += 1;
                        cx.effect(Changed(format!("booked {}", self.0)));
                        Ok(self.0)
                    })
                    .map(drop),
                Ask::Cancel(key) => {
                    if let Some(booking) = cx.withdraw::<u32>(key) {
                        cx.effect(Changed(format!("cancelled {booking}")));
                    }
                    Ok(())
                }
            }
        }
    }

    /// What the hotel reports when it is asked for each in turn, and what it answers last.
    #[track_caller]
    fn check(asked: &[Ask], told: &[&str], last: Result<(), &str>) {
        let mut hotel = Standalone::<Hotel>::new(&());
        let answers: Vec<_> = asked.iter().map(|ask| hotel.call(ask.clone())).collect();
        assert_eq!(hotel.reported(), told);
        let last_answer = answers.last().expect("something was asked").clone();
        assert_eq!(last_answer, last.map_err(Rejected::new));
    }

    #[test]
    fn a_withdrawn_key_gives_its_answer_once_and_takes_no_request() {
        let book = |key: &str| Ask::Book(key.to_owned());
        let cancel = |key: &str| Ask::Cancel(key.to_owned());
        let withdrawn = Err("idempotency key was withdrawn");
        let undone = ["changed: booked 1", "changed: cancelled 1"];
        check(&[book("k"), cancel("k")], &undone, Ok(()));
        check(&[book("k"), cancel("k"), cancel("k")], &undone, Ok(()));
        check(&[book("k"), cancel("k"), book("k")], &undone, withdrawn);
        check(&[cancel("k"), book("k")], &[], withdrawn);
        check(&[cancel("k"), book("k"), cancel("k")], &[], Ok(()));
        check(&[cancel("k"), book("l")], &undone[..1], Ok(()));
        check(&[book("full"), cancel("full")], &[], Ok(()));
        check(&[book("full"), cancel("full"), book("full")], &[], withdrawn);
    }
}
