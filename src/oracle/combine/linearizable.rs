//! One order of an object's operations explains all of their answers: [`linearizable`].
//!
//! Must not know: any service.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use super::{Model, Search, Timed, linearize};
use crate::{
    base::VirtualTime,
    history::Outcome,
    oracle::{Facts, Invocation, Report, Rule, oracle},
};

/// The objects of `service` are linearizable: one order of an object's operations explains every answer, and keeps to
/// the order of those that did not overlap.
///
/// An operation takes from its first attempt to its end; one that never began has no part in it, and requests that
/// joined one invocation are one operation. Objects whose search is larger than
/// [`CONCURRENT_MAX`](super::CONCURRENT_MAX) or [`CONFIGURATIONS_MAX`](super::CONFIGURATIONS_MAX) allow are not judged.
///
/// ```
/// # use onceproof::oracle::{Facts, Invocation, Model, linearizable, testing};
/// /// A counter: `Add` answers the new value.
/// struct Counter;
///
/// impl Model for Counter {
///     type State = u64;
///     type Op<'h> = Option<u64>;
///
///     fn opening(_: &Facts<'_>, _: &str) -> Option<u64> {
///         Some(0)
///     }
///     fn operation<'h>(_: &Facts<'h>, add: &Invocation<'h>) -> Option<Option<u64>> {
///         Some(add.answer_as())
///     }
///     fn step(state: &u64, answer: &Option<u64>, next: &mut Vec<u64>) {
///         match answer {
///             Some(answer) if *answer == state + 1 => next.push(*answer),
///             Some(_) => {}
///             // it has not answered: it happened or not
///             None => next.extend([*state, state + 1]),
///         }
///     }
/// }
///
/// let rule = linearizable::<Counter>("Counter").named("counter_linearizable");
/// let message = "no order of its operations explains what Counter/c/Add answered at 2.000s: 1";
/// testing::check(&rule, &[message], |story| {
///     story.at(1_000).op("Counter/c/Add", "", "1");
///     story.at(2_000).op("Counter/c/Add", "", "1");
/// });
/// ```
#[must_use]
pub fn linearizable<M: Model>(service: impl Into<String>) -> Linearizable<M> {
    Linearizable { service: service.into(), model: PhantomData }
}

/// Objects that follow a model; see [`linearizable`].
pub struct Linearizable<M> {
    service: String,
    model: PhantomData<fn() -> M>,
}

impl<M> fmt::Debug for Linearizable<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linearizable({})", self.service)
    }
}

/// An answer that no order explains; what a sentence is made of.
#[derive(Debug)]
pub struct Unexplained<'a, 'h> {
    /// The invocation whose answer it is.
    pub invocation: &'a Invocation<'h>,
    /// When it answered; when it was created if it is not over.
    pub at: VirtualTime,
    /// What it answered: the body, a code and a message, or `nothing`.
    pub answer: String,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<M: Model> Linearizable<M> {
    /// The rule, with the sentence for each object that is not linearizable.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Unexplained<'_, '_>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let name = format!("{}_linearizable", self.service);
        let summary =
            format!("one order of the operations of each {} explains their answers", self.service);
        oracle(name, summary, move |facts, report| {
            let mut objects: BTreeMap<_, Vec<&Invocation<'_>>> = BTreeMap::new();
            for invocation in facts.invocations_of(&self.service).filter(|i| i.started.is_some()) {
                objects.entry(invocation.object().1).or_default().push(invocation);
            }
            for (key, invocations) in objects {
                check_object::<M>(facts, key, invocations, report, &sentence);
            }
        })
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule {
        let sentence = |u: &Unexplained<'_, '_>| {
            let (target, at, answer) = (u.invocation.target, u.at, &u.answer);
            format!("no order of its operations explains what {target} answered at {at}: {answer}")
        };
        self.say(sentence).named(name)
    }
}

fn check_object<'h, M: Model>(
    facts: &Facts<'h>,
    key: &str,
    mut invocations: Vec<&Invocation<'h>>,
    report: &mut Report<'_>,
    sentence: &dyn Fn(&Unexplained<'_, '_>) -> String,
) {
    let Some(opening) = M::opening(facts, key) else { return };
    invocations.sort_by_key(|i| i.started);
    let exclusive: Vec<_> = invocations.iter().copied().filter(|i| i.exclusive).collect();
    invocations.retain(|i| {
        let (from, to) = i.interval();
        let beside = |e: &&Invocation<'_>| e.interval().0 <= to && from <= e.interval().1;
        i.exclusive || !M::is_midway(i) || !exclusive.iter().any(beside)
    });
    let mut ops: Vec<Timed<M::Op<'h>>> = Vec::with_capacity(invocations.len());
    invocations.retain(|i| {
        let (from, to) = i.interval();
        let op = M::operation(facts, i);
        let counts = op.is_some();
        ops.extend(op.map(|op| Timed { op, from, to }));
        counts
    });
    let Search::Stuck(at) = linearize::<M>(opening, &ops) else { return };
    let invocation = invocations[at];
    let (record, answer) = match invocation.completed {
        Some((record, Outcome::Success(body))) => (record, body.text().into_owned()),
        Some((record, Outcome::Failure { code, message })) => (record, format!("{code} {message}")),
        None => (invocation.created, "nothing".into()),
    };
    let before = at.checked_sub(1).and_then(|i| invocations[i].completed).map(|(record, _)| record);
    let unexplained = Unexplained { invocation, at: facts.at(record), answer, facts };
    report.violation(sentence(&unexplained), before.into_iter().chain([record]));
}
