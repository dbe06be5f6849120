//! What holds of every value of a state: [`always`].
//!
//! Must not know: any service.

use std::{fmt, marker::PhantomData};

use serde::de::DeserializeOwned;

use crate::{
    base::VirtualTime,
    oracle::{Facts, Report, Rule, oracle},
};

type Check<T> = Box<dyn Fn(&T) -> Option<String> + Send + Sync>;

/// Every value of the state `state` of each object of `service` is right: `wrong` says what is not.
///
/// Of each object, the first wrong value is reported. A value that is no `T` is left out.
///
/// ```
/// # use onceproof::oracle::{always, testing};
/// #[derive(serde::Deserialize)]
/// struct Rooms {
///     free: i64,
/// }
///
/// let rule = always("Hotels", "rooms", |rooms: &Rooms| (rooms.free < 0).then(|| format!("{} free", rooms.free)))
///     .say(|w| format!("{} was overbooked at {}: {}", w.key, w.at, w.what))
///     .named("never_overbooked");
///
/// testing::check(&rule, &["ritz was overbooked at 2.000s: -1 free"], |story| {
///     let inv = story.begin("Hotels/ritz/Book", "{}");
///     story.at(1_000).set(inv, "rooms", r#"{"free":0}"#);
///     story.at(2_000).set(inv, "rooms", r#"{"free":-1}"#);
/// });
/// ```
pub fn always<T: DeserializeOwned + 'static>(
    service: impl Into<String>,
    state: impl Into<String>,
    wrong: impl Fn(&T) -> Option<String> + Send + Sync + 'static,
) -> Always<T> {
    Always { service: service.into(), state: state.into(), wrong: Box::new(wrong), of: PhantomData }
}

/// What holds of every value of a state; see [`always`].
pub struct Always<T> {
    service: String,
    state: String,
    wrong: Check<T>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Always<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Always({}/{})", self.service, self.state)
    }
}

/// A value that is wrong; what a sentence is made of.
#[derive(Debug)]
pub struct Wrong<'a, 'h> {
    /// The object's key.
    pub key: &'h str,
    /// When it had this value.
    pub at: VirtualTime,
    /// What is wrong about it.
    pub what: &'a str,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<T: DeserializeOwned + 'static> Always<T> {
    /// The rule, with the sentence for each object that had a wrong value.
    #[must_use]
    pub fn say(self, sentence: impl Fn(&Wrong<'_, '_>) -> String + Send + Sync + 'static) -> Rule {
        let name = format!("{}_{}_always", self.service, self.state);
        let summary =
            format!("every value of the state `{}` of {} is right", self.state, self.service);
        oracle(name, summary, move |facts, report| self.check(facts, report, &sentence))
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule {
        let sentence = |w: &Wrong<'_, '_>| format!("{} at {}: {}", w.key, w.at, w.what);
        self.say(sentence).named(name)
    }

    fn check(
        &self,
        facts: &Facts<'_>,
        report: &mut Report<'_>,
        sentence: &dyn Fn(&Wrong<'_, '_>) -> String,
    ) {
        for (key, values) in facts.values::<T>(&self.service, &self.state) {
            let wrong = values
                .iter()
                .find_map(|stored| Some((stored, (self.wrong)(stored.value.as_ref()?)?)));
            if let Some((stored, what)) = wrong {
                let wrong = Wrong { key, at: stored.at, what: &what, facts };
                report.violation(sentence(&wrong), [stored.record]);
            }
        }
    }
}
