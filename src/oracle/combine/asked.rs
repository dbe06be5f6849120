//! What was done is what was asked for: [`as_asked`].
//!
//! Must not know: any service, any effect.

use std::{fmt, marker::PhantomData};

use serde::de::DeserializeOwned;

use crate::{
    history::Effect,
    oracle::{Facts, Happened, Rule, oracle},
};

/// Every `E` that an object of `service` causes is one that a request to the object asked for: `fits` says so of the
/// body of one of them.
///
/// Requests whose bodies are no `R` ask for something else; give `R` the fields that tell. An effect for another person,
/// of another amount or in another currency than the request's is harm, so no kill excuses it.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{Happened, as_asked, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { guest: String }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// #[derive(serde::Deserialize)]
/// struct Book {
///     guest: String,
/// }
///
/// let fits = |booked: &Happened<'_, Booked>, asked: &Book| booked.guest == asked.guest;
/// let rule = as_asked("Bookings", fits)
///     .say(|a| format!("{} was booked for {} at {}", a.effect.key(), a.effect.guest, a.effect.at))
///     .named("booked_for_who_asked");
///
/// testing::check(&rule, &["b-1 was booked for bob at 1.000s"], |story| {
///     let inv = story.begin("Bookings/b-1/Book", r#"{"guest":"alice"}"#);
///     story.at(1_000).effect(inv, "hotel", "book", Booked { guest: "bob".into() });
/// });
/// ```
pub fn as_asked<E: Effect, R: DeserializeOwned + 'static>(
    service: impl Into<String>,
    fits: impl Fn(&Happened<'_, E>, &R) -> bool + Send + Sync + 'static,
) -> AsAsked<E, R> {
    AsAsked { service: service.into(), fits: Box::new(fits), of: PhantomData }
}

type Fits<E, R> = Box<dyn Fn(&Happened<'_, E>, &R) -> bool + Send + Sync>;

/// Effects that have to be what was asked for; see [`as_asked`].
pub struct AsAsked<E, R> {
    service: String,
    fits: Fits<E, R>,
    of: PhantomData<fn() -> (E, R)>,
}

impl<E, R> fmt::Debug for AsAsked<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsAsked({})", self.service)
    }
}

/// An effect that was not asked for; what a sentence is made of.
#[derive(Debug)]
pub struct Unasked<'a, 'h, E, R> {
    /// The effect.
    pub effect: &'a Happened<'h, E>,
    /// What the requests to its object asked for; may be empty.
    pub asked: &'a [R],
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<E: Effect, R: DeserializeOwned + 'static> AsAsked<E, R> {
    /// The rule, with the sentence for each effect that was not asked for.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Unasked<'_, '_, E, R>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let name = format!("{}_{}_as_asked", self.service, E::KIND.replace(' ', "_"));
        let summary = format!("`{}` of {} is what was asked for", E::KIND, self.service);
        oracle(name, summary, move |facts, report| {
            for effect in facts.effects::<E>().filter(|e| e.service() == self.service) {
                let requests = facts.invocations_of(&self.service).filter(|i| {
                    i.created < effect.record && effect.by() == i.scope() && !i.input.0.is_empty()
                });
                let requests = requests.filter_map(|i| Some((i.created, i.input_as::<R>()?)));
                let (created, asked): (Vec<_>, Vec<_>) = requests.unzip();
                if !asked.iter().any(|asked| (self.fits)(&effect, asked)) {
                    let unasked = Unasked { effect: &effect, asked: &asked, facts };
                    report
                        .violation(sentence(&unasked), created.into_iter().chain([effect.record]));
                }
            }
        })
    }
}
