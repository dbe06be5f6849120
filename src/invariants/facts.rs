//! What happened in a run, as tables: one pass over the records, read by every oracle.
//!
//! Everything is borrowed from the history, and no body is parsed here. `record` fields are indices
//! into [`History::records`].
//!
//! Must not know: what ought to hold, what bodies mean.

use std::{cell::OnceCell, collections::BTreeSet, fmt};

use crate::{
    base::{Cents, Target, VirtualTime},
    history::{
        CallFate, CallId, Effect, End, Event, History, Inv, Origin, Outcome, Payload, Phase, System,
    },
};

use super::views::Views;
use builder::Builder;

mod builder;

/// On whose behalf something was done to the world: the object whose handler did it, whatever that
/// handler told the world. A service without keys has no objects: there it is the invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Business<'h> {
    /// The service.
    pub service: &'h str,
    /// The object's key; empty for a service without keys.
    pub key: &'h str,
    /// The invocation; only for a service without keys.
    pub inv: Option<Inv>,
}

impl<'h> Business<'h> {
    fn of(inv: Inv, target: &'h Target) -> Self {
        let inv = target.key.is_empty().then_some(inv);
        Self { service: &target.service, key: &target.key, inv }
    }

    /// The object `service/key`.
    #[must_use]
    pub const fn object(service: &'h str, key: &'h str) -> Self {
        Self { service, key, inv: None }
    }
}

/// The object's key; `Service (invocation 3)` without one.
impl fmt::Display for Business<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inv {
            Some(Inv(n)) => write!(f, "{} (invocation {n})", self.service),
            None => f.write_str(self.key),
        }
    }
}

/// An invocation and what became of it.
#[derive(Clone, Debug)]
pub struct Invocation<'h> {
    /// Its number.
    pub inv: Inv,
    /// Its id, as handlers and the admin API see it.
    pub id: &'h str,
    /// What is called.
    pub target: &'h Target,
    /// True if the handler holds its object's lock while it runs.
    pub exclusive: bool,
    /// Who asked.
    pub origin: &'h Origin,
    /// The idempotency key, if any.
    pub idempotency_key: Option<&'h str>,
    /// The handler's input.
    pub input: &'h Payload,
    /// The record of its creation.
    pub created: usize,
    /// The record of its first attempt, if it had one.
    pub started: Option<usize>,
    /// The record of its end and how it ended.
    pub completed: Option<(usize, &'h Outcome)>,
    /// The record of its first cancel signal, and where it was; none if it was over by then.
    pub cancelled: Option<(usize, Phase)>,
    /// The record of its kill; none if it was over by then.
    pub killed: Option<usize>,
    /// The record of its pause, unless it was resumed.
    pub paused: Option<usize>,
}

impl<'h> Invocation<'h> {
    /// True if nothing more is to come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.completed.is_some() || self.killed.is_some()
    }

    /// The handler's answer, if it succeeded.
    #[must_use]
    pub fn answer(&self) -> Option<(usize, &'h Payload)> {
        match self.completed {
            Some((record, Outcome::Success(body))) => Some((record, body)),
            _ => None,
        }
    }

    /// The invocation whose handler asked for this one.
    #[must_use]
    pub fn parent(&self) -> Option<Inv> {
        match self.origin {
            Origin::Client(_) => None,
            Origin::Call(inv) | Origin::Send(inv) => Some(*inv),
        }
    }

    /// Its object.
    #[must_use]
    pub fn object(&self) -> (&'h str, &'h str) {
        (&self.target.service, &self.target.key)
    }

    /// True if it ended without its code having had a say, and nobody was told: killed, or a send
    /// cancelled before it ran.
    fn was_taken_out(&self) -> bool {
        let unstarted = matches!(self.cancelled, Some((_, Phase::Scheduled | Phase::Inboxed)));
        self.killed.is_some() || (unstarted && matches!(self.origin, Origin::Send(_)))
    }
}

/// A client's request, over all its tries.
#[derive(Clone, Debug)]
pub struct Request<'h> {
    /// Its name.
    pub name: &'h str,
    /// To whom.
    pub target: &'h Target,
    /// The idempotency key, if any.
    pub idempotency_key: Option<&'h str>,
    /// The body.
    pub body: &'h Payload,
    /// The record of its first try.
    pub sent: usize,
    /// The invocation that it made or joined last.
    pub invocation: Option<Inv>,
    /// The record of its answer, and the answer.
    pub reply: Option<(usize, &'h Outcome)>,
    /// The record at which its client stopped trying.
    pub gave_up: Option<usize>,
}

/// A call to the outside world.
#[derive(Clone, Debug)]
pub struct WorldCall<'h> {
    /// Its number.
    pub call: CallId,
    /// Which system.
    pub system: System,
    /// Which operation.
    pub operation: &'static str,
    /// On whose behalf.
    pub by: Business<'h>,
    /// The invocation that made it.
    pub inv: Inv,
    /// The `ctx.run` it was made in, if any.
    pub run: Option<&'h str>,
    /// The record of the call.
    pub record: usize,
    /// What its caller saw, once it returned.
    pub fate: Option<CallFate>,
}

/// Money taken at the gateway.
#[derive(Clone, Debug)]
pub struct Charge<'h> {
    /// On whose behalf.
    pub by: Business<'h>,
    /// The record of the effect.
    pub record: usize,
    /// The gateway's id.
    pub id: &'h str,
    /// How much.
    pub amount: Cents,
    /// How much of it was given back.
    pub refunded: Cents,
    /// The record at which it was voided.
    pub voided: Option<usize>,
    /// The `ctx.run` it was made in, if any.
    pub run: Option<&'h str>,
}

impl Charge<'_> {
    /// What the merchant keeps of it.
    #[must_use]
    pub fn held(&self) -> Cents {
        Cents(self.amount.0 - self.refunded.0)
    }
}

/// Money given back at the gateway.
#[derive(Clone, Debug)]
pub struct Refund<'h> {
    /// On whose behalf.
    pub by: Business<'h>,
    /// The record of the effect.
    pub record: usize,
    /// The gateway's id.
    pub id: &'h str,
    /// The charge's id.
    pub charge: &'h str,
    /// How much.
    pub amount: Cents,
    /// True if it was part of a void.
    pub void: bool,
    /// The `ctx.run` it was made in, if any.
    pub run: Option<&'h str>,
    call: CallId,
}

/// An email that was sent.
#[derive(Clone, Debug)]
pub struct Mail<'h> {
    /// On whose behalf.
    pub by: Business<'h>,
    /// The record of the effect.
    pub record: usize,
    /// The mail server's id.
    pub message: &'h str,
    /// To whom.
    pub recipient: &'h str,
    /// The subject line.
    pub subject: &'h str,
    /// The `ctx.run` it was sent in, if any.
    pub run: Option<&'h str>,
}

/// A shipping label that was made.
#[derive(Clone, Debug)]
pub struct Label<'h> {
    /// On whose behalf.
    pub by: Business<'h>,
    /// The record of the effect.
    pub record: usize,
    /// The carrier's id.
    pub id: &'h str,
    /// What is shipped, as the sender calls it.
    pub parcel: &'h str,
    /// The record at which it was cancelled.
    pub cancelled: Option<usize>,
    /// The `ctx.run` it was made in, if any.
    pub run: Option<&'h str>,
}

/// A state that was set, cleared, or there from the start.
#[derive(Clone, Debug)]
pub struct StateChange<'h> {
    /// The record.
    pub record: usize,
    /// By which invocation; none if it was there before the run.
    pub inv: Option<Inv>,
    /// The service.
    pub service: &'h str,
    /// The object's key.
    pub key: &'h str,
    /// The state's name.
    pub name: &'h str,
    /// The value; none if it was cleared.
    pub value: Option<&'h Payload>,
}

/// What happened in one run, as tables.
#[derive(Debug)]
pub struct Facts<'h> {
    history: &'h History,
    invocations: Vec<Invocation<'h>>,
    requests: Vec<Request<'h>>,
    calls: Vec<WorldCall<'h>>,
    charges: Vec<Charge<'h>>,
    charges_by_id: Vec<(&'h str, usize)>,
    refunds: Vec<Refund<'h>>,
    mails: Vec<Mail<'h>>,
    labels: Vec<Label<'h>>,
    states: Vec<StateChange<'h>>,
    failures: Vec<usize>,
    disturbed: BTreeSet<(&'h str, &'h str)>,
    faults_over: Option<usize>,
    end: Option<&'h End>,
    views: OnceCell<Views<'h>>,
}

impl<'h> Facts<'h> {
    /// Builds the tables.
    #[must_use]
    pub fn of(history: &'h History) -> Self {
        let mut builder = Builder::new(history);
        for (record, entry) in history.records().iter().enumerate() {
            builder.add(record, &entry.event);
        }
        builder.finish()
    }

    /// When the record `record` was made.
    ///
    /// # Panics
    /// If there is no such record.
    #[must_use]
    pub fn at(&self, record: usize) -> VirtualTime {
        self.history.records()[record].at
    }

    /// The history itself.
    #[must_use]
    pub fn history(&self) -> &'h History {
        self.history
    }

    /// All invocations, by number.
    #[must_use]
    pub fn invocations(&self) -> &[Invocation<'h>] {
        &self.invocations
    }

    /// The invocation of this number.
    #[must_use]
    pub fn invocation(&self, inv: Inv) -> Option<&Invocation<'h>> {
        find(&self.invocations, inv).map(|i| &self.invocations[i])
    }

    /// All requests, in the order of their first tries.
    #[must_use]
    pub fn requests(&self) -> &[Request<'h>] {
        &self.requests
    }

    /// All calls to the outside world, by number.
    #[must_use]
    pub fn calls(&self) -> &[WorldCall<'h>] {
        &self.calls
    }

    /// All charges: those of one business key side by side, in order of time.
    #[must_use]
    pub fn charges(&self) -> &[Charge<'h>] {
        &self.charges
    }

    /// The charges of one business key, in order of time.
    #[must_use]
    pub fn charges_of(&self, by: Business<'_>) -> &[Charge<'h>] {
        let from = self.charges.partition_point(|c| c.by < by);
        let len = self.charges[from..].partition_point(|c| c.by == by);
        &self.charges[from..from + len]
    }

    /// The charge with this id.
    #[must_use]
    pub fn charge(&self, id: &str) -> Option<&Charge<'h>> {
        let i = self.charges_by_id.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(&self.charges[self.charges_by_id[i].1])
    }

    /// All refunds, in order of time.
    #[must_use]
    pub fn refunds(&self) -> &[Refund<'h>] {
        &self.refunds
    }

    /// All emails, in order of time.
    #[must_use]
    pub fn mails(&self) -> &[Mail<'h>] {
        &self.mails
    }

    /// All shipping labels, in order of time.
    #[must_use]
    pub fn labels(&self) -> &[Label<'h>] {
        &self.labels
    }

    /// All changes of the state `name` of objects of `service`, in order of time.
    pub fn states_of<'a>(
        &'a self,
        service: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a StateChange<'h>> {
        self.states.iter().filter(move |s| s.service == service && s.name == name)
    }

    /// All invocations of handlers of `service`, by number.
    pub fn invocations_of<'a>(
        &'a self,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Invocation<'h>> {
        self.invocations.iter().filter(move |i| &*i.target.service == service)
    }

    /// All changes of state, those from before the run first.
    #[must_use]
    pub fn states(&self) -> &[StateChange<'h>] {
        &self.states
    }

    /// The records of all failed attempts.
    #[must_use]
    pub fn failures(&self) -> &[usize] {
        &self.failures
    }

    /// True if the object is, or called, or was called by, one whose invocation was killed, is not
    /// over, or was a send cancelled before it ran: its work may be half done through no fault of
    /// its service.
    #[must_use]
    pub fn disturbed(&self, service: &str, key: &str) -> bool {
        !self.disturbed.is_empty() && self.disturbed.contains(&(service, key))
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

    /// What the payment services said and stored, parsed when first asked for.
    pub(super) fn views(&self) -> &Views<'h> {
        self.views.get_or_init(|| Views::of(self))
    }
}

fn find(invocations: &[Invocation<'_>], inv: Inv) -> Option<usize> {
    // Numbers are given in order of creation, so the index is almost always the number itself.
    let guess = inv.0 as usize;
    for i in [guess, guess.wrapping_sub(1)] {
        if invocations.get(i).is_some_and(|found| found.inv == inv) {
            return Some(i);
        }
    }
    invocations.binary_search_by_key(&inv, |i| i.inv).ok()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Story, *};

    #[test]
    fn a_charge_knows_what_became_of_it() {
        let mut story = Story::new();
        let a = story.begin("PaymentService/a/CreatePayment", "{}");
        let b = story.begin("PaymentService/b/CreatePayment", "{}");
        story.charge(b, "ch_2", 100);
        story.charge(a, "ch_1", 100);
        story.refund(b, "re_1", "ch_2", 30);
        story.void(a, "re_2", "ch_1", 100);
        let facts = Facts::of(story.history());
        let ids: Vec<_> = facts.charges().iter().map(|c| c.id).collect();
        assert_eq!(ids, ["ch_1", "ch_2"], "sorted by business key");
        let [first] = facts.charges_of(Business::object("PaymentService", "a")) else {
            panic!("one charge")
        };
        assert_eq!((first.held(), first.voided.is_some()), (Cents(0), true));
        let second = facts.charge("ch_2").expect("it is in the ledger");
        assert_eq!((second.held(), second.voided, second.run), (Cents(70), None, Some("charge")));
        assert!(facts.charge("ch_3").is_none());
        assert!(facts.charges_of(Business::object("PaymentService", "c")).is_empty());
    }

    #[test]
    fn requests_follow_their_invocation_and_first_answer() {
        let mut story = Story::new();
        let inv = story.begin("Shop/buy", "1");
        story.sends("late", "Shop/buy", Some("k"), "1");
        story.push(Event::RequestAttached { request: "late".into(), inv });
        story.replies("late", "one");
        story.push(Event::GaveUp { request: "r0".into() });
        let facts = Facts::of(story.history());
        let [first, late] = facts.requests() else { panic!("two requests") };
        assert_eq!((first.invocation, late.invocation), (Some(inv), Some(inv)));
        assert!(first.reply.is_none() && first.gave_up.is_some());
        assert_eq!((late.idempotency_key, late.reply.map(|(at, _)| at)), (Some("k"), Some(5)));
    }

    #[test]
    fn a_kill_disturbs_those_above_and_below_and_no_others() {
        let disturbed = |end: fn(&mut Story, Inv)| {
            let mut story = Story::new();
            let top = story.begin("Top/t/f", "");
            let middle = story.call(top, "Middle/m/f", "");
            let below = story.call(middle, "Below/b/f", "");
            let beside = story.call(top, "Beside/b/f", "");
            for inv in [below, beside, top] {
                story.done(inv, "");
            }
            end(&mut story, middle);
            story.quiet();
            let facts = Facts::of(story.history());
            let all = [("Top", "t"), ("Middle", "m"), ("Below", "b"), ("Beside", "b")];
            all.map(|(service, key)| facts.disturbed(service, key))
        };
        assert_eq!(disturbed(|s, inv| s.done(inv, "")), [false; 4]);
        assert_eq!(disturbed(|s, inv| s.fails(inv, 409, "cancelled")), [false; 4]);
        assert_eq!(disturbed(|s, inv| s.kill(inv)), [true, true, true, false]);
        let too_late = |s: &mut Story, inv| {
            s.done(inv, "");
            s.push(Event::Killed { inv, phase: Phase::Completed });
        };
        assert_eq!(disturbed(too_late), [false; 4]);
        assert_eq!(disturbed(|_, _| {}), [true, true, true, false], "it is not over");
    }

    #[test]
    fn a_send_cancelled_before_it_ran_counts_as_killed_a_call_does_not() {
        for (origin, expect) in [(Origin::Send(Inv(0)), true), (Origin::Call(Inv(0)), false)] {
            let mut story = Story::new();
            let from = story.begin("Top/t/f", "");
            let inv = story.create("Account/a/deposit", "", origin);
            story.push(Event::CancelRequested { inv, phase: Phase::Inboxed });
            story.fails(inv, 409, "cancelled");
            story.done(from, "");
            assert_eq!(Facts::of(story.history()).disturbed("Top", "t"), expect);
        }
    }
}
