//! Requests of which something is drawn in each run: which call it is, the values in it, whether it comes at all. Once
//! that is decided they are requests as any other.
//!
//! Must not know: how a scenario file is written, who asks.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value;

use super::{Action, Calls, Drawn, Mixed, Plan, Step, Values, Wait, takes::Filler};
use crate::{
    choice::{Options, Site, Source, Tape},
    scenario::template::{self, As},
};

/// The decision for how many requests there are.
const CALLS: &str = "calls";
/// The decision for which call of a mix it is.
const MIX: &str = "mix";
/// The decision for the value of a variable.
const DRAW: &str = "draw";

impl Values {
    /// How many there are.
    fn count(&self) -> u32 {
        let count = match self {
            Self::Range { from, to } => to - from + 1,
            Self::OneOf(texts) => texts.len() as u64,
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The value with this index.
    fn at(&self, index: u32) -> Value {
        match self {
            Self::Range { from, .. } => Value::from(from + u64::from(index)),
            Self::OneOf(texts) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                Value::from(texts.get(index).map_or("", String::as_str))
            }
        }
    }

    /// Those that say whether all of them fit: both ends, or each text.
    pub(crate) fn samples(&self) -> Vec<Value> {
        match self {
            Self::Range { from, to } if from == to => vec![(*from).into()],
            Self::Range { from, to } => vec![(*from).into(), (*to).into()],
            Self::OneOf(texts) => texts.iter().map(|text| text.as_str().into()).collect(),
        }
    }
}

impl Step {
    /// Everything that it may do.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        let mix = self.drawn.as_deref().map_or(&[][..], |drawn| &drawn.mix);
        let own = mix.is_empty().then_some(&self.action);
        own.into_iter().chain(mix.iter().map(|mixed| &mixed.action))
    }
}

impl Plan {
    /// Whether something of a request is drawn in each run.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.steps.iter().any(|step| step.drawn.is_some())
    }

    /// The plan of one run, in which all that is drawn is decided by `source`.
    #[must_use]
    pub fn drawn(&self, source: &mut dyn Source) -> Cow<'_, Self> {
        if !self.is_drawn() {
            return Cow::Borrowed(self);
        }
        let mut plan = self.clone();
        let mut picks = Picks { source, made: BTreeMap::new() };
        let mut gone = BTreeSet::new();
        for step in &mut plan.steps {
            let Some(drawn) = step.drawn.take() else { continue };
            let Drawn { mix, values, calls, copy_of } = *drawn;
            if let Some(Calls { of, number, from, to }) = calls
                && number > from + u64::from(picks.one(CALLS, &of, to - from + 1))
            {
                gone.insert(step.request.clone());
                continue;
            }
            let request = copy_of.as_ref().unwrap_or(&step.request);
            if let Some(action) = one_of(&mut picks, request, mix) {
                step.action = action;
            }
            let value = |(name, values): (&String, &Values)| {
                let place = format!("{request} {name}");
                (name.clone(), values.at(picks.one(DRAW, &place, values.count().into())))
            };
            let values: Vec<(String, Value)> = values.iter().map(value).collect();
            step.action = Filler::of_variables(&values).action(&step.action);
            let text = serde_json::to_string(&step.action).unwrap_or_default();
            step.takes.retain(|taken| text.contains(&taken.placeholder));
        }
        let gone = plan.with_needing(gone, true);
        plan.steps.retain(|step| !gone.contains(&step.request));
        Cow::Owned(plan)
    }

    /// The plan of the run with the decisions of `tape`, and the decisions that are left then.
    #[must_use]
    pub fn drawn_by(&self, tape: &Tape) -> (Cow<'_, Self>, Tape) {
        let plan = self.drawn(&mut tape.player());
        let is_other = |site: &str| {
            let kind = site.split_once(" @ ").map_or(site, |(kind, _)| kind);
            ![CALLS, MIX, DRAW].contains(&kind)
        };
        let picks = tape.picks().iter().filter(|(site, _)| !self.is_drawn() || is_other(site));
        (plan, Tape::new(picks.map(|(site, pick)| (site.clone(), *pick)).collect()))
    }

    /// The requests of `gone`, and all that cannot come without them: what is done to those, and what waits for them if
    /// `waiting_go`.
    pub(crate) fn with_needing(
        &self,
        mut gone: BTreeSet<String>,
        waiting_go: bool,
    ) -> BTreeSet<String> {
        loop {
            let before = gone.len();
            for step in &self.steps {
                let waits = step.after.iter().filter(|_| waiting_go);
                let watched = step.when.iter().filter_map(Wait::request);
                let needs = waits.chain(watched).chain(step.action.request());
                let mut needs = needs.chain(step.takes.iter().map(|taken| &taken.request));
                if needs.any(|request| gone.contains(request)) {
                    gone.insert(step.request.clone());
                }
            }
            if gone.len() == before {
                return gone;
            }
        }
    }
}

/// What is decided, each place once.
struct Picks<'s> {
    source: &'s mut dyn Source,
    made: BTreeMap<(&'static str, String), u32>,
}

impl Picks<'_> {
    fn one(&mut self, kind: &'static str, place: &str, count: u64) -> u32 {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let Self { source, made } = self;
        *made
            .entry((kind, place.to_owned()))
            .or_insert_with(|| source.pick(Site { kind, place }, Options::Uniform { count }))
    }
}

/// One of a mix; none of none.
fn one_of(picks: &mut Picks<'_>, request: &str, mix: Vec<Mixed>) -> Option<Action> {
    let all = mix.iter().map(|mixed| u64::from(mixed.weight)).sum();
    let mut left = if mix.len() > 1 { picks.one(MIX, request, all) } else { 0 };
    for mixed in mix {
        if left < mixed.weight {
            return Some(mixed.action);
        }
        left -= mixed.weight;
    }
    None
}

impl<'a> Filler<'a> {
    /// Puts these values in the place of variables: `{n}` is a text, `{n:number}` the number.
    pub(crate) fn of_variables(values: &'a [(String, Value)]) -> Self {
        let mut all = Vec::new();
        for (name, value) in values {
            for kind in [As::ItIs, As::Number, As::Text] {
                let value = match value {
                    Value::Number(number) if kind != As::Number => number.to_string().into(),
                    other => other.clone(),
                };
                all.push((template::variable(name, kind), value));
            }
        }
        Self(all)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::{Seed, Target},
        choice::{Recorder, Seeded},
    };

    fn call(key: &str, handler: &str, body: &str) -> Action {
        Action::Call {
            target: Target::new("Rooms", key, handler),
            body: body.to_owned(),
            idempotency_key: None,
            from: None,
            faults: Vec::new(),
            headers: BTreeMap::new(),
        }
    }

    fn plan(calls: u64) -> Plan {
        let request = |number: u64| match number {
            1 => "stay".to_owned(),
            n => format!("stay.{n}"),
        };
        let step = |number: u64| Step {
            request: request(number),
            step: "stay".into(),
            action: call("{room}", "book", r#"{"nights":"{n:number}","note":"{n} nights"}"#),
            after: (number > 1).then(|| request(number - 1)),
            drawn: Some(Box::new(Drawn {
                mix: vec![
                    Mixed {
                        weight: 3,
                        action: call(
                            "{room}",
                            "book",
                            r#"{"nights":"{n:number}","note":"{n} nights"}"#,
                        ),
                    },
                    Mixed { weight: 1, action: call("{room}", "leave", "") },
                ],
                values: [
                    ("n".to_owned(), Values::Range { from: 2, to: 5 }),
                    ("room".to_owned(), Values::OneOf(vec!["12".into(), "14".into()])),
                ]
                .into(),
                calls: Some(Calls { of: "stay".into(), number, from: 1, to: calls }),
                copy_of: None,
            })),
            ..Step::default()
        };
        Plan { steps: (1..=calls).map(step).collect(), ..Plan::default() }
    }

    proptest! {
        #[test]
        fn what_was_drawn_is_drawn_again_from_the_tape(seed in any::<u64>(), calls in 1_u64..8) {
            let plan = plan(calls);
            let mut recorder = Recorder::new(Seeded::new(Seed(seed)), true);
            let drawn = plan.drawn(&mut recorder).into_owned();
            prop_assert!(!drawn.is_drawn() && !drawn.steps.is_empty());
            let (_, tape) = recorder.finish();
            let (again, left) = plan.drawn_by(&tape);
            prop_assert_eq!(&*again, &drawn);
            prop_assert!(left.is_empty(), "{:?}", left);
            for (index, step) in drawn.steps.iter().enumerate() {
                prop_assert_eq!(&step.request, &plan.steps[index].request);
                let Action::Call { target, body, .. } = &step.action else { panic!("a call") };
                prop_assert!(["12", "14"].contains(&&*target.key), "{}", target);
                if &*target.handler == "book" {
                    let body: Value = serde_json::from_str(body).expect("JSON");
                    let nights = body["nights"].as_u64().expect("a number");
                    prop_assert!((2..=5).contains(&nights));
                    prop_assert_eq!(&body["note"], &Value::from(format!("{nights} nights")));
                }
            }
        }
    }

    #[test]
    fn weights_and_lengths_are_as_they_are_asked_for() {
        let plan = plan(4);
        let (mut books, mut all, mut lengths) = (0_u32, 0_u32, BTreeSet::new());
        for seed in 0..2_000 {
            let drawn = plan.drawn(&mut Seeded::new(Seed(seed)));
            lengths.insert(drawn.steps.len());
            for step in &drawn.steps {
                let Action::Call { target, .. } = &step.action else { panic!("a call") };
                all += 1;
                books += u32::from(&*target.handler == "book");
            }
        }
        assert_eq!(lengths, [1, 2, 3, 4].into());
        let percent = books * 100 / all;
        assert!((72..=78).contains(&percent), "{percent} % of {all}");
    }

    #[test]
    fn copies_are_equal_whatever_was_drawn() {
        let mut plan = plan(2);
        for step in &mut plan.steps {
            let drawn = step.drawn.as_mut().expect("something is drawn");
            (drawn.calls, drawn.copy_of) = (None, Some("stay".into()));
        }
        for seed in 0..50 {
            let mut recorder = Recorder::new(Seeded::new(Seed(seed)), true);
            let drawn = plan.drawn(&mut recorder).into_owned();
            assert_eq!(drawn.steps[0].action, drawn.steps[1].action, "seed {seed}");
            let (again, _) = plan.drawn_by(&recorder.finish().1);
            assert_eq!(*again, drawn, "seed {seed}");
        }
    }

    #[test]
    fn without_a_decision_it_is_the_first_of_everything() {
        let drawn = plan(3);
        let (drawn, _) = drawn.drawn_by(&Tape::default());
        let texts: Vec<_> = drawn.steps.iter().map(|step| step.action.in_words()).collect();
        assert_eq!(texts, ["Rooms/book"]);
        let Action::Call { target, body, .. } = &drawn.steps[0].action else { panic!("a call") };
        assert_eq!(
            (target.to_string().as_str(), body.as_str()),
            ("Rooms/12/book", r#"{"nights":2,"note":"2 nights"}"#)
        );
    }
}
