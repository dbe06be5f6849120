//! The network between handlers and Restate: each message may be lost, stored and not acknowledged, or the last
//! one of its attempt.
//!
//! One poll of an attempt is planned before any of it is carried out: its messages and calls go in, what is to
//! happen to each comes out.
//!
//! Must not know: the engine, the host, clients.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    core::{AttemptInfo, Core, Due},
    faults::{CANCEL_AT, CRASH_AT, KILL_AT, Struck},
    places::Spot,
};
use crate::{
    base::VirtualTime,
    history::{Crash, Inv},
    protocol::{Frame, MessageType, messages},
    restate::AttemptId,
    scenario::plan::{CrashPoint, EntryKind, Fault},
};

/// An attempt that Restate no longer hears; its code still runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Severed {
    /// How many more messages of the current poll still get through.
    kept: u32,
    /// Messages it sent since.
    pub(super) lost: u32,
    /// True if Restate has given up on it; false if it is about to crash.
    pub(super) zombie: bool,
}

/// What is to happen with a poll's messages, in order.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Restate stores a message, by its index in the poll.
    Store(usize),
    /// An operator cancels the invocation, or kills it.
    Operator { kill: bool },
    /// The messages that follow come later.
    Later { ms: u64 },
    /// The attempt dies; so many of its messages were never stored.
    Crash { how: Crash, lost: u32 },
    /// Its process dies.
    ProcessCrash,
    /// All processes die, and the endpoint is down for so long.
    EndpointDown { ms: u64 },
    /// The node of Restate restarts; the message at which it does is lost.
    RestateRestart,
    /// Restate gives up on the attempt, whose code runs on.
    Zombie { lost: u32 },
}

impl Delivery {
    /// Whether nothing of the attempt is left after it.
    pub(super) fn ends_attempt(&self) -> bool {
        matches!(self, Self::Crash { .. } | Self::ProcessCrash | Self::EndpointDown { .. })
    }
}

/// What the network remembers of attempts.
#[derive(Debug, Default)]
pub(super) struct Network {
    severed: BTreeMap<AttemptId, Severed>,
    /// Places of the plan that were struck: list, index and invocation.
    struck: Vec<(&'static str, usize, Inv)>,
    /// Attempts that stand still, and until when.
    slowed: BTreeMap<AttemptId, VirtualTime>,
    /// Attempts that a fault asked to suspend.
    asked_to_suspend: BTreeSet<AttemptId>,
    /// Names of runs by attempt and completion id, for places.
    runs: BTreeMap<(AttemptId, u32), String>,
}

/// What is decided of one message.
enum Fate {
    Stored,
    Crash(Crash),
    ProcessCrash,
    EndpointDown { ms: u64 },
    RestateRestart,
    Zombie,
}

/// What operators do at a message: `Some(true)` is a kill, `Some(false)` a cancel.
#[derive(Clone, Copy, Debug, Default)]
struct Operators {
    before: [Option<bool>; 2],
    after: [Option<bool>; 2],
}

impl Operators {
    fn deliver(acts: [Option<bool>; 2], plan: &mut Vec<Delivery>) {
        plan.extend(acts.into_iter().flatten().map(|kill| Delivery::Operator { kill }));
    }
}

impl Network {
    /// The attempt, if Restate no longer hears it.
    pub(super) fn severed(&self, attempt: AttemptId) -> Option<Severed> {
        self.severed.get(&attempt).copied()
    }

    /// Restate hears no more of an attempt than `kept` further messages of the current poll.
    pub(super) fn sever(&mut self, attempt: AttemptId, kept: u32) {
        self.severed.entry(attempt).or_insert(Severed { kept, lost: 0, zombie: false });
    }

    /// Restate has given up on an attempt whose code runs on.
    pub(super) fn make_zombie(&mut self, attempt: AttemptId, lost: u32) {
        self.severed.insert(attempt, Severed { kept: 0, lost, zombie: true });
    }

    /// An attempt is over.
    pub(super) fn forget(&mut self, attempt: AttemptId) {
        self.severed.remove(&attempt);
    }

    /// Whether the code of an attempt may go on now.
    pub(super) fn may_run(&self, attempt: AttemptId, now: VirtualTime) -> bool {
        self.slowed.get(&attempt).is_none_or(|until| *until <= now)
    }

    /// True if an attempt that suspended did so because a fault asked it to.
    pub(super) fn suspended(&mut self, attempt: AttemptId) -> bool {
        self.asked_to_suspend.remove(&attempt)
    }

    /// Plans what happens to the messages of a poll, in order, as far as the attempt lives to send them. With
    /// `spared`, no fault strikes them: an attempt dies once, and this one will die in its run.
    pub(super) fn plan(
        &mut self,
        core: &mut Core<'_>,
        info: AttemptInfo<'_>,
        frames: &[Frame],
        spared: bool,
    ) -> Vec<Delivery> {
        let mut plan = Vec::with_capacity(frames.len());
        for (index, frame) in frames.iter().enumerate() {
            if let Some(severed) = self.severed.get_mut(&info.attempt) {
                if severed.kept == 0 {
                    severed.lost += 1;
                    continue;
                }
                severed.kept -= 1;
                plan.push(Delivery::Store(index));
                continue;
            }
            let rest = u32::try_from(frames.len() - index).unwrap_or(u32::MAX);
            let (fate, operators) = match spared {
                true => (Fate::Stored, Operators::default()),
                false => self.fate_of(core, info, frame, &mut plan),
            };
            Operators::deliver(operators.before, &mut plan);
            match fate {
                Fate::Stored => {
                    plan.push(Delivery::Store(index));
                    Operators::deliver(operators.after, &mut plan);
                }
                Fate::Crash(how) => {
                    let stored = how != Crash::MessageLost && how != Crash::AfterEffect;
                    if stored {
                        plan.push(Delivery::Store(index));
                    }
                    plan.push(Delivery::Crash { how, lost: rest - u32::from(stored) });
                    Operators::deliver(operators.after, &mut plan);
                    return plan;
                }
                Fate::ProcessCrash => {
                    plan.push(Delivery::ProcessCrash);
                    Operators::deliver(operators.after, &mut plan);
                    return plan;
                }
                Fate::EndpointDown { ms } => {
                    plan.push(Delivery::EndpointDown { ms });
                    Operators::deliver(operators.after, &mut plan);
                    return plan;
                }
                Fate::RestateRestart => {
                    // this message is the first that is lost
                    self.make_zombie(info.attempt, 1);
                    plan.push(Delivery::RestateRestart);
                    Operators::deliver(operators.after, &mut plan);
                }
                Fate::Zombie => {
                    self.make_zombie(info.attempt, 1);
                    plan.push(Delivery::Zombie { lost: rest });
                    Operators::deliver(operators.after, &mut plan);
                }
            }
        }
        plan
    }

    /// Keeps the names of runs for the places of their results.
    pub(super) fn remember_runs(&mut self, core: &Core<'_>, attempt: AttemptId, frames: &[Frame]) {
        if !messages_in_danger(core) {
            return;
        }
        for frame in frames.iter().filter(|f| f.ty == MessageType::RunCommand) {
            if let Ok(run) = frame.decode::<messages::RunCommand>() {
                self.runs.insert((attempt, run.result_completion_id), run.name);
            }
        }
    }

    fn fate_of(
        &mut self,
        core: &mut Core<'_>,
        info: AttemptInfo<'_>,
        frame: &Frame,
        plan: &mut Vec<Delivery>,
    ) -> (Fate, Operators) {
        if !messages_in_danger(core) {
            return (Fate::Stored, Operators::default());
        }
        let attempt = info.attempt;
        self.remember_runs(core, attempt, std::slice::from_ref(frame));
        let spot = Spot::of(frame, |id| self.runs.get(&(attempt, id)).cloned());
        let text = spot.text();
        let mut place = format!("{} at {text}", info.text());
        match core.pass(Some(attempt), &text) {
            1 => {}
            times => place.push_str(&format!(" #{times}")),
        }
        let operators = self.operators_at(core, info, (&spot, frame), &place);
        let fate = self.strike(core, info, (&spot, frame), place, plan);
        (fate, operators)
    }

    /// What strikes a message at `place`. If it only comes later, that is put into `plan`.
    fn strike(
        &mut self,
        core: &mut Core<'_>,
        info: AttemptInfo<'_>,
        (spot, frame): (&Spot, &Frame),
        place: String,
        plan: &mut Vec<Delivery>,
    ) -> Fate {
        let points = &core.plan.faults.crash_at;
        if let Some(lost) = self.struck_at(core, CRASH_AT, points, info, (spot, frame), &place) {
            return Fate::Crash(match (lost, spot.entry) {
                (true, Some(EntryKind::Run)) => Crash::AfterEffect,
                (false, Some(EntryKind::Run)) => Crash::BeforeEffect,
                (true, _) => Crash::MessageLost,
                (false, _) => Crash::StoredNotAcknowledged,
            });
        }
        let struck = Struck::Handler(info.target);
        match core.decide(Fault::Crash, struck, 2, || place.clone()) {
            0 => {}
            form => {
                core.fired(Fault::Crash, place, true);
                let lost = if spot.proposal { Crash::AfterEffect } else { Crash::MessageLost };
                return Fate::Crash(if form == 1 { lost } else { Crash::StoredNotAcknowledged });
            }
        }
        if core.strikes(Fault::ProcessCrash, struck, &place) {
            Fate::ProcessCrash
        } else if core.strikes(Fault::EndpointDown, struck, &place) {
            let ms = core.measure(Fault::EndpointDown, "endpoint_down_ms", &place, 1);
            Fate::EndpointDown { ms }
        } else if core.strikes(Fault::RestateRestart, Struck::Machine, &place) {
            Fate::RestateRestart
        } else if core.strikes(Fault::Zombie, struck, &place) {
            Fate::Zombie
        } else {
            if core.decide(Fault::MessageDelayed, struck, 1, || place.clone()) != 0 {
                let ms = core.measure(Fault::MessageDelayed, "message_delay_ms", &place, 1);
                core.fired(Fault::MessageDelayed, place, true);
                plan.push(Delivery::Later { ms });
            }
            Fate::Stored
        }
    }

    /// Whether this message is one of `points`, for the first time in its invocation; and if so, whether the
    /// point asks for it to be lost.
    fn struck_at(
        &mut self,
        core: &mut Core<'_>,
        name: &'static str,
        points: &[CrashPoint],
        info: AttemptInfo<'_>,
        (spot, frame): (&Spot, &Frame),
        place: &str,
    ) -> Option<bool> {
        if points.is_empty() || core.now > core.faults.until() {
            return None;
        }
        let inv = info.attempt.inv;
        let (index, lost) = points.iter().enumerate().find_map(|(index, point)| {
            let here = point.service == *info.target.service
                && point.handler == *info.target.handler
                && (point.key == "*" || point.key == *info.target.key)
                && !self.struck.contains(&(name, index, inv));
            let lost = spot.asked_by(frame, point).filter(|_| here)?;
            Some((index, lost))
        })?;
        self.struck.push((name, index, inv));
        core.struck(name, place);
        Some(lost)
    }

    /// What operators do at this message: just before it is stored, or right after it.
    fn operators_at(
        &mut self,
        core: &mut Core<'_>,
        info: AttemptInfo<'_>,
        spot: (&Spot, &Frame),
        place: &str,
    ) -> Operators {
        let faults = core.faults.plan();
        let mut acts = Operators::default();
        for (index, name, points) in
            [(0, CANCEL_AT, &faults.cancel_at), (1, KILL_AT, &faults.kill_at)]
        {
            match self.struck_at(core, name, points, info, spot, place) {
                Some(true) => acts.before[index] = Some(name == KILL_AT),
                Some(false) => acts.after[index] = Some(name == KILL_AT),
                None => {}
            }
        }
        let struck = Struck::Handler(info.target);
        if faults.cancel_at_messages && core.strikes(Fault::Cancel, struck, place) {
            acts.after[0] = Some(false);
        }
        acts
    }

    /// Whether the code of an attempt stands still for now.
    pub(super) fn stands_still(&mut self, core: &mut Core<'_>, info: AttemptInfo<'_>) -> bool {
        let attempt = info.attempt;
        if let Some(until) = self.slowed.get(&attempt) {
            if core.now < *until {
                return true;
            }
            self.slowed.remove(&attempt);
            return false;
        }
        if let Some(until) = core.faults.held(info.label, core.now) {
            self.slowed.insert(attempt, until);
            core.queue.schedule(until, Due::GoOn(attempt));
            return true;
        }
        if !core.possible(Fault::HandlerSlow) {
            return false;
        }
        let times = core.pass(Some(attempt), "poll");
        let place = format!("{} at poll {times}", info.text());
        let struck = Struck::Handler(info.target);
        if core.decide(Fault::HandlerSlow, struck, 1, || place.clone()) == 0 {
            return false;
        }
        let ms = core.measure(Fault::HandlerSlow, "handler_slow_ms", &place, 1);
        core.fired(Fault::HandlerSlow, place, true);
        self.slowed.insert(attempt, core.after_ms(ms));
        core.schedule(ms, Due::GoOn(attempt));
        true
    }

    /// Whether a waiting attempt is to be asked to suspend.
    pub(super) fn asks_to_suspend(&mut self, core: &mut Core<'_>, info: AttemptInfo<'_>) -> bool {
        if !core.possible(Fault::Suspend) {
            return false;
        }
        let times = core.pass(Some(info.attempt), "await");
        let place = format!("{} at await {times}", info.text());
        let struck = Struck::Handler(info.target);
        let asks = core.decide(Fault::Suspend, struck, 1, || place.clone()) != 0;
        if asks {
            // whether anything comes of it is known when the attempt suspends
            core.fired(Fault::Suspend, place, false);
            self.asked_to_suspend.insert(info.attempt);
        }
        asks
    }
}

/// Whether anything can happen to messages at all; if not, their places are not named.
fn messages_in_danger(core: &Core<'_>) -> bool {
    let plan = core.faults.plan();
    let places = [&plan.crash_at, &plan.cancel_at, &plan.kill_at];
    (places.into_iter().any(|points| !points.is_empty()) && core.now <= core.faults.until())
        || (plan.cancel_at_messages && core.possible(Fault::Cancel))
        || [
            Fault::Crash,
            Fault::ProcessCrash,
            Fault::EndpointDown,
            Fault::Zombie,
            Fault::RestateRestart,
            Fault::MessageDelayed,
        ]
        .into_iter()
        .any(|fault| core.possible(fault))
}
