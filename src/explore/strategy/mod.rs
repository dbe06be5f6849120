//! Strategies: which order, and which of the faults, a seed tries.
//!
//! A run asks at every place where more than one thing may come next. A strategy answers, one policy a file, as a
//! function of the seed and of what it was asked. No policy is the best for every bug: the [`Strategy::Portfolio`]
//! goes through several of them, seed by seed.
//!
//! Must not know: what is being ordered, how many runs there are.

mod delays;
mod pct;
mod policy;
mod pos;
mod profile;
mod random;
mod surw;
mod swarm;
mod weights;

use std::{fmt, str::FromStr, sync::LazyLock, time::Duration};

use serde::{Deserialize, Serialize};

use self::{
    delays::Delays, pct::Pct, policy::Policy, pos::Pos, profile::Profile, random::Random,
    surw::Surw, swarm::Swarm, weights::Weights,
};
use crate::{
    base::Seed,
    choice::{Candidate, Draws, Options, Seeded, Site, Source, Words},
    explore::pool::Watched,
    scenario::plan::Plan,
    sim::Deployment,
};

/// How seeds explore a scenario.
///
/// ```
/// use onceproof::explore::Strategy;
///
/// assert_eq!("pct2".parse(), Ok(Strategy::Pct(2)));
/// assert_eq!(Strategy::default().to_string(), "portfolio");
/// assert!("pct9".parse::<Strategy>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Most of the others, one after the other, by the seed; the first seed of all is [`Strategy::Fifo`].
    #[default]
    Portfolio,
    /// First in, first out, and no time on the way: faults alone make a difference.
    Fifo,
    /// Each candidate is as likely as any other, each time.
    Random,
    /// Probabilistic concurrency testing: every invocation has a priority, which changes at so many places less one.
    /// Depth 1 to 3. From Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs",
    /// 2010.
    Pct(u8),
    /// Partial order sampling: every event has a priority, drawn anew when another that may matter to it has happened.
    /// From Yuan et al., "Partial order aware concurrency sampling", 2018.
    Pos,
    /// Selectively uniform random walk: an invocation is as likely as it has much left to do. From Zhao et al.,
    /// "Selectively uniform concurrency testing", 2025.
    Surw,
    /// Every invocation has a weight, and is as likely as it is heavy.
    Weights,
    /// Messages are on their way for a while: each invocation has a range up to 40 ms from which each of its delays is
    /// drawn.
    Delays,
    /// [`Strategy::Random`], and each kind of fault is left out with probability a half. From Groce et al., "Swarm
    /// testing", 2012.
    Swarm,
}

/// The strategies by name, with a line for people.
const NAMES: &[(Strategy, &str, &str)] = &[
    (Strategy::Portfolio, "portfolio", "several of the others, seed by seed"),
    (Strategy::Fifo, "fifo", "first in, first out: faults alone make a difference"),
    (Strategy::Random, "random", "whatever may come next is equally likely"),
    (Strategy::Pct(1), "pct1", "invocations have priorities"),
    (Strategy::Pct(2), "pct2", "invocations have priorities; one changes"),
    (Strategy::Pct(3), "pct3", "invocations have priorities; two change"),
    (Strategy::Pos, "pos", "events have priorities, drawn anew when something of theirs happens"),
    (Strategy::Surw, "surw", "who has much left to do is likely to be next"),
    (Strategy::Weights, "weights", "some invocations are likelier than others to be next"),
    (Strategy::Delays, "delays", "messages take time; those of some invocations more than others'"),
    (Strategy::Swarm, "swarm", "random; each kind of fault is left out of half of the runs"),
];

impl Strategy {
    /// Every strategy, with a line for people.
    pub fn all() -> impl Iterator<Item = (Self, &'static str)> {
        NAMES.iter().map(|(strategy, _, summary)| (*strategy, *summary))
    }

    /// Its name: what `--strategy` and [`FromStr`] take.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = NAMES.iter().find(|(strategy, ..)| *strategy == self);
        known.map_or("pct", |(_, name, _)| name)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no strategy of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no strategy `{0}`; write one of {names}", names = names())]
pub struct UnknownStrategy(String);

fn names() -> String {
    let names: Vec<&str> = NAMES.iter().map(|(_, name, _)| *name).collect();
    names.join(", ")
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let known = NAMES.iter().find(|(_, known, _)| *known == name);
        known.map(|(strategy, ..)| *strategy).ok_or_else(|| UnknownStrategy(name.to_owned()))
    }
}

/// The members of the portfolio, in the order of seeds. Those stand early that show much within a few seeds, and one
/// twice that shows what needs hundreds of others (docs/order-bugs.md).
const MEMBERS: &[Strategy] = &[
    Strategy::Random,
    Strategy::Pos,
    Strategy::Delays,
    Strategy::Surw,
    Strategy::Pct(2),
    Strategy::Pct(1),
    Strategy::Surw,
    Strategy::Weights,
];

/// For how long what is ready may be passed over by what is due later: one of these by the seed, in milliseconds.
const PATIENCE_MS: [u64; 3] = [2, 10, 50];

/// With fewer kinds of faults, the portfolio leaves out none.
const SWARM_KINDS: usize = 3;

/// With which probability, at least, a run finds a bug that shows in some orders only: that of probabilistic concurrency
/// testing, for faultless handlers that do what they do in a run without faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBound {
    /// The depth of the bug: how many steps must come in a certain order.
    pub depth: u8,
    /// How many invocations there are.
    pub tasks: u32,
    /// About how many steps they take.
    pub steps: u32,
    /// One run in so many.
    pub one_in: u64,
}

/// The choices of a scenario's seeds under one strategy.
pub(super) struct Sources<'a> {
    strategy: Strategy,
    kinds_of_faults: usize,
    /// Runs the scenario once, without faults, when a policy has to know how much there is to happen.
    profile: LazyLock<Profile, Box<dyn FnOnce() -> Profile + Send + 'a>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(
        strategy: Strategy,
        (deployment, plan): (&'a Deployment, &'a Plan),
        watched: Watched,
    ) -> Self {
        let profile = move || match plan.is_fifo() {
            true => Profile::default(),
            false => Profile::of(deployment, plan, watched),
        };
        let kinds_of_faults = plan.faults.rates.len();
        Self { strategy, kinds_of_faults, profile: LazyLock::new(Box::new(profile)) }
    }

    /// What is known of bugs of order that were not found; none if the strategy knows nothing.
    pub(super) fn order_bound(&self) -> Option<OrderBound> {
        let (depth, share) = match self.strategy {
            Strategy::Pct(depth) => (depth, 1),
            Strategy::Portfolio => (2, MEMBERS.len() as u64),
            _ => return None,
        };
        let (tasks, steps) = (self.profile.invocations(), self.profile.events());
        let one_in = pct::one_in(depth, tasks, steps).saturating_mul(share);
        (tasks > 0).then_some(OrderBound { depth, tasks, steps, one_in })
    }

    /// The choices of `seed`.
    pub(super) fn source(&self, seed: Seed) -> Explorer {
        let count = MEMBERS.len() as u64;
        let (strategy, is_swarm) = match self.strategy {
            // one run in which nothing is out of order
            Strategy::Portfolio if seed.0 == 0 => (Strategy::Fifo, false),
            Strategy::Portfolio => {
                let member = usize::try_from(seed.0 % count).expect("there are few members");
                // every third round leaves out faults, if there are several to choose from
                let leaves_out = seed.0 / count % 3 == 2 && self.kinds_of_faults >= SWARM_KINDS;
                (MEMBERS[member], leaves_out)
            }
            other => (other, other == Strategy::Swarm),
        };
        let mut draws = Draws::new(Seed(seed.derive("order")));
        let patience = PATIENCE_MS[draws.index(PATIENCE_MS.len())];
        let policy: Option<Box<dyn Policy + Send>> = match strategy {
            Strategy::Portfolio | Strategy::Fifo => None,
            Strategy::Random | Strategy::Swarm => Some(Box::new(Random(draws))),
            Strategy::Pct(depth) => Some(Box::new(Pct::new(draws, depth, self.profile.events()))),
            Strategy::Pos => Some(Box::new(Pos::new(draws))),
            Strategy::Surw => Some(Box::new(Surw::new(draws, &self.profile))),
            Strategy::Weights => Some(Box::new(Weights::new(draws))),
            Strategy::Delays => Some(Box::new(Delays::new(draws))),
        };
        let patience = if strategy == Strategy::Delays { delays::PATIENCE_MS } else { patience };
        Explorer {
            seeded: Seeded::new(seed),
            policy,
            patience: Duration::from_millis(patience),
            swarm: is_swarm.then(|| Swarm::new(seed)),
        }
    }
}

/// The choices of one seed.
pub(super) struct Explorer {
    seeded: Seeded,
    policy: Option<Box<dyn Policy + Send>>,
    patience: Duration,
    swarm: Option<Swarm>,
}

impl Source for Explorer {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        if self.swarm.as_mut().is_some_and(|swarm| swarm.leaves_out(site.kind, options)) {
            return 0;
        }
        self.seeded.pick(site, options)
    }

    fn patience(&self) -> Option<Duration> {
        self.policy.as_ref().map(|_| self.patience)
    }

    fn order(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        match &mut self.policy {
            Some(policy) => policy.next(candidates, words),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        base::VirtualTime,
        choice::{Rate, Step},
    };

    /// Candidates of two services.
    struct Two;

    impl Words for Two {
        fn name(&self, index: usize) -> String {
            format!("candidate {index}")
        }

        fn handler(&self, index: usize) -> Option<(&str, &str)> {
            Some((if index.is_multiple_of(2) { "Even" } else { "Odd" }, "handle"))
        }
    }

    fn explorer(strategy: Strategy, seed: u64) -> Explorer {
        let profile = LazyLock::new(Box::new(Profile::default) as Box<dyn FnOnce() -> _ + Send>);
        Sources { strategy, kinds_of_faults: SWARM_KINDS, profile }.source(Seed(seed))
    }

    /// What is chosen of `tasks` that are always ready: code, all since the start.
    fn chosen(strategy: Strategy, seed: u64, tasks: u64, times: u64) -> Vec<usize> {
        let mut explorer = explorer(strategy, seed);
        let next = |time: u64| {
            let at = VirtualTime::from_millis(time);
            let code = |task| Candidate { number: time * 100 + task, task, step: Step::Code, at };
            explorer.order(&(0..tasks).map(code).collect::<Vec<_>>(), &Two)
        };
        (0..times).map(next).collect()
    }

    #[test]
    fn every_name_is_that_of_one_strategy() {
        let mut names = BTreeSet::new();
        for (strategy, summary) in Strategy::all() {
            assert_eq!(strategy.name().parse(), Ok(strategy));
            assert!(!summary.is_empty() && names.insert(strategy.name()));
        }
        let unknown = "pos2".parse::<Strategy>().expect_err("there is none").to_string();
        assert!(unknown.contains("`pos2`") && unknown.contains("pos, surw"), "{unknown}");
    }

    #[test]
    fn a_seed_chooses_the_same_each_time_and_seeds_differ() {
        for (strategy, _) in Strategy::all() {
            let all: BTreeSet<_> = (0..64).map(|seed| chosen(strategy, seed, 4, 50)).collect();
            let again: BTreeSet<_> = (0..64).map(|seed| chosen(strategy, seed, 4, 50)).collect();
            assert_eq!(all, again, "{strategy}");
            let few = if strategy == Strategy::Fifo { 1..=1 } else { 4..=64 };
            assert!(few.contains(&all.len()), "{strategy}: {} different", all.len());
        }
    }

    #[test]
    fn a_priority_holds_until_it_changes() {
        for (depth, seed) in (1..=3).flat_map(|depth| (0..200).map(move |seed| (depth, seed))) {
            let chosen = chosen(Strategy::Pct(depth), seed, 5, 400);
            let changes = chosen.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(changes < usize::from(depth), "pct{depth} {seed}: {changes} changes");
        }
        let changed =
            |seed| chosen(Strategy::Pct(2), seed, 5, 400).windows(2).any(|p| p[0] != p[1]);
        assert!((0..200).filter(|seed| changed(*seed)).count() > 150);
    }

    #[test]
    fn delays_keep_what_is_due_at_its_time() {
        for seed in 0..200 {
            let mut explorer = explorer(Strategy::Delays, seed);
            let ready = Candidate {
                number: 1,
                task: 1,
                step: Step::Message,
                at: VirtualTime::from_millis(0),
            };
            let due = |ms| Candidate {
                number: 2,
                task: 2,
                step: Step::Due,
                at: VirtualTime::from_millis(ms),
            };
            assert_eq!(explorer.order(&[ready, due(41)], &Two), 0, "no delay is longer");
        }
        let early = |seed| {
            let ready =
                Candidate { number: 1, task: 1, step: Step::Code, at: VirtualTime::from_millis(0) };
            let due =
                Candidate { number: 2, step: Step::Due, at: VirtualTime::from_millis(5), ..ready };
            explorer(Strategy::Delays, seed).order(&[ready, due], &Two) == 1
        };
        let times = (0..200).filter(|seed| early(*seed)).count();
        assert!((80..180).contains(&times), "{times}");
    }

    #[test]
    fn heavy_tasks_and_much_work_go_first() {
        for strategy in [Strategy::Weights, Strategy::Random] {
            let most = |seed| {
                let chosen = chosen(strategy, seed, 3, 300);
                (0..3).map(|task| chosen.iter().filter(|c| **c == task).count()).max()
            };
            let uneven = (0..50).filter(|seed| most(*seed) > Some(180)).count();
            assert_eq!(uneven > 10, strategy == Strategy::Weights, "{strategy}: {uneven}");
        }
    }

    #[test]
    fn swarm_leaves_out_each_kind_of_fault_in_half_of_the_runs_and_what_always_happens_in_none() {
        let fires = |seed, kind, rate| {
            let options = Options::Rare { count: 2, rate };
            let mut explorer = explorer(Strategy::Swarm, seed);
            (0..100).any(|n| explorer.pick(Site { kind, place: &n.to_string() }, options) != 0)
        };
        let often = Rate::from_ppm(500_000);
        let times = (0..400).filter(|seed| fires(*seed, "crash", often)).count();
        assert!((160..240).contains(&times), "{times}");
        let both = (0..400).filter(|s| fires(*s, "crash", often) && fires(*s, "kill", often));
        assert!((60..140).contains(&both.count()), "kinds are left out on their own");
        assert!((0..50).all(|seed| fires(seed, "crash", Rate::ALWAYS)));
    }

    #[test]
    fn the_portfolio_goes_through_all_members_and_begins_with_first_in_first_out() {
        let members = std::iter::once(&Strategy::Fifo).chain(&MEMBERS[1..]).chain(MEMBERS);
        for (seed, member) in (0..).zip(members) {
            let one = chosen(Strategy::Portfolio, seed, 4, 50);
            assert_eq!(one, chosen(*member, seed, 4, 50), "{seed} {member}");
        }
        let swarms = (0..240).filter(|seed| explorer(Strategy::Portfolio, *seed).swarm.is_some());
        assert_eq!(swarms.count(), 80);
    }
}
