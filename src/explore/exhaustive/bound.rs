//! How many faults a history may have, and of which kinds.
//!
//! Must not know: how histories are made.

use std::{fmt, str::FromStr};

use crate::scenario::plan::{Fault, FaultName, FaultPlan, Plan};

/// How far an exhaustive exploration goes.
///
/// ```
/// use onceproof::explore::Bound;
///
/// assert_eq!("2".parse::<Bound>().unwrap().to_string(), "at most 2 faults");
/// let each = "crash,request_duplicated,cancel".parse::<Bound>().unwrap();
/// assert_eq!(each.to_string(), "at most 1 crash, 1 request_duplicated and 1 cancel");
/// assert!("0".parse::<Bound>().is_err() && "crush".parse::<Bound>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// So many faults of the scenario's kinds; of [`Bound::USUAL`] if it has none.
    AtMost(u32),
    /// One of each of these kinds; a kind that is named twice may strike twice.
    EachOf(Vec<Fault>),
}

/// It is no bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected how many faults a history may have, 1 or more, or kinds of faults with at most one of each: \
     `crash,request_duplicated,cancel`; found `{0}`"
)]
pub struct NoBound(String);

impl FromStr for Bound {
    type Err = NoBound;

    fn from_str(text: &str) -> Result<Self, NoBound> {
        let no_bound = || NoBound(text.to_owned());
        if let Ok(faults) = text.parse() {
            return if faults > 0 { Ok(Self::AtMost(faults)) } else { Err(no_bound()) };
        }
        let kinds = text.split(',').map(|name| name.trim().parse().map_err(|()| no_bound()));
        Ok(Self::EachOf(kinds.collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(1) => f.write_str("at most 1 fault"),
            Self::AtMost(n) => write!(f, "at most {n} faults"),
            Self::EachOf(kinds) => {
                let mut names: Vec<(&str, usize)> = Vec::new();
                for kind in kinds {
                    match names.iter_mut().find(|(name, _)| *name == kind.name()) {
                        Some((_, times)) => *times += 1,
                        None => names.push((kind.name(), 1)),
                    }
                }
                let all: Vec<String> =
                    names.iter().map(|(name, times)| format!("{times} {name}")).collect();
                match &all[..] {
                    [] => f.write_str("no fault"),
                    [one] => write!(f, "at most {one}"),
                    [most @ .., last] => write!(f, "at most {} and {last}", most.join(", ")),
                }
            }
        }
    }
}

impl Bound {
    /// The kinds for a scenario that has no faults: those that Restate hides and that are more than a delay, an answer that
    /// its client does not get, a request that comes twice, and an operator's cancel.
    pub const USUAL: &'static [Fault] = &[
        Fault::Crash,
        Fault::CrashInRun,
        Fault::ProcessCrash,
        Fault::EndpointDown,
        Fault::Zombie,
        Fault::Suspend,
        Fault::RestateRestart,
        Fault::AnswerLost,
        Fault::RequestDuplicated,
        Fault::Cancel,
    ];

    /// The most faults that a history may have.
    pub(super) fn faults_max(&self) -> usize {
        match self {
            Self::AtMost(n) => usize::try_from(*n).unwrap_or(usize::MAX),
            Self::EachOf(kinds) => kinds.len(),
        }
    }

    /// Whether a history that has faults of the kinds `before` may have one of `kind` too.
    pub(super) fn allows<'k>(&self, before: impl Iterator<Item = &'k str>, kind: &str) -> bool {
        match self {
            Self::AtMost(_) => before.count() < self.faults_max(),
            Self::EachOf(kinds) => {
                let of_kind = |name: &&str| *name == kind;
                before.filter(of_kind).count() < kinds.iter().filter(|k| k.name() == kind).count()
            }
        }
    }

    /// Has `plan` ask for the faults of this bound, and for no others, wherever they can strike; gives their names.
    pub(super) fn apply(&self, plan: &mut Plan) -> Vec<String> {
        let kinds = |kinds: &[Fault]| -> Vec<FaultName> {
            kinds.iter().map(|kind| FaultName::BuiltIn(*kind)).collect()
        };
        let named: Vec<FaultName> = match self {
            Self::EachOf(named) => kinds(named),
            Self::AtMost(_) if plan.faults.rates.is_empty() => kinds(Self::USUAL),
            Self::AtMost(_) => plan.faults.rates.keys().cloned().collect(),
        };
        let mut faults = FaultPlan { rates: Default::default(), ..plan.faults.clone() };
        faults.usual.clear();
        faults.only.retain(|kind, _| named.contains(kind));
        faults.up_to_ms.retain(|kind, _| named.contains(kind));
        // what it is does not matter: nothing is drawn
        let rates = named.into_iter().map(|kind| (kind, crate::choice::Rate::ALWAYS));
        faults.rates = rates.collect();
        if plan.restate.always_replay {
            faults.rates.remove(&FaultName::BuiltIn(Fault::Suspend));
        }
        faults.cancel_at_messages = true;
        // so few faults let a run come to rest whenever they strike
        faults.until_ms = plan.bounds.virtual_days.saturating_mul(24 * 3_600_000);
        plan.faults = faults;
        plan.faults.rates.keys().map(|kind| kind.name().into_owned()).collect()
    }
}
