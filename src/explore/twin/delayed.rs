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
    choice::{Candidate, Options, Rate, Seeded, Site, Source, Words},
    explore::labels::labels,
    history::{Crash, Event, History, Inv},
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

/// `plan`, with the delays that the crashes in `history` were; and the source of such a run. With `slow`, what else is slow
/// is drawn anew.
pub(super) fn delayed<'s>(
    (plan, history): (&Plan, &History),
    source: Box<dyn Source + 's>,
    (how, mut slow): (As, Option<Seeded>),
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
        let held = Held { label: label.clone(), from, until: gap.until };
        plan.faults.held.push(match &mut slow {
            Some(slow) => stretched(held, slow),
            None => held,
        });
    }
    for record in history.records() {
        let Event::FaultFired { place, .. } = &record.event else { continue };
        // what strikes a call strikes it when it is made, and its caller dies half-way
        let strikes = |gap: &&Gap| {
            let label = labels.get(&gap.inv).map(|(label, _)| label);
            gap.from >= record.at && label.is_some_and(|label| is_of(place, label))
        };
        let Some(gap) = gaps.iter().find(strikes) else { continue };
        let is_late = match gap.how {
            Some(Crash::BeforeEffect) => true,
            Some(Crash::AfterEffect) => false,
            _ => how == As::Messages && gap.from == record.at,
        };
        if is_late {
            let ms = gap.until.since(record.at).as_millis();
            delays.insert(place.clone(), u64::try_from(ms).unwrap_or(u64::MAX).max(1));
        }
    }
    let longest = delays.values().max().map_or(0, |ms| ms.saturating_mul(2));
    let slowed = [Fault::MessageDelayed, Fault::WorldSlow].map(|fault| {
        let name = FaultName::BuiltIn(fault);
        let is_new = !plan.faults.rates.contains_key(&name);
        let up_to_ms = plan.faults.up_to_ms(fault);
        if !delays.is_empty() {
            plan.faults.rates.entry(name.clone()).or_insert(Rate::ALWAYS);
            plan.faults.up_to_ms.insert(name, up_to_ms.max(longest));
        }
        Slowed { is_new, up_to_ms }
    });
    plan.faults.crash_at.clear();
    (plan, Delayed { source, slow, delays, slowed })
}

/// The same for longer, in half of all cases: without the crashes before it, what it stops may come sooner or later than it
/// did.
fn stretched(held: Held, slow: &mut Seeded) -> Held {
    let ms = held.until.since(held.from).as_millis();
    let count = u32::try_from(ms).unwrap_or(u32::MAX).max(1);
    let mut draw = |kind| {
        let site = Site { kind, place: &held.label };
        let both = slow.pick(site, Options::Uniform { count: count.saturating_mul(2) });
        Duration::from_millis(u64::from(both.saturating_sub(count)))
    };
    let (sooner, later) = (draw("held_sooner_ms"), draw("held_later_ms"));
    let sooner = u64::try_from(sooner.as_nanos()).unwrap_or(u64::MAX);
    let from = VirtualTime::from_nanos(held.from.as_nanos().saturating_sub(sooner));
    Held { from, until: held.until.after(later), ..held }
}

/// Whether a place is one of the invocation with this name.
fn is_of(place: &str, label: &str) -> bool {
    place.strip_prefix(label).is_some_and(|rest| rest.starts_with(' '))
}

/// The time between the death of an attempt and the next attempt.
struct Gap {
    inv: Inv,
    /// How it died; none if it failed otherwise.
    how: Option<Crash>,
    from: VirtualTime,
    until: VirtualTime,
}

fn gaps(history: &History) -> Vec<Gap> {
    let mut dead: BTreeMap<Inv, (VirtualTime, Option<Crash>)> = BTreeMap::new();
    let mut gaps = Vec::new();
    for record in history.records() {
        match record.event {
            Event::AttemptCrashed { inv, how, .. } => {
                dead.entry(inv).or_insert((record.at, Some(how)));
            }
            Event::AttemptFailed { inv, .. } => {
                dead.entry(inv).or_insert((record.at, None));
            }
            Event::AttemptStarted { inv, .. } => {
                if let Some((from, how)) = dead.remove(&inv) {
                    gaps.push(Gap { inv, how, from, until: record.at });
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
    /// What else is slow, if that is not as it was.
    slow: Option<Seeded>,
    delays: Delays,
    /// Messages, and calls.
    slowed: [Slowed; 2],
}

/// How a kind of delay is in the run that is made again.
struct Slowed {
    /// Whether it has none of these.
    is_new: bool,
    /// How long they are at most.
    up_to_ms: u64,
}

impl Delayed<'_> {
    /// A decision on what is slow, at a place that no crash made so.
    fn slow(&mut self, site: Site<'_>, options: Options) -> u32 {
        let slowed = match site.kind {
            "message_delayed" | MESSAGE_MS => Some(&self.slowed[0]),
            "world_slow" | CALL_MS => Some(&self.slowed[1]),
            _ => None,
        };
        let options = match (options, slowed) {
            (Options::Rare { .. }, Some(Slowed { is_new: true, .. })) => return 0,
            (Options::Uniform { count }, Some(Slowed { up_to_ms, .. })) => {
                let most = u32::try_from(*up_to_ms).unwrap_or(u32::MAX).max(1);
                Options::Uniform { count: count.min(most) }
            }
            (options, _) => options,
        };
        match &mut self.slow {
            Some(slow) => slow.pick(site, options),
            None => self.source.pick(site, options),
        }
    }
}

/// The kinds of decisions on how long messages, calls and code take.
const MESSAGE_MS: &str = "message_delay_ms";
const CALL_MS: &str = "slow_ms";
const CODE_MS: &str = "handler_slow_ms";

impl Source for Delayed<'_> {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        let last = options.count().saturating_sub(1);
        let measured = |ms: u64| u32::try_from(ms.saturating_sub(1)).unwrap_or(u32::MAX).min(last);
        let fault: Result<Fault, ()> = site.kind.parse();
        match (self.delays.get(site.place), fault) {
            (Some(_), Ok(Fault::MessageDelayed | Fault::WorldSlow)) => 1,
            (Some(ms), _) if site.kind == MESSAGE_MS => measured(*ms),
            // the effect of a call comes half-way
            (Some(ms), _) if site.kind == CALL_MS => measured(ms.saturating_mul(2)),
            (_, Ok(Fault::HandlerSlow | Fault::MessageDelayed | Fault::WorldSlow)) => {
                self.slow(site, options)
            }
            (_, Ok(_)) => 0,
            _ if [MESSAGE_MS, CALL_MS, CODE_MS].contains(&site.kind) => self.slow(site, options),
            _ => self.source.pick(site, options),
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
