//! What a service says of the world is what the world says: [`agrees`].
//!
//! Must not know: any service, any system.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::{
    base::VirtualTime,
    oracle::{Facts, Report, Rule, oracle},
};

/// The last value of the state `state` of each object of `service` agrees with what really happened: `stated` of the
/// value equals `actual` of the object's key, which is mostly a fold of effects.
///
/// It is asked once the run came to rest. Objects that a kill touched are left out, and so are those whose state was
/// cleared, or is no `T`.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{agrees, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { nights: u32 }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// #[derive(serde::Deserialize)]
/// struct Stay {
///     nights: u32,
/// }
///
/// let rule = agrees(
///     "Bookings",
///     "stay",
///     |stay: &Stay| stay.nights,
///     |facts, key| facts.effects_by::<Booked>("Bookings", key).map(|b| b.nights).sum(),
/// )
/// .say(|d| format!("{} says {} nights, but {} are booked", d.key, d.stated, d.actual))
/// .named("stay_is_booked");
///
/// testing::check(&rule, &["b-1 says 3 nights, but 2 are booked"], |story| {
///     let inv = story.begin("Bookings/b-1/Book", "{}");
///     story.effect(inv, "hotel", "book", Booked { nights: 2 });
///     story.set(inv, "stay", r#"{"nights":3}"#);
///     story.done(inv, "{}");
///     story.quiet();
/// });
/// ```
pub fn agrees<T: DeserializeOwned + 'static, V: PartialEq + 'static>(
    service: impl Into<String>,
    state: impl Into<String>,
    stated: impl Fn(&T) -> V + Send + Sync + 'static,
    actual: impl Fn(&Facts<'_>, &str) -> V + Send + Sync + 'static,
) -> Agrees<T, V> {
    let (service, state) = (service.into(), state.into());
    Agrees { service, state, stated: Box::new(stated), actual: Box::new(actual) }
}

/// A state that has to agree with the world; see [`agrees`].
pub struct Agrees<T, V> {
    service: String,
    state: String,
    stated: Box<dyn Fn(&T) -> V + Send + Sync>,
    actual: Actual<V>,
}

type Actual<V> = Box<dyn Fn(&Facts<'_>, &str) -> V + Send + Sync>;

impl<T, V> fmt::Debug for Agrees<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agrees({}/{})", self.service, self.state)
    }
}

/// An object that does not agree; what a sentence is made of.
#[derive(Debug)]
pub struct Disagreement<'a, 'h, V> {
    /// The object's key.
    pub key: &'h str,
    /// What its state says.
    pub stated: &'a V,
    /// What really happened.
    pub actual: &'a V,
    /// Since when its state says so.
    pub at: VirtualTime,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<T: DeserializeOwned + 'static, V: PartialEq + 'static> Agrees<T, V> {
    /// The rule, with the sentence for each object that does not agree.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Disagreement<'_, '_, V>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let name = format!("{}_{}_agrees", self.service, self.state);
        let summary = format!("the state `{}` of {} says what happened", self.state, self.service);
        oracle(name, summary, move |facts, report| self.check(facts, report, &sentence)).at_rest()
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        V: fmt::Display,
    {
        let sentence = |d: &Disagreement<'_, '_, V>| {
            format!("{} says {} since {}, but it is {}", d.key, d.stated, d.at, d.actual)
        };
        self.say(sentence).named(name)
    }

    fn check(
        &self,
        facts: &Facts<'_>,
        report: &mut Report<'_>,
        sentence: &dyn Fn(&Disagreement<'_, '_, V>) -> String,
    ) {
        for (key, changes) in facts.states_by_key(&self.service, &self.state) {
            if facts.tainted(&self.service, key) {
                continue;
            }
            let Some(last) = changes.last() else { continue };
            let Some(value) = last.value.and_then(|v| serde_json::from_slice::<T>(&v.0).ok())
            else {
                continue;
            };
            let (stated, actual) = ((self.stated)(&value), (self.actual)(facts, key));
            if stated != actual {
                let (stated, actual) = (&stated, &actual);
                let disagreement = Disagreement { key, stated, actual, at: last.at, facts };
                let effects = facts.all_effects().iter().filter(|e| e.is_by(&self.service, key));
                report.violation(
                    sentence(&disagreement),
                    effects.map(|e| e.record).chain([last.record]),
                );
            }
        }
    }
}
