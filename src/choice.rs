//! The only nondeterminism of a run: every decision is a pick from a numbered list of options.
//!
//! A decision is labelled by its [`Site`]: what kind it is, and where in the domain it is made. A
//! seeded source draws from a stream of its own per site, so removing one decision never shifts
//! another; a tape repeats recorded picks and says when it no longer fits.
//!
//! Option 0 always means "nothing special": no fault, no delay, in order.
//!
//! Must not know: what is being chosen.

use std::{collections::BTreeMap, fmt};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use crate::base::Seed;

/// Where a decision is made.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The kind of decision, by a stable name: `crash`, `answer_lost`, `arrival`.
    pub kind: &'static str,
    /// The place, in the domain's words, unique among decisions of one kind in a run:
    /// `PaymentService/payment-001/CreatePayment#1 attempt 1 after Run(charge)`.
    pub place: &'a str,
}

impl fmt::Display for Site<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @ {}", self.kind, self.place)
    }
}

/// How likely "something special" is: parts per million, so that no float decides.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rate(u32);

impl Rate {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(1_000_000);

    /// `ppm` parts per million, at most a million.
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(if ppm > 1_000_000 { 1_000_000 } else { ppm })
    }

    /// Parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// True if it can never happen.
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }
}

/// The options of one decision: numbered from 0, where 0 is "nothing special".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Options {
    /// A value of `0..count`, each equally likely: a delay, a position.
    Uniform {
        /// How many options there are; at least 1.
        count: u32,
    },
    /// 0, or with probability `rate` one of `1..count`, each equally likely: a fault and its forms.
    Rare {
        /// How many options there are, "nothing special" included; at least 1.
        count: u32,
        /// How likely any but option 0 is.
        rate: Rate,
    },
}

impl Options {
    /// How many options there are.
    #[must_use]
    pub const fn count(self) -> u32 {
        match self {
            Self::Uniform { count } | Self::Rare { count, .. } => count,
        }
    }
}

/// A source of decisions: seeded, recorded, or (later) exhaustive.
pub trait Source {
    /// Picks one of `0..options.count()`.
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32;
}

/// Draws each decision from a ChaCha8 stream keyed by hash(seed, site).
#[derive(Clone, Debug)]
pub struct Seeded {
    seed: Seed,
    label: String,
}

impl Seeded {
    /// The source for `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, label: String::new() }
    }
}

impl Source for Seeded {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        use fmt::Write as _;
        if options.count() < 2 {
            return 0;
        }
        self.label.clear();
        write!(self.label, "{site}").expect("writing to a String cannot fail");
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.derive(&self.label));
        match options {
            Options::Uniform { count } => below(&mut rng, count),
            Options::Rare { count, rate } => {
                if below(&mut rng, 1_000_000) < rate.ppm() {
                    1 + below(&mut rng, count - 1)
                } else {
                    0
                }
            }
        }
    }
}

/// A uniform value of `0..n`, by multiplication; the bias is below `n / 2^64`.
fn below(rng: &mut ChaCha8Rng, n: u32) -> u32 {
    let wide = u128::from(rng.next_u64()) * u128::from(n);
    u32::try_from(wide >> 64).expect("a product below n * 2^64, shifted by 64, is below n")
}

/// The decisions of a run that were not 0, by site. What is not on the tape is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tape(BTreeMap<String, u32>);

impl Tape {
    /// A tape with these decisions, keyed by the text of their sites.
    #[must_use]
    pub fn new(picks: BTreeMap<String, u32>) -> Self {
        Self(picks)
    }

    /// The decisions, by the text of their sites.
    #[must_use]
    pub fn picks(&self) -> &BTreeMap<String, u32> {
        &self.0
    }

    /// A source that repeats this tape.
    #[must_use]
    pub fn player(&self) -> Player {
        Player { left: self.0.clone(), misfits: Vec::new() }
    }
}

/// Repeats a [`Tape`].
#[derive(Clone, Debug)]
pub struct Player {
    left: BTreeMap<String, u32>,
    misfits: Vec<String>,
}

impl Player {
    /// What did not fit: decisions on the tape that were never asked for, or that name an option
    /// that no longer exists. Empty unless the tape is stale.
    #[must_use]
    pub fn misfits(self) -> Vec<String> {
        let mut all = self.misfits;
        all.extend(
            self.left.into_keys().map(|site| format!("{site}: this decision was never made")),
        );
        all
    }
}

impl Source for Player {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        if self.left.is_empty() {
            return 0;
        }
        let site = site.to_string();
        match self.left.remove(&site) {
            None => 0,
            Some(pick) if pick < options.count() => pick,
            Some(pick) => {
                self.misfits.push(format!(
                    "{site}: option {pick} is recorded, there are only {}",
                    options.count()
                ));
                0
            }
        }
    }
}

/// Passes decisions through and keeps those that were not 0.
#[derive(Debug)]
pub struct Recorder<S> {
    source: S,
    picks: Option<BTreeMap<String, u32>>,
}

impl<S: Source> Recorder<S> {
    /// Records what `source` picks, if `on`.
    pub fn new(source: S, on: bool) -> Self {
        Self { source, picks: on.then(BTreeMap::new) }
    }

    /// The source, and what it picked (empty if recording was off).
    pub fn finish(self) -> (S, Tape) {
        (self.source, Tape(self.picks.unwrap_or_default()))
    }
}

impl<S: Source> Source for Recorder<S> {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        let pick = self.source.pick(site, options);
        if pick != 0
            && let Some(picks) = &mut self.picks
        {
            picks.insert(site.to_string(), pick);
        }
        pick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(place: &str) -> Site<'_> {
        Site { kind: "crash", place }
    }

    #[test]
    fn a_decision_depends_on_seed_and_site_and_not_on_order() {
        let places: Vec<String> = (0..50).map(|i| format!("p{i}")).collect();
        let all = Options::Uniform { count: 1000 };
        let forward: Vec<u32> = {
            let mut s = Seeded::new(Seed(1));
            places.iter().map(|p| s.pick(site(p), all)).collect()
        };
        let mut backward: Vec<u32> = {
            let mut s = Seeded::new(Seed(1));
            places.iter().rev().map(|p| s.pick(site(p), all)).collect()
        };
        backward.reverse();
        assert_eq!(forward, backward);
        let mut other = Seeded::new(Seed(2));
        assert_ne!(forward, places.iter().map(|p| other.pick(site(p), all)).collect::<Vec<_>>());
    }

    #[test]
    fn rare_options_come_at_their_rate_and_cover_every_form() {
        let mut source = Seeded::new(Seed(3));
        let mut seen = [0u32; 4];
        for i in 0..10_000 {
            let place = format!("p{i}");
            let options = Options::Rare { count: 4, rate: Rate::from_ppm(300_000) };
            seen[source.pick(site(&place), options) as usize] += 1;
        }
        assert!((6_800..7_200).contains(&seen[0]), "{seen:?}");
        assert!(seen[1..].iter().all(|n| (850..1_150).contains(n)), "{seen:?}");
        assert_eq!(source.pick(site("x"), Options::Rare { count: 2, rate: Rate::NEVER }), 0);
        assert_eq!(source.pick(site("x"), Options::Rare { count: 2, rate: Rate::ALWAYS }), 1);
    }

    #[test]
    fn a_tape_repeats_a_recording_and_says_what_is_stale() {
        let options = Options::Uniform { count: 5 };
        let mut recorder = Recorder::new(Seeded::new(Seed(4)), true);
        let first: Vec<u32> =
            (0..20).map(|i| recorder.pick(site(&format!("p{i}")), options)).collect();
        let (_, tape) = recorder.finish();
        let mut player = tape.player();
        let second: Vec<u32> =
            (0..20).map(|i| player.pick(site(&format!("p{i}")), options)).collect();
        assert_eq!(first, second);
        assert_eq!(player.misfits(), Vec::<String>::new());

        let mut stale = tape.player();
        let (place, pick) = tape.picks().iter().next().expect("some pick is not 0");
        let place = place.strip_prefix("crash @ ").expect("the site's text").to_owned();
        assert_eq!(stale.pick(site(&place), Options::Uniform { count: *pick }), 0);
        let misfits = stale.misfits();
        assert_eq!(misfits.len(), tape.picks().len());
        assert!(misfits[0].contains("there are only"), "{misfits:?}");
        assert!(misfits[1].contains("never made"), "{misfits:?}");
    }
}
