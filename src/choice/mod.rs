//! The only nondeterminism of a run: every decision is a pick from a numbered list of options.
//!
//! A decision is labelled by its [`Site`]: what kind it is, and where in the domain it is made. A
//! seeded source draws from a stream of its own per site, so removing one decision never shifts
//! another; a tape repeats recorded picks and says when it no longer fits.
//!
//! Option 0 always means "nothing special": no fault, no delay, in order.
//!
//! Must not know: what is being chosen.

mod draws;
mod order;

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr, time::Duration};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use draws::Draws;
pub use order::{Candidate, ORDER, Step, Words, text as order_text};
use order::{PATIENCE, Recorded, Written};

use crate::base::Seed;

/// Where a decision is made.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The kind of decision, by a stable name: `crash`, `answer_lost`, `arrival`.
    pub kind: &'static str,
    /// The place, in the domain's words, unique among decisions of one kind in a run:
    /// `Bookings/b-1/Book#1 attempt 1 after Run(book)`.
    pub place: &'a str,
}

impl fmt::Display for Site<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @ {}", self.kind, self.place)
    }
}

/// How likely "something special" is: parts per million, so that no float decides.
///
/// Written, read and displayed as the decimal number it is, exactly: `0.05`. Formats that no person reads
/// hold the parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u32);

impl Rate {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(1_000_000);
    /// The `format` by which a JSON schema says that a number is a rate.
    pub(crate) const FORMAT: &'static str = "probability";

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

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        f.pad(digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Why a text is not a probability in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRateError {
    /// It is below 0.
    #[error("it cannot be negative")]
    Negative,
    /// It is above 1.
    #[error("that is more than always")]
    AboveOne,
    /// It lies between two millionths.
    #[error("it has more than six decimals")]
    TooFine,
    /// It is not written as a number of JSON is.
    #[error("it is not a number")]
    NotANumber,
}

/// A number as JSON writes it, by its digits: a float would round.
impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(number: &str) -> Result<Self, ParseRateError> {
        let (unsigned, negative) = match number.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (number, false),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let are_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let exponent_digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if ![int, fraction, exponent_digits].into_iter().all(are_digits) {
            return Err(ParseRateError::NotANumber);
        }
        let all = format!("{int}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading_zeros = all.len() - digits.len();
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Ok(Self::NEVER);
        }
        if negative {
            return Err(ParseRateError::Negative);
        }
        // The value is 0.DIGITS times ten to the power of `point`. An exponent beyond i32 is far out either way.
        let far = if exponent.starts_with('-') { -1_000_000 } else { 1_000_000 };
        let exponent = exponent.parse::<i32>().map_or(far, i64::from);
        let length = |n: usize| i64::try_from(n).unwrap_or(i64::from(i32::MAX));
        let point = length(int.len()) - length(leading_zeros) + exponent;
        match point {
            1 if digits == "1" => Ok(Self::ALWAYS),
            1.. => Err(ParseRateError::AboveOne),
            _ => {
                let zeros = u32::try_from(6 + point - length(digits.len()));
                let zeros = zeros.map_err(|_| ParseRateError::TooFine)?;
                let digits: u32 = digits.parse().expect("at most six digits are left");
                Ok(Self(digits * 10_u32.pow(zeros)))
            }
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return s.serialize_u32(self.0);
        }
        if self.0.is_multiple_of(1_000_000) {
            return s.serialize_u32(self.0 / 1_000_000);
        }
        // The float that is nearest to so few digits is written with the same digits.
        s.serialize_f64(self.to_string().parse().expect("a rate is displayed as a number"))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return d.deserialize_any(Decimal);
        }
        let ppm = u32::deserialize(d)?;
        if ppm > Self::ALWAYS.0 {
            return Err(de::Error::custom(format_args!("{ppm} parts per million are too many")));
        }
        Ok(Self(ppm))
    }
}

/// What a [`Rate`] is, for people.
const PROBABILITY: &str = "a probability from 0 to 1";

/// Reads a [`Rate`] from a number.
struct Decimal;

impl Decimal {
    fn read<E: de::Error>(number: &impl fmt::Display) -> Result<Rate, E> {
        let digits = number.to_string();
        let wrong = |why| E::custom(format_args!("expected {PROBABILITY}, found {digits}: {why}"));
        digits.parse().map_err(wrong)
    }
}

impl de::Visitor<'_> for Decimal {
    type Value = Rate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PROBABILITY)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Rate, E> {
        Self::read(&number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Rate, E> {
        Self::read(&number)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Rate, E> {
        // Displayed with the fewest digits that mean this float, and without an exponent.
        Self::read(&number)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "format": Self::FORMAT, "minimum": 0, "maximum": 1 })
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

    /// A handler's code has run until it waits: the decisions that follow are about what it sent.
    fn polled(&mut self) {}

    /// For how much virtual time what is ready may be passed over by what is due later. None: everything happens
    /// first in, first out, and [`order`](Self::order) is not asked.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Which of at least two candidates comes next: its index. The first is the one that would, first in, first out.
    fn order(&mut self, _candidates: &[Candidate], _words: &dyn Words) -> usize {
        0
    }
}

/// Draws each decision from a ChaCha8 stream keyed by hash(seed, site); the order is first in, first out.
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
            Options::Uniform { count } => draws::below(&mut rng, count),
            Options::Rare { count, rate } => {
                if draws::below(&mut rng, 1_000_000) < rate.ppm() {
                    1 + draws::below(&mut rng, count - 1)
                } else {
                    0
                }
            }
        }
    }
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

    /// True if nothing special was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A source that repeats this tape.
    #[must_use]
    pub fn player(&self) -> Player {
        let mut left = self.0.clone();
        let patience = left.remove(PATIENCE).filter(|ms| *ms != u32::MAX);
        let patience = patience.map_or(Duration::MAX, |ms| Duration::from_millis(ms.into()));
        let order = Recorded::of(left.keys());
        Player { patience: order.any().then_some(patience), order, left, stale: Vec::new() }
    }
}

/// Repeats a [`Tape`].
#[derive(Clone, Debug)]
pub struct Player {
    left: BTreeMap<String, u32>,
    order: Recorded,
    patience: Option<Duration>,
    stale: Vec<String>,
}

impl Player {
    /// What did not fit: decisions on the tape that were never asked for, or that name an option
    /// that no longer exists. Empty unless the tape is stale.
    #[must_use]
    pub fn stale(self) -> Vec<String> {
        let mut all = self.stale;
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
                self.stale.push(format!(
                    "{site}: option {pick} is recorded, there are only {}",
                    options.count()
                ));
                0
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }

    fn order(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        self.order.order(&mut self.left, candidates.len(), words)
    }
}

/// Passes decisions through and keeps those that were not 0.
#[derive(Debug)]
pub struct Recorder<S> {
    source: S,
    picks: Option<BTreeMap<String, u32>>,
    order: Written,
}

impl<S: Source> Recorder<S> {
    /// Records what `source` picks, if `on`.
    pub fn new(source: S, on: bool) -> Self {
        Self { source, picks: on.then(BTreeMap::new), order: Written::default() }
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

    fn polled(&mut self) {
        self.source.polled();
    }

    fn patience(&self) -> Option<Duration> {
        self.source.patience()
    }

    fn order(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        let index = self.source.order(candidates, words);
        if let Some(picks) = &mut self.picks
            && let Some((site, number)) = self.order.decision(index, words)
        {
            if let Some(patience) = self.source.patience() {
                let ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
                picks.insert(PATIENCE.to_owned(), ms);
            }
            picks.insert(site, number);
        }
        index
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
        assert_eq!(player.stale(), Vec::<String>::new());

        let mut stale = tape.player();
        let (place, pick) = tape.picks().iter().next().expect("some pick is not 0");
        let place = place.strip_prefix("crash @ ").expect("the site's text").to_owned();
        assert_eq!(stale.pick(site(&place), Options::Uniform { count: *pick }), 0);
        let stale = stale.stale();
        assert_eq!(stale.len(), tape.picks().len());
        assert!(stale[0].contains("there are only"), "{stale:?}");
        assert!(stale[1].contains("never made"), "{stale:?}");
    }

    #[test]
    fn probabilities_are_read_exactly() {
        use ParseRateError::{AboveOne, Negative, NotANumber, TooFine};
        for (text, expected) in [
            ("0", Ok(0)),
            ("0.0", Ok(0)),
            ("-0", Ok(0)),
            ("0e99999999999", Ok(0)),
            ("1", Ok(1_000_000)),
            ("1.000", Ok(1_000_000)),
            ("10e-1", Ok(1_000_000)),
            ("0.05", Ok(50_000)),
            ("5e-2", Ok(50_000)),
            ("0.5E-1", Ok(50_000)),
            ("0.000001", Ok(1)),
            ("0.999999", Ok(999_999)),
            ("0.1000000000", Ok(100_000)),
            ("0.0000001", Err(TooFine)),
            ("0.1234567", Err(TooFine)),
            ("1e-99999999999", Err(TooFine)),
            ("1.5", Err(AboveOne)),
            ("1.0000001", Err(AboveOne)),
            ("5", Err(AboveOne)),
            ("1e99999999999", Err(AboveOne)),
            ("-0.1", Err(Negative)),
            ("", Err(NotANumber)),
            ("5 %", Err(NotANumber)),
            ("0.-5", Err(NotANumber)),
            (".5", Err(NotANumber)),
            ("NaN", Err(NotANumber)),
        ] {
            assert_eq!(text.parse(), expected.map(Rate), "{text}");
        }
    }

    #[test]
    fn every_probability_survives_its_text() {
        for ppm in (0..=1_000_000).step_by(7).chain([1, 50_000, 999_999, 1_000_000]) {
            let rate = Rate(ppm);
            assert_eq!(rate.to_string().parse(), Ok(rate));
            let json = serde_json::to_string(&rate).expect("a number");
            assert_eq!(serde_json::from_str::<Rate>(&json).expect("the same number"), rate);
            let value = serde_json::to_value(rate).expect("a number");
            assert_eq!(serde_json::from_value::<Rate>(value).expect("the same number"), rate);
        }
        let json = |ppm| serde_json::to_string(&Rate(ppm)).expect("a number");
        assert_eq!([0, 50_000, 1_000_000].map(json), ["0", "0.05", "1"]);
        let bytes = postcard::to_allocvec(&Rate(50_000)).expect("a number");
        assert_eq!(postcard::from_bytes::<Rate>(&bytes), Ok(Rate(50_000)));
        for (wrong, why) in [
            ("5", "expected a probability from 0 to 1, found 5: that is more than always"),
            ("-0.1", "found -0.1: it cannot be negative"),
            ("1e-7", "found 0.0000001: it has more than six decimals"),
            ("\"0.5\"", "invalid type: string \"0.5\", expected a probability from 0 to 1"),
        ] {
            let error = serde_json::from_str::<Rate>(wrong).expect_err(wrong).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
