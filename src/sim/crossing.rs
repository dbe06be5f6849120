//! The crossing between a handler and Restate: each message may be lost, stored and not
//! acknowledged, or the last one.

use super::{
    faults::{CANCEL_AT, CRASH_AT, KILL_AT, between},
    listen,
    outside::Decided,
    places::Spot,
    run::{Sim, Todo, Whom},
};
use crate::{
    history::{Crash, Event},
    host::Step,
    protocol::{Frame, MessageType, messages},
    restate::AttemptId,
    scenario::plan::{CrashPoint, Fault},
};

/// How long the code of an attempt stands still at most, in milliseconds.
const SLOW_MS: u64 = 20_000;

/// An attempt that Restate no longer hears; its code still runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Severed {
    /// How many more messages of the current poll still get through.
    pub(super) kept: u32,
    /// Messages it sent since.
    pub(super) lost: u32,
    /// True if Restate has given up on it; false if it is about to crash.
    pub(super) zombie: bool,
}

/// What happens to one message.
enum Fate {
    Stored,
    Crash(Crash),
    ProcessCrash,
    RestateRestart,
    Zombie,
}

impl Sim<'_> {
    /// Lets an attempt run until it waits, and carries its messages and calls across.
    pub(super) fn step_attempt(&mut self, attempt: AttemptId) {
        if self.stands_still(attempt) {
            return;
        }
        let Some(polled) = self.host.poll(attempt, self.now) else { return };
        self.last_polled = Some(attempt);
        listen::collect(&mut self.history, Some(attempt), self.now);
        let calls =
            self.decide_calls(attempt, polled.calls, polled.run.as_ref(), polled.frames.len());
        // an attempt dies once: one that will die in its run lives to see its messages off
        let spared = calls.iter().any(Decided::kills_caller);
        let alive = self.carry_messages(attempt, &polled.frames, spared);
        if !alive {
            self.abandon(calls);
            return;
        }
        self.start_calls(attempt, calls, polled.run);
        match polled.step {
            Step::Pending => self.maybe_suspend(attempt),
            Step::Closed => {
                self.host.drop_attempt(attempt);
                self.severed.remove(&attempt);
                if self.engine.is_running(attempt) {
                    let message = "the handler closed its response without an end";
                    self.engine.disconnected(self.now, attempt, 0, message);
                }
            }
            Step::Panicked(message) => {
                self.severed.remove(&attempt);
                let AttemptId { inv, number } = attempt;
                let event =
                    Event::HandlerPanicked { inv, attempt: number, message: message.clone() };
                self.record(event);
                self.engine.disconnected(
                    self.now,
                    attempt,
                    0,
                    &format!("handler panicked: {message}"),
                );
            }
            Step::Garbled(message) => {
                self.severed.remove(&attempt);
                self.engine.disconnected(self.now, attempt, 571, &message);
            }
        }
    }

    /// Carries messages to Restate, in order; false if the attempt did not live to send them all.
    fn carry_messages(&mut self, attempt: AttemptId, frames: &[Frame], spared: bool) -> bool {
        for (index, frame) in frames.iter().enumerate() {
            if let Some(severed) = self.severed.get_mut(&attempt) {
                if severed.kept == 0 {
                    severed.lost += 1;
                    continue;
                }
                severed.kept -= 1;
                self.engine.message(self.now, attempt, frame.clone());
                continue;
            }
            let rest = u32::try_from(frames.len() - index).unwrap_or(u32::MAX);
            let fate = if spared { Fate::Stored } else { self.fate_of(attempt, frame) };
            match fate {
                Fate::Stored => self.engine.message(self.now, attempt, frame.clone()),
                Fate::Crash(how) => {
                    let stored = how != Crash::MessageLost && how != Crash::AfterEffect;
                    if stored {
                        self.engine.message(self.now, attempt, frame.clone());
                    }
                    self.host.drop_attempt(attempt);
                    self.disconnect(attempt, how, rest - u32::from(stored));
                    return false;
                }
                Fate::ProcessCrash => {
                    self.crash_process();
                    return false;
                }
                Fate::RestateRestart => {
                    self.restart_restate(attempt);
                    if let Some(severed) = self.severed.get_mut(&attempt) {
                        severed.lost += 1;
                    }
                }
                Fate::Zombie => {
                    self.severed.insert(attempt, Severed { kept: 0, lost: 1, zombie: true });
                    self.disconnect(attempt, Crash::Zombie, rest);
                }
            }
        }
        true
    }

    /// Whether anything can happen to messages at all; if not, their places are not named.
    fn messages_in_danger(&self) -> bool {
        let plan = &self.plan.faults;
        let places = [&plan.crash_at, &plan.cancel_at, &plan.kill_at];
        (places.into_iter().any(|points| !points.is_empty()) && self.now <= self.faults.until())
            || [Fault::Crash, Fault::ProcessCrash, Fault::Zombie, Fault::RestateRestart]
                .into_iter()
                .any(|fault| self.faults.possible(fault, self.now))
    }

    /// Keeps the names of runs for the places of their results.
    pub(super) fn remember_runs(&mut self, attempt: AttemptId, frames: &[Frame]) {
        if !self.messages_in_danger() {
            return;
        }
        for frame in frames.iter().filter(|f| f.ty == MessageType::RunCommand) {
            if let Ok(run) = frame.decode::<messages::RunCommand>() {
                self.runs.insert((attempt, run.result_completion_id), run.name);
            }
        }
    }

    fn fate_of(&mut self, attempt: AttemptId, frame: &Frame) -> Fate {
        if !self.messages_in_danger() {
            return Fate::Stored;
        }
        self.remember_runs(attempt, std::slice::from_ref(frame));
        let spot = Spot::of(frame, |id| self.runs.get(&(attempt, id)).cloned());
        let mut place = format!("{} at {}", self.attempt_text(attempt), spot.text());
        match self.pass(attempt, &spot.text()) {
            1 => {}
            times => place.push_str(&format!(" #{times}")),
        }
        self.struck_by_operator(attempt, &spot, &place);
        if let Some(fate) = self.struck_by_crash_point(attempt, &spot, &place) {
            return fate;
        }
        let named = |_: &Self| place.clone();
        let whom = Whom::Invocation(attempt.inv);
        match self.decide(Fault::Crash, whom, 2, named) {
            0 => {}
            form => {
                self.fault(Fault::Crash, place, true);
                let lost = if spot.proposal { Crash::AfterEffect } else { Crash::MessageLost };
                return Fate::Crash(if form == 1 { lost } else { Crash::StoredNotAcknowledged });
            }
        }
        if self.decide(Fault::ProcessCrash, whom, 1, named) != 0 {
            self.fault(Fault::ProcessCrash, place, true);
            return Fate::ProcessCrash;
        }
        if self.decide(Fault::RestateRestart, Whom::Machine, 1, named) != 0 {
            self.fault(Fault::RestateRestart, place, true);
            return Fate::RestateRestart;
        }
        if self.decide(Fault::Zombie, whom, 1, named) != 0 {
            self.fault(Fault::Zombie, place, true);
            return Fate::Zombie;
        }
        Fate::Stored
    }

    /// Whether this message is one of `points`, for the first time in its invocation; and if so,
    /// whether the point asks for it to be lost.
    fn struck_at(
        &mut self,
        name: &'static str,
        points: &[CrashPoint],
        attempt: AttemptId,
        spot: &Spot,
        place: &str,
    ) -> Option<bool> {
        if self.now > self.faults.until() {
            return None;
        }
        let target = self.engine.target(attempt.inv);
        let (index, lost) = points.iter().enumerate().find_map(|(index, point)| {
            let here = point.service == *target.service
                && point.handler == *target.handler
                && (point.key == "*" || point.key == *target.key)
                && !self.struck.contains(&(name, index, attempt.inv));
            let lost = spot.asked_by(point).filter(|_| here)?;
            Some((index, lost))
        })?;
        self.struck.push((name, index, attempt.inv));
        let counts = self.faults.count(name);
        counts.planned += 1;
        counts.fired += 1;
        counts.effective += 1;
        self.record(Event::FaultFired { fault: name, place: place.to_owned() });
        Some(lost)
    }

    /// An operator cancels or kills at this message: just before it is stored, or after it and those that were
    /// sent with it.
    fn struck_by_operator(&mut self, attempt: AttemptId, spot: &Spot, place: &str) {
        let plan = self.plan;
        let at =
            [(CANCEL_AT, &plan.faults.cancel_at, false), (KILL_AT, &plan.faults.kill_at, true)];
        for (name, points, kill) in at {
            let Some(before) = self.struck_at(name, points, attempt, spot, place) else { continue };
            if before && !kill {
                self.engine.cancel(self.now, attempt.inv);
            } else {
                self.acts.push((attempt.inv, kill));
            }
        }
    }

    /// Whether the code of an attempt stands still for now.
    fn stands_still(&mut self, attempt: AttemptId) -> bool {
        if let Some(until) = self.slowed.get(&attempt) {
            if self.now < *until {
                return true;
            }
            self.slowed.remove(&attempt);
            return false;
        }
        let possible = self.faults.possible(Fault::HandlerSlow, self.now);
        if !possible || !self.host.has(attempt) {
            return false;
        }
        let times = self.pass(attempt, "poll");
        let place = format!("{} at poll {times}", self.attempt_text(attempt));
        let whom = Whom::Invocation(attempt.inv);
        if self.decide(Fault::HandlerSlow, whom, 1, |_| place.clone()) == 0 {
            return false;
        }
        let ms = between(self.source, "handler_slow_ms", || place.clone(), 1, SLOW_MS);
        self.fault(Fault::HandlerSlow, place, true);
        let until = self.later_ms(ms);
        self.slowed.insert(attempt, until);
        self.agenda.plan(until, Todo::GoOn(attempt));
        true
    }

    fn struck_by_crash_point(
        &mut self,
        attempt: AttemptId,
        spot: &Spot,
        place: &str,
    ) -> Option<Fate> {
        let plan = self.plan;
        let lost = self.struck_at(CRASH_AT, &plan.faults.crash_at, attempt, spot, place)?;
        Some(Fate::Crash(match (lost, spot.entry) {
            (true, Some(crate::scenario::plan::EntryKind::Run)) => Crash::AfterEffect,
            (false, Some(crate::scenario::plan::EntryKind::Run)) => Crash::BeforeEffect,
            (true, _) => Crash::MessageLost,
            (false, _) => Crash::StoredNotAcknowledged,
        }))
    }

    /// Tells Restate that the connection to an attempt broke.
    pub(super) fn disconnect(&mut self, attempt: AttemptId, how: Crash, lost: u32) {
        let heard = !self.severed.get(&attempt).is_some_and(|s| s.zombie) || how == Crash::Zombie;
        let lost = lost
            + self.severed.get(&attempt).filter(|_| how != Crash::Zombie).map_or(0, |s| s.lost);
        self.attempt_gone(attempt, how, lost);
        if heard {
            self.engine.disconnected(self.now, attempt, 0, "connection lost");
        }
    }

    /// Records how the code of an attempt was stopped.
    pub(super) fn attempt_gone(&mut self, attempt: AttemptId, how: Crash, lost: u32) {
        if how != Crash::Zombie {
            self.severed.remove(&attempt);
        }
        let AttemptId { inv, number } = attempt;
        self.record(Event::AttemptCrashed { inv, attempt: number, how, lost });
    }

    /// A waiting attempt may be asked to suspend; a zombie that waits for Restate is over.
    fn maybe_suspend(&mut self, attempt: AttemptId) {
        let busy = self.outside.waits_for(attempt) || self.host.waits_elsewhere(attempt);
        if busy {
            return;
        }
        if self.severed.get(&attempt).is_some_and(|s| s.zombie) {
            self.severed.remove(&attempt);
            self.host.drop_attempt(attempt);
            return;
        }
        if !self.faults.possible(Fault::Suspend, self.now) || !self.engine.is_running(attempt) {
            return;
        }
        let times = self.pass(attempt, "await");
        let place = format!("{} at await {times}", self.attempt_text(attempt));
        let whom = Whom::Invocation(attempt.inv);
        if self.decide(Fault::Suspend, whom, 1, |_| place.clone()) != 0 {
            // whether anything comes of it is known when the attempt suspends
            self.fault(Fault::Suspend, place, false);
            self.asked_to_suspend.insert(attempt);
            self.engine.suspend(self.now, attempt);
        }
    }
}
