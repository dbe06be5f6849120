//! Which seeds of a campaign are run again although they held, and whether they came out the same.
//!
//! Code under test that depends on more than its seed passes as long as nothing is violated, and each pass is of another
//! program. So the first seed, the last, and one in two hundred are run again, after others have run on the same threads:
//! what statics, thread-local storage and the order of things in the process decide comes out differently then.
//!
//! Must not know: how a run is made.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use crate::{
    base::{Digest, Seed},
    history::History,
};

/// One seed in so many is run again.
const EVERY: u64 = 200;

/// The order in which the runs of a campaign are made: every seed once, and those of the sample once more, later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    start: u64,
    seeds: u64,
}

impl Order {
    pub(super) fn of(seeds: &Range<u64>) -> Self {
        Self { start: seeds.start, seeds: seeds.end.saturating_sub(seeds.start) }
    }

    /// How many runs there are.
    pub(super) fn len(self) -> u64 {
        let (blocks, rest) = (self.seeds / EVERY, self.seeds % EVERY);
        let again = match (self.seeds, rest) {
            (0, _) => 0,
            // the first of the last block is the last of all; or the last block is whole
            (_, 0 | 1) => 1,
            _ => 2,
        };
        // more than anybody can run, if it does not fit
        blocks.saturating_mul(EVERY + 1).saturating_add(rest).saturating_add(again)
    }

    /// The seed of run `number`, and whether it was run before.
    pub(super) fn seed(self, number: u64) -> (u64, bool) {
        let (blocks, rest) = (self.seeds / EVERY, self.seeds % EVERY);
        let (block, within) = (number / (EVERY + 1), number % (EVERY + 1));
        let (at, again) = if block < blocks {
            if within < EVERY { (block * EVERY + within, false) } else { (block * EVERY, true) }
        } else if within < rest {
            (blocks * EVERY + within, false)
        } else if within == rest && rest > 0 {
            (blocks * EVERY, true)
        } else {
            (self.seeds - 1, true)
        };
        (self.start + at, again)
    }

    fn samples(self, seed: u64) -> bool {
        let at = seed - self.start;
        at.is_multiple_of(EVERY) || at == self.seeds - 1
    }

    /// How many seeds the sample has.
    pub(super) fn sample_len(self) -> u64 {
        let last_is_first = self.seeds % EVERY == 1 || self.seeds == 0;
        self.seeds.div_ceil(EVERY) + u64::from(!last_is_first)
    }

    /// A seed of the sample, counted from the last one.
    pub(super) fn sampled(self, from_last: u64) -> u64 {
        let number = self.sample_len() - 1 - from_last;
        let at = number.saturating_mul(EVERY).min(self.seeds - 1);
        self.start + at
    }
}

/// The seeds of `seeds` that are run again: the first, the last, one in two hundred.
///
/// ```
/// use onceproof::explore::sample;
///
/// assert_eq!(sample(&(0..450)).collect::<Vec<_>>(), [0, 200, 400, 449]);
/// assert_eq!(sample(&(7..8)).collect::<Vec<_>>(), [7]);
/// ```
pub fn sample(seeds: &Range<u64>) -> impl Iterator<Item = u64> {
    let order = Order::of(seeds);
    (0..order.sample_len()).rev().map(move |number| order.sampled(number))
}

/// One seed, and two histories.
#[derive(Debug)]
pub struct Differs {
    /// The seed.
    pub seed: Seed,
    /// What happened first.
    pub first: History,
    /// What happened when it was run again.
    pub again: History,
}

/// What came of the sample so far.
#[derive(Debug)]
pub(super) struct Samples {
    order: Order,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By seed: the fingerprint, and the history until it was compared.
    runs: BTreeMap<u64, (Digest, Option<History>)>,
    differs: Option<Differs>,
}

impl Samples {
    pub(super) fn new(order: Order) -> Self {
        Self { order, seen: Mutex::default() }
    }

    /// A run was made: it is noted, or compared with the one before, if it is one of the sample.
    pub(super) fn note(&self, seed: u64, history: &History) {
        if !self.order.samples(seed) {
            return;
        }
        let digest = history.digest();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = &mut *seen;
        let Some((first, kept)) = seen.runs.get_mut(&seed) else {
            seen.runs.insert(seed, (digest, Some(history.clone())));
            return;
        };
        let Some(kept) = kept.take() else { return };
        let is_smallest = || seen.differs.as_ref().is_none_or(|differs| seed < differs.seed.0);
        if *first != digest && is_smallest() {
            let (seed, again) = (Seed(seed), history.clone());
            seen.differs = Some(Differs { seed, first: kept, again });
        }
    }

    /// The fingerprints of the sample, and the smallest seed that came out differently.
    pub(super) fn end(self) -> (Vec<(Seed, Digest)>, Option<Differs>) {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let digests = seen.runs.into_iter().map(|(seed, (digest, _))| (Seed(seed), digest));
        (digests.collect(), seen.differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::VirtualTime, history::Event};

    #[test]
    fn every_seed_is_run_once_and_the_sample_once_more_and_later() {
        for start in [0, 7] {
            for seeds in (0..=2 * EVERY + 5).chain([999, 1_000, 1_001]) {
                let range = start..start + seeds;
                let order = Order::of(&range);
                let mut times = BTreeMap::<u64, u32>::new();
                for number in 0..order.len() {
                    let (seed, again) = order.seed(number);
                    let before = times.entry(seed).or_default();
                    assert_eq!(again, *before == 1, "{range:?} {number}");
                    *before += 1;
                }
                assert!(times.keys().copied().eq(range.clone()), "{range:?}");
                let twice =
                    times.into_iter().filter(|(_, times)| *times == 2).map(|(seed, _)| seed);
                let twice: Vec<u64> = twice.collect();
                assert_eq!(twice, sample(&range).collect::<Vec<_>>(), "{range:?}");
                assert!(range.clone().all(|s| order.samples(s) == twice.contains(&s)), "{range:?}");
            }
        }
    }

    #[test]
    fn the_largest_campaign_has_an_order() {
        let order = Order::of(&(0..u64::MAX));
        assert_eq!(order.seed(0), (0, false));
        assert_eq!(order.seed(EVERY), (0, true));
        assert_eq!(order.len(), u64::MAX);
        assert_eq!(Order::of(&(u64::MAX - 1..u64::MAX)).seed(1), (u64::MAX - 1, true));
    }

    #[test]
    fn the_smallest_seed_that_differs_is_kept_with_both_histories() {
        let history = |event: Event| {
            let mut history = History::new();
            history.push(VirtualTime::ZERO, event);
            history
        };
        let same = history(Event::FaultsOver);
        let other = history(Event::ProcessStarted { process: 2 });
        let samples = Samples::new(Order::of(&(0..401)));
        let note = |seed, history: &History| samples.note(seed, history);
        for seed in [0, 200, 201, 400] {
            note(seed, &same);
        }
        note(400, &other);
        note(200, &other);
        note(0, &same);
        note(201, &other);
        let (digests, differs) = samples.end();
        assert_eq!(digests, [0, 200, 400].map(|seed| (Seed(seed), same.digest())));
        let differs = differs.expect("two seeds came out differently");
        assert_eq!(differs.seed, Seed(200));
        assert_eq!(differs.first.digest(), same.digest());
        assert_eq!(differs.again.digest(), other.digest());
    }
}
