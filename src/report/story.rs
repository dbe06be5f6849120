//! A story that fits on a screen: with more lines than that, those are left out that tell least, one kind after the
//! other, until it fits.
//!
//! Must not know: how events are worded, how lines are laid out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::Name,
    history::{Event, History, Inv, Origin, Outcome},
    report::{focus::invocation, wording::Names},
};

/// Lines of events that a failure has beside its sentence, its reasons and its command, which take about ten.
pub(super) const SCREEN: usize = 30;

/// Which of the records `shown` are left out. What is `kept` stays, as do the records `marked`, which show the
/// violation; `others` are lines that are no records.
pub(super) fn left_out(
    history: &History,
    (marked, kept): (&BTreeSet<usize>, &BTreeSet<usize>),
    shown: &[usize],
    others: usize,
) -> BTreeSet<usize> {
    let mut left_out = BTreeSet::new();
    // without a record that shows it, everything may matter
    let Some(last) = marked.last() else { return left_out };
    let weights = Weights::new(history, marked, *last);
    let weighed: Vec<(usize, u32)> = shown
        .iter()
        .filter(|index| !kept.contains(index) && !marked.contains(index))
        .filter_map(|index| Some((*index, weights.of(*index, &history.records()[*index].event)?)))
        .collect();
    for lightest in 0..=HEAVIEST {
        if shown.len() + others - left_out.len() <= SCREEN {
            break;
        }
        let these = weighed.iter().filter(|(_, weight)| *weight == lightest);
        left_out.extend(these.map(|(index, _)| *index));
    }
    left_out
}

const HEAVIEST: u32 = 5;

/// How much events tell of a violation.
struct Weights<'h> {
    history: &'h History,
    /// The last record that shows it.
    last: usize,
    /// The invocations that show it, and those in which something went wrong.
    showing: BTreeSet<Inv>,
    /// The invocations that have a line that they were accepted.
    accepted: BTreeSet<Inv>,
    /// The invocations that clients started, with the request.
    asked: BTreeMap<Inv, &'h Name>,
    /// Attempts that failed as those before and after them did.
    alike: BTreeSet<usize>,
}

impl<'h> Weights<'h> {
    fn new(history: &'h History, marked: &BTreeSet<usize>, last: usize) -> Self {
        let names = Names::new(history);
        let (mut showing, mut accepted) = (BTreeSet::new(), BTreeSet::new());
        let mut asked = BTreeMap::new();
        for (index, record) in history.records().iter().enumerate() {
            if marked.contains(&index) || is_trouble(&record.event) {
                showing.extend(invocation(&record.event, &names));
            }
            match &record.event {
                Event::InvocationCreated { inv, origin: Origin::Client(request), .. } => {
                    asked.insert(*inv, request);
                }
                Event::InvocationCreated { inv, .. } => {
                    accepted.insert(*inv);
                }
                _ => {}
            }
        }
        Self { history, last, showing, accepted, asked, alike: alike(history) }
    }

    /// How much a person misses an event that does not show the violation itself: the least is 0; none if it must stay.
    fn of(&self, index: usize, event: &Event) -> Option<u32> {
        let shows = |inv: &Inv| self.showing.contains(inv);
        let is_after = index > self.last;
        Some(match event {
            Event::EntryAppended { inv, .. } if is_after || !shows(inv) => 0,
            Event::AttemptStarted { inv, attempt: 1, .. } if self.accepted.contains(inv) => 0,
            Event::EntryAppended { .. } => 1,
            // the client's lines say so
            Event::AttemptStarted { attempt: 1, .. } => 1,
            Event::Completed { inv, .. } if self.is_answered(*inv) => 1,
            Event::Completed { inv, outcome: Outcome::Success(_) } if !shows(inv) => 2,
            Event::InvocationCreated { inv, .. } if is_after && !shows(inv) => 3,
            Event::StateChanged { inv, .. } if is_after && !shows(inv) => 3,
            Event::SystemEffect { .. } if is_after => 3,
            Event::InvocationCreated { inv, .. } if !shows(inv) => 4,
            Event::Completed { outcome: Outcome::Success(_), .. } => 4,
            Event::StateChanged { inv, .. } if !shows(inv) => 5,
            _ if self.alike.contains(&index) => 2,
            _ => return None,
        })
    }

    /// Whether a client got the answer of this invocation.
    fn is_answered(&self, inv: Inv) -> bool {
        self.asked.get(&inv).is_some_and(|asked| {
            self.history.records().iter().any(|record| {
                matches!(&record.event, Event::ReplyReceived { request, .. } if request == *asked)
            })
        })
    }
}

/// The events of attempts that fail as the one before did and the one after does: a retry, its beginning, its failure.
fn alike(history: &History) -> BTreeSet<usize> {
    #[derive(Default)]
    struct Failing {
        /// By its code: a message may hold what differs from attempt to attempt.
        code: Option<u32>,
        /// Since the last failure.
        events: Vec<usize>,
        /// The last attempt that failed as the one before it.
        again: Vec<usize>,
    }
    let mut alike = BTreeSet::new();
    let mut failing: BTreeMap<Inv, Failing> = BTreeMap::new();
    for (index, record) in history.records().iter().enumerate() {
        match &record.event {
            Event::RetryScheduled { inv, .. } | Event::AttemptStarted { inv, .. } => {
                failing.entry(*inv).or_default().events.push(index);
            }
            Event::AttemptFailed { inv, code, .. } => {
                let failing = failing.entry(*inv).or_default();
                let mut attempt = std::mem::take(&mut failing.events);
                attempt.push(index);
                if failing.code == Some(*code) {
                    alike.extend(std::mem::replace(&mut failing.again, attempt));
                } else {
                    failing.again.clear();
                }
                failing.code = Some(*code);
            }
            _ => {}
        }
    }
    alike
}

/// What went wrong in an invocation, or was done to it.
const fn is_trouble(event: &Event) -> bool {
    matches!(
        event,
        Event::AttemptCrashed { .. }
            | Event::AttemptFailed { .. }
            | Event::HandlerPanicked { .. }
            | Event::Paused { .. }
            | Event::PausedByOperator { .. }
            | Event::CancelRequested { .. }
            | Event::Killed { .. }
            | Event::SystemRejected { .. }
            | Event::SystemPanicked { .. }
            | Event::Completed { outcome: Outcome::Failure { .. }, .. }
    )
}
