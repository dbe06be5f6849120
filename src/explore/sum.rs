//! What many runs add up to: the same in whichever order they come, and however they are shared out.
//!
//! Must not know: what a scenario's verdict follows from.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};

use super::{
    coverage::{Coverage, Shown},
    outcome::LeftBehind,
    replies::{self, Steps},
    twin::{Compared, MAY_BE_LATE},
    verdict::verdict,
};
use crate::{
    base::{Digest, Seed},
    history::{Event, Record},
    oracle::{Facts, Oracle, Verdict},
    scenario::plan::{Scenario, TWIN},
    sim::{RunResult, Tally},
    subject::Subject,
};

/// One run, judged.
pub(super) struct Ran {
    seed: u64,
    digest: Digest,
    result: RunResult,
    verdict: Verdict,
    reached: BTreeMap<usize, u64>,
    left_behind: Option<LeftBehind>,
    shown: Option<Shown>,
    /// Why the run was not compared with those without faults; none if it was, or is not to be.
    compared: Option<Result<(), String>>,
}

impl Ran {
    pub(super) fn new(
        (subject, scenario): (&Subject, &Scenario),
        oracles: &[&dyn Oracle],
        seed: u64,
        (result, twin): (RunResult, Option<Compared>),
        shown: Option<Shown>,
    ) -> Self {
        let history = &result.history;
        let killed = |record: &Record| matches!(record.event, Event::Killed { .. });
        let mut left_behind = None;
        if history.records().iter().any(killed) {
            let what = subject.left_behind(&Facts::of(history));
            if !what.is_empty() {
                left_behind = Some(LeftBehind { runs: 1, seed: Seed(seed), what });
            }
        }
        let mut reached = BTreeMap::new();
        let (compared, differences) = match twin {
            None => (None, Vec::new()),
            Some(Compared::With(differences)) => (Some(Ok(())), differences),
            Some(Compared::Not(why)) => (Some(Err(why)), Vec::new()),
        };
        let verdict = verdict(scenario, oracles, history, (&mut reached, differences));
        let digest = history.digest();
        Self { seed, digest, result, verdict, reached, left_behind, shown, compared }
    }
}

/// How many of the runs that violate one oracle are kept.
const KEPT: usize = 8;

/// The runs that violate one oracle.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Violated {
    /// The smallest seeds, each with its fingerprint.
    pub(super) seeds: BTreeMap<u64, Digest>,
    /// How many there are.
    pub(super) times: u64,
    /// Those of the smallest seeds that hold, now that they were looked at for longer.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) late: BTreeSet<u64>,
}

impl Violated {
    fn add(&mut self, other: Self) {
        self.seeds.extend(other.seeds);
        self.late.extend(other.late);
        while self.seeds.len() > KEPT {
            self.seeds.pop_last();
        }
        self.late.retain(|seed| self.seeds.contains_key(seed));
        self.times += other.times;
    }
}

/// As data it is part of a shard's result, and read by the same version alone.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) runs: u64,
    pub(super) events: u64,
    /// Runs whose services started threads.
    pub(super) threads: u64,
    pub(super) digest: Digest,
    pub(super) tally: Tally,
    pub(super) replies: replies::Tally,
    pub(super) reached: BTreeMap<usize, u64>,
    /// By oracle.
    pub(super) violated: BTreeMap<String, Violated>,
    /// By bound: its value, and the number of runs.
    pub(super) inconclusive: BTreeMap<Cow<'static, str>, (u64, u64)>,
    pub(super) left_behind: Option<LeftBehind>,
    pub(super) coverage: Coverage,
    /// Runs that were compared with those without faults.
    pub(super) compared: u64,
    /// Runs that were not, for each reason.
    pub(super) not_compared: BTreeMap<String, u64>,
    /// What of the plan's own decisions did not fit, and in how many runs.
    pub(super) stale: BTreeMap<String, u64>,
    /// The oracle that panicked with the smallest seed, and what it said.
    pub(super) panicked: Option<(u64, String, String)>,
}

impl Sum {
    pub(super) fn add(&mut self, steps: &Steps, ran: Ran) {
        let Ran { seed, digest, result, verdict, reached, left_behind, shown, compared } = ran;
        if let Some(shown) = shown {
            self.coverage.add(seed, shown);
        }
        self.runs += 1;
        self.events += result.history.len() as u64;
        self.threads += u64::from(result.threads > 0);
        // commutative, so that threads can share the work: each run's digest is mixed with its seed first
        let mixed = Digest::of(format!("{seed} {digest}").as_bytes());
        self.digest = both(self.digest, mixed);
        self.fired(result.tally);
        self.stale(result.stale.into_iter().map(|decision| (decision, 1)));
        steps.count(&result.history, &mut self.replies);
        self.left_behind = earlier(self.left_behind.take(), left_behind);
        match compared {
            Some(Ok(())) => self.compared += 1,
            Some(Err(why)) => *self.not_compared.entry(why).or_default() += 1,
            None => {}
        }
        self.reached(reached);
        match verdict {
            Verdict::Held => {}
            Verdict::Violated(violations) => {
                let names: BTreeSet<String> = violations.into_iter().map(|v| v.oracle).collect();
                let seen = Violated {
                    seeds: BTreeMap::from([(seed, digest)]),
                    times: 1,
                    late: BTreeSet::new(),
                };
                names.into_iter().for_each(|name| self.violated(name, seen.clone()));
            }
            Verdict::Inconclusive { bound, limit } => self.inconclusive(bound.into(), (limit, 1)),
            Verdict::Panicked { oracle, message, .. } => {
                self.panicked(Some((seed, oracle, message)));
            }
        }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.events += other.events;
        self.threads += other.threads;
        self.digest = both(self.digest, other.digest);
        self.fired(other.tally);
        self.stale(other.stale);
        self.replies.add(other.replies);
        self.left_behind = earlier(self.left_behind.take(), other.left_behind);
        self.panicked(other.panicked);
        self.coverage.merge(other.coverage);
        self.compared += other.compared;
        for (why, runs) in other.not_compared {
            *self.not_compared.entry(why).or_default() += runs;
        }
        self.reached(other.reached);
        other.violated.into_iter().for_each(|(name, seen)| self.violated(name, seen));
        other.inconclusive.into_iter().for_each(|(bound, seen)| self.inconclusive(bound, seen));
        self
    }

    /// The same without the runs that only seemed to differ from those without faults. If that is so of all that were
    /// looked at for longer, nothing is said of the others.
    pub(super) fn without_late(mut self) -> Self {
        let Some(violated) = self.violated.get_mut(TWIN) else { return self };
        let late = std::mem::take(&mut violated.late);
        violated.seeds.retain(|seed, _| !late.contains(seed));
        violated.times -= late.len() as u64;
        if violated.seeds.is_empty() {
            let others = violated.times;
            self.violated.remove(TWIN);
            if others > 0 {
                self.compared -= others;
                *self.not_compared.entry(MAY_BE_LATE.to_owned()).or_default() += others;
            }
        }
        self
    }

    fn fired(&mut self, tally: Tally) {
        add_tally(&mut self.tally, tally);
    }

    fn stale(&mut self, stale: impl IntoIterator<Item = (String, u64)>) {
        for (decision, runs) in stale {
            *self.stale.entry(decision).or_default() += runs;
        }
    }

    fn reached(&mut self, reached: BTreeMap<usize, u64>) {
        for (number, times) in reached {
            *self.reached.entry(number).or_default() += times;
        }
    }

    fn violated(&mut self, oracle: String, seen: Violated) {
        self.violated.entry(oracle).or_default().add(seen);
    }

    fn inconclusive(&mut self, bound: Cow<'static, str>, (limit, times): (u64, u64)) {
        self.inconclusive.entry(bound).or_insert((limit, 0)).1 += times;
    }

    /// Of two, that with the smaller seed counts.
    fn panicked(&mut self, other: Option<(u64, String, String)>) {
        self.panicked = [self.panicked.take(), other].into_iter().flatten().min();
    }
}

/// The same whichever comes first.
const fn both(one: Digest, other: Digest) -> Digest {
    Digest(one.0.wrapping_add(other.0))
}

/// Adds what became of faults in other runs.
pub(super) fn add_tally(all: &mut Tally, more: Tally) {
    for (fault, counts) in more {
        all.entry(fault).or_default().add(counts);
    }
}

/// Both together: the sentences of the smaller seed.
fn earlier(one: Option<LeftBehind>, other: Option<LeftBehind>) -> Option<LeftBehind> {
    let (Some(one), Some(other)) = (&one, &other) else { return one.or(other) };
    let runs = one.runs + other.runs;
    let first = if one.seed <= other.seed { one } else { other };
    Some(LeftBehind { runs, ..first.clone() })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    #[test]
    fn what_kills_left_is_added_up_and_told_of_the_first_seed() {
        let left = |runs, seed, what: &str| {
            Some(LeftBehind { runs, seed: Seed(seed), what: vec![what.to_owned()] })
        };
        assert_eq!(earlier(None, None), None);
        assert_eq!(earlier(left(1, 7, "a"), None), left(1, 7, "a"));
        assert_eq!(earlier(None, left(1, 7, "a")), left(1, 7, "a"));
        assert_eq!(earlier(left(2, 7, "a"), left(3, 5, "b")), left(5, 5, "b"));
        assert_eq!(earlier(left(2, 5, "a"), left(3, 7, "b")), left(5, 5, "a"));
    }

    #[test]
    fn what_only_seemed_to_differ_is_no_violation_wherever_it_was_run() {
        let differs = |seeds: Range<u64>, late: &[u64]| {
            let mut sum = Sum { compared: 20, ..Sum::default() };
            for seed in seeds {
                let late = late.iter().copied().filter(|other| *other == seed).collect();
                let seeds = BTreeMap::from([(seed, Digest::of(b""))]);
                sum.violated(TWIN.to_owned(), Violated { seeds, times: 1, late });
            }
            sum
        };
        let of = |sum: Sum| {
            let sum = sum.without_late();
            let left = sum.violated.get(TWIN);
            let left =
                left.map(|left| (left.seeds.keys().copied().collect::<Vec<_>>(), left.times));
            (left, sum.compared, sum.not_compared.get(MAY_BE_LATE).copied())
        };
        assert_eq!(of(differs(3..6, &[])), (Some((vec![3, 4, 5], 3)), 20, None));
        assert_eq!(of(differs(3..6, &[3, 5])), (Some((vec![4], 1)), 20, None));
        assert_eq!(of(differs(3..6, &[3, 4, 5])), (None, 20, None));
        // two were not looked at
        let all: Vec<u64> = (0..10).collect();
        assert_eq!(of(differs(0..10, &all)), (None, 18, Some(2)));
        // each of two shards has looked at its first ones
        let merged = differs(0..9, &[8]).merge(differs(9..20, &[9, 10]));
        assert_eq!(of(merged), (Some(((0..8).collect(), 20)), 40, None));
    }
}
