//! What clients were answered, step by step, added up over many runs: bounded, and the same in whichever order the runs
//! come.
//!
//! Must not know: what must hold.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::outcome::{FailedReplies, Replies};
use crate::{
    history::{Event, History, Outcome},
    scenario::plan::{Expectation, Goal, Plan, Wait},
};

/// How many messages of one step and code are told apart: those that come first in the alphabet.
const MESSAGES_MAX: usize = 8;
/// A longer message is cut.
const CHARS_MAX: usize = 200;

/// Which step a request belongs to.
pub(super) struct Steps {
    /// By the request's name: a place in `names`.
    of_request: BTreeMap<String, usize>,
    names: Vec<String>,
}

/// What came back to each step of a plan, and which steps' waits have come true.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    replies: Vec<Replies>,
    awaited: BTreeSet<usize>,
    /// Steps that were left out for want of a reply, each with a reason.
    not_sent: BTreeMap<usize, String>,
    /// Steps of operators that were done.
    operated: BTreeSet<usize>,
}

impl Steps {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut of_request = BTreeMap::new();
        for step in &plan.steps {
            let number = *numbers.entry(&step.step).or_insert_with(|| {
                names.push(step.step.clone());
                names.len() - 1
            });
            of_request.insert(step.request.clone(), number);
        }
        Self { of_request, names }
    }

    /// Adds what came back in one run.
    pub(super) fn count(&self, history: &History, tally: &mut Tally) {
        tally.replies.resize_with(self.names.len(), Replies::default);
        for record in history.records() {
            let (request, outcome) = match &record.event {
                Event::ReplyReceived { request, outcome, .. } => (request, Some(outcome)),
                Event::RequestAccepted { request, .. } => (request, None),
                Event::GaveUp { request } => {
                    if let Some(number) = self.of_request.get(&**request) {
                        tally.replies[*number].gave_up += 1;
                    }
                    continue;
                }
                Event::NotSent { request, why, .. } => {
                    if let Some(number) = self.of_request.get(&**request) {
                        tally.leave_out(*number, why.clone());
                    }
                    continue;
                }
                Event::OperatorAnswered { request, .. } => {
                    tally.operated.extend(self.of_request.get(&**request));
                    continue;
                }
                Event::Awaited { request, .. } => {
                    tally.awaited.extend(self.of_request.get(&**request));
                    continue;
                }
                _ => continue,
            };
            // what a system sends, and copies of it, is no step
            let Some(number) = self.of_request.get(&**request) else { continue };
            let replies = &mut tally.replies[*number];
            match outcome {
                Some(Outcome::Failure { code, message }) => {
                    let message = message.chars().take(CHARS_MAX).collect();
                    replies.failed.entry(*code).or_default().add(message, 1, 1);
                }
                Some(Outcome::Success(_)) | None => replies.succeeded += 1,
            }
        }
    }

    /// The steps that waited in vain in every run, each with what it waited for.
    pub(super) fn waited_in_vain<'p>(
        &self,
        plan: &'p Plan,
        tally: &Tally,
    ) -> BTreeMap<&'p str, &'p Wait> {
        let waiting = plan.steps.iter().filter_map(|step| Some((step, step.when.as_ref()?)));
        let in_vain = waiting.filter(|(step, _)| {
            let number = self.of_request.get(&step.request);
            number.is_none_or(|number| !tally.awaited.contains(number))
        });
        in_vain.map(|(step, wait)| (step.step.as_str(), wait)).collect()
    }

    /// The steps that went on to their last request in every run, each with what would have ended it.
    pub(super) fn never_ended<'p>(
        &self,
        plan: &'p Plan,
        tally: &Tally,
    ) -> BTreeMap<&'p str, &'p Goal> {
        let rows = plan.steps.iter().filter_map(|step| Some((step, &step.until.as_ref()?.what)));
        let in_vain = rows.filter(|(step, _)| {
            let number = self.of_request.get(&step.request);
            number.is_none_or(|number| !tally.awaited.contains(number))
        });
        in_vain.map(|(step, goal)| (step.step.as_str(), goal)).collect()
    }

    /// The steps that were left out in every run, each with a reason.
    pub(super) fn never_sent(&self, tally: &Tally) -> BTreeMap<String, String> {
        let was_sent = |number: &usize| {
            tally.operated.contains(number) || tally.replies[*number] != Replies::default()
        };
        let never = tally.not_sent.iter().filter(|(number, _)| !was_sent(number));
        never.map(|(number, why)| (self.names[*number].clone(), why.clone())).collect()
    }

    /// The tally by the names of the steps; those that nothing came back to are left out.
    pub(super) fn named(&self, tally: Tally) -> BTreeMap<String, Replies> {
        let all = self.names.iter().cloned().zip(tally.replies);
        all.filter(|(_, replies)| *replies != Replies::default()).collect()
    }
}

impl Tally {
    /// A step was left out: of several reasons, the first in the alphabet counts.
    fn leave_out(&mut self, number: usize, why: String) {
        let known = self.not_sent.entry(number).or_insert_with(|| why.clone());
        if why < *known {
            *known = why;
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.awaited.extend(other.awaited);
        self.operated.extend(other.operated);
        other.not_sent.into_iter().for_each(|(number, why)| self.leave_out(number, why));
        if self.replies.is_empty() {
            self.replies = other.replies;
            return;
        }
        for (replies, more) in self.replies.iter_mut().zip(other.replies) {
            replies.succeeded += more.succeeded;
            replies.gave_up += more.gave_up;
            for (code, failed) in more.failed {
                let here = replies.failed.entry(code).or_default();
                here.times += failed.times;
                failed.messages.into_iter().for_each(|(message, n)| here.add(message, n, 0));
            }
        }
    }
}

impl FailedReplies {
    /// One message more. What is left out once never comes back, for it stays behind as many others: so each number is
    /// exact, and none depends on the order.
    fn add(&mut self, message: String, of_it: u64, of_all: u64) {
        self.times += of_all;
        *self.messages.entry(message).or_default() += of_it;
        if self.messages.len() > MESSAGES_MAX {
            self.messages.pop_last();
        }
    }
}

/// True if the step did nothing that anybody wanted: no reply is a success, or an error that is expected.
pub(super) fn in_vain(step: &str, replies: &Replies, expect: &[Expectation]) -> bool {
    let fails = |e: &Expectation, code: u32| match e {
        Expectation::Reply(e) => e.reply == step && e.fails == Some(code),
        Expectation::Effects(_) | Expectation::State(_) | Expectation::Expression(_) => false,
    };
    let expected = |code: &u32| expect.iter().any(|e| fails(e, *code));
    let any = replies.gave_up > 0 || !replies.failed.is_empty();
    any && replies.succeeded == 0 && !replies.failed.keys().any(expected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::VirtualTime,
        scenario::plan::{Action, ExpectedReply, Millis, Step},
    };

    fn plan() -> Plan {
        let step = |step: &str, request: &str| Step {
            request: request.to_owned(),
            step: step.to_owned(),
            action: Action::Attach { request: String::new() },
            at_ms: Millis::default(),
            after: None,
            ..Step::default()
        };
        let steps = vec![step("pay", "pay[1]"), step("pay", "pay[2]"), step("get", "get")];
        Plan { steps, ..Plan::default() }
    }

    /// A request, and the error that came back to it, if it was one.
    type Answered<'a> = (&'a str, Result<(), (u32, String)>);

    fn history(events: &[Answered<'_>]) -> History {
        let mut history = History::default();
        for (request, outcome) in events {
            let outcome = match outcome {
                Ok(()) => Outcome::Success("1".into()),
                Err((code, message)) => Outcome::Failure { code: *code, message: message.clone() },
            };
            let event = Event::ReplyReceived { request: (*request).into(), attempt: 1, outcome };
            history.push(VirtualTime::ZERO, event);
        }
        history
    }

    fn expectation(reply: &str, fails: Option<u32>) -> Expectation {
        let reply = reply.to_owned();
        let expected =
            ExpectedReply { reply, matches: None, fails, same_as: None, sometimes: true };
        Expectation::Reply(expected)
    }

    #[test]
    fn replies_are_counted_by_step_and_what_is_no_step_is_not() {
        let steps = Steps::of(&plan());
        let mut tally = Tally::default();
        let refused = || Err((400, "invalid items[0].productId".to_owned()));
        let run =
            history(&[("pay[1]", refused()), ("pay[2]", refused()), ("pay[1]~forged", refused())]);
        for _ in 0..150 {
            steps.count(&run, &mut tally);
        }
        let named = steps.named(tally);
        assert_eq!(named.keys().collect::<Vec<_>>(), ["pay"], "nothing came back to get");
        assert_eq!(named["pay"].to_string(), "300 x 400 invalid items[0].productId");
        for (expect, vain) in [
            (vec![], true),
            (vec![expectation("pay", Some(400))], false),
            (vec![expectation("pay", Some(409))], true),
            (vec![expectation("pay", None), expectation("get", Some(400))], true),
        ] {
            assert_eq!(in_vain("pay", &named["pay"], &expect), vain, "{expect:?}");
        }
        let one_success = Replies { succeeded: 1, ..named["pay"].clone() };
        assert!(!in_vain("pay", &one_success, &[]));
        assert!(in_vain("pay", &Replies { gave_up: 3, ..Replies::default() }, &[]));
    }

    proptest! {
        #[test]
        fn the_order_of_runs_and_how_they_are_shared_out_change_nothing(
            runs in proptest::collection::vec(proptest::collection::vec((0..3_usize, 0..40_u32), 0..6), 0..60),
            parts in 1..5_usize,
        ) {
            let steps = Steps::of(&plan());
            let names = ["pay[1]", "pay[2]", "get"];
            let of = |run: &Vec<(usize, u32)>| {
                let replies = run.iter().map(|(request, n)| {
                    let outcome = if *n == 0 { Ok(()) } else { Err((400 + n % 2, format!("no {n}"))) };
                    (names[*request], outcome)
                });
                history(&replies.collect::<Vec<_>>())
            };
            let add = |runs: &mut dyn Iterator<Item = &Vec<(usize, u32)>>| {
                let mut tally = Tally::default();
                runs.for_each(|run| steps.count(&of(run), &mut tally));
                tally
            };
            let whole = steps.named(add(&mut runs.iter()));
            let mut shared = Tally::default();
            for part in (0..parts).rev() {
                shared.add(add(&mut runs.iter().rev().skip(part).step_by(parts)));
            }
            let shared = steps.named(shared);
            prop_assert_eq!(&whole, &shared);
            // the naive count
            let all = || runs.iter().flatten();
            for (step, numbers) in [("pay", 0..2), ("get", 2..3)] {
                let of_step = || all().filter(|(request, _)| numbers.contains(request));
                let Some(replies) = whole.get(step) else {
                    prop_assert_eq!(of_step().count(), 0);
                    continue;
                };
                prop_assert_eq!(replies.succeeded, of_step().filter(|(_, n)| *n == 0).count() as u64);
                for (code, failed) in &replies.failed {
                    let of_code = || of_step().filter(|(_, n)| *n > 0 && 400 + n % 2 == *code);
                    prop_assert_eq!(failed.times, of_code().count() as u64);
                    prop_assert!(failed.messages.len() <= MESSAGES_MAX);
                    for (message, n) in &failed.messages {
                        prop_assert_eq!(*n, of_code().filter(|(_, k)| format!("no {k}") == *message).count() as u64);
                    }
                }
            }
        }
    }
}
