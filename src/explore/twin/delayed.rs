//! The run that a run with faults would have been, had each crash been a mere delay of the same length.
//!
//! The runs of a family are a sample. Where one with faults differs from all of them, it may still be one that has simply
//! come later than any of the sample. So it is run again with every other decision as it was: where an attempt died, its
//! code stands still, or its messages and calls are under way, until the time at which its next attempt began.
//!
//! Must not know: what is compared.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    base::VirtualTime,
    choice::{Candidate, Options, Rate, Site, Source, Words},
    explore::labels::labels,
    history::{Event, History, Inv},
    scenario::plan::{Fault, FaultName, Held, Plan},
};

/// How a crash is made a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// The code stands still; what it has sent arrives.
    Code,
    /// The code goes on; what it has sent is under way, and no more of it arrives.
    Messages,
}

/// What strikes a message or a call, and is to be a delay of so many milliseconds.
type Delays = BTreeMap<String, u64>;

/// `plan`, with the delays that the crashes in `history` were; and the source of such a run.
pub(super) fn delayed<'s>(
    (plan, history): (&Plan, &History),
    source: Box<dyn Source + 's>,
    how: As,
) -> (Plan, Delayed<'s>) {
    let mut plan = plan.clone();
    let mut delays = Delays::new();
    let labels = labels(history);
    let gaps = gaps(history);
    for gap in &gaps {
        let Some((label, _)) = labels.get(&gap.inv) else { continue };
        let from = match how {
            As::Code => gap.from,
            As::Messages => gap.from.after(Duration::from_nanos(1)),
        };
        plan.faults.held.push(Held { label: label.clone(), from, until: gap.until });
    }
    if how == As::Messages {
        // a fault is told of right before or after what it did
        for record in history.records() {
            let Event::FaultFired { place, .. } = &record.event else { continue };
            let at_place = |gap: &&Gap| {
                let label = labels.get(&gap.inv).map(|(label, _)| label);
                gap.from == record.at && label.is_some_and(|label| place.starts_with(&**label))
            };
            if let Some(gap) = gaps.iter().find(at_place) {
                let ms = gap.until.since(gap.from).as_millis();
                delays.insert(place.clone(), u64::try_from(ms).unwrap_or(u64::MAX).max(1));
            }
        }
    }
    let added = [Fault::MessageDelayed, Fault::WorldSlow].map(|fault| {
        let name = FaultName::BuiltIn(fault);
        let is_new = !plan.faults.rates.contains_key(&name);
        if is_new && !delays.is_empty() {
            plan.faults.rates.insert(name, Rate::ALWAYS);
        }
        is_new
    });
    plan.faults.crash_at.clear();
    (plan, Delayed { source, delays, added })
}

/// The time between the death of an attempt and the next attempt.
struct Gap {
    inv: Inv,
    from: VirtualTime,
    until: VirtualTime,
}

fn gaps(history: &History) -> Vec<Gap> {
    let mut dead: BTreeMap<Inv, VirtualTime> = BTreeMap::new();
    let mut gaps = Vec::new();
    for record in history.records() {
        match record.event {
            Event::AttemptCrashed { inv, .. } | Event::AttemptFailed { inv, .. } => {
                dead.entry(inv).or_insert(record.at);
            }
            Event::AttemptStarted { inv, .. } => {
                if let Some(from) = dead.remove(&inv) {
                    gaps.push(Gap { inv, from, until: record.at });
                }
            }
            _ => {}
        }
    }
    gaps
}

/// The decisions of another run, without those that are more than a delay.
pub(super) struct Delayed<'s> {
    source: Box<dyn Source + 's>,
    delays: Delays,
    /// Whether messages, and calls, are slow in this run only.
    added: [bool; 2],
}

impl Source for Delayed<'_> {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        let last = options.count().saturating_sub(1);
        let Some(delay) = self.delays.get(site.place) else {
            return match site.kind.parse() {
                Ok(Fault::MessageDelayed) if self.added[0] => 0,
                Ok(Fault::WorldSlow) if self.added[1] => 0,
                Ok(Fault::HandlerSlow | Fault::MessageDelayed | Fault::WorldSlow) | Err(()) => {
                    self.source.pick(site, options)
                }
                Ok(_) => 0,
            };
        };
        let measured = |ms: u64| u32::try_from(ms.saturating_sub(1)).unwrap_or(u32::MAX).min(last);
        match (site.kind, site.kind.parse()) {
            ("message_delay_ms", _) => measured(*delay),
            // the effect of a call comes half-way
            ("slow_ms", _) => measured(delay.saturating_mul(2)),
            (_, Ok(Fault::MessageDelayed | Fault::WorldSlow)) => 1,
            (_, Ok(_)) => 0,
            (_, Err(())) => self.source.pick(site, options),
        }
    }

    fn polled(&mut self) {
        self.source.polled();
    }

    fn patience(&self) -> Option<Duration> {
        self.source.patience()
    }

    fn order(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        self.source.order(candidates, words)
    }
}
