//! A subscription's settled states read as a chain of periods, and each period as spans of one price.
//!
//! It is a model of its own: days are counted one by one, and nothing is taken from the service but which plan
//! and period it says it is in.
//!
//! Must not know: what was charged.

use onceproof::oracle::Facts;

use super::{
    days,
    view::{Settled, quoted},
};

/// Days of one period at one price.
#[derive(Clone, Copy, Debug)]
struct Span<'h> {
    plan: &'h str,
    period: Period,
    from: u32,
    to: u32,
}

/// A period, in days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    start: u32,
    /// Where it ends if nothing cuts it short.
    full_end: u32,
    end: u32,
    /// The day of the month on which periods of this chain begin.
    anchor: u32,
}

#[derive(Debug)]
struct Open<'h> {
    cycle: &'h str,
    /// Up to the end of the period, if nothing cuts it short.
    span: Span<'h>,
    /// True if the period is over and the next one was not paid.
    is_past: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Walk<'h> {
    spans: Vec<Span<'h>>,
    open: Option<Open<'h>>,
    /// The first step that no subscription may make, with its record.
    pub(super) wrong: Option<(usize, String)>,
}

impl<'h> Walk<'h> {
    /// Reads `states`; none if it is unknown on which day something happened.
    pub(super) fn of(facts: &Facts<'_>, states: &'h [Settled]) -> Option<Self> {
        let mut walk = Self::default();
        for state in states {
            match &*state.status {
                "active" => walk.goes_on(facts, state)?,
                "pastDue" => {
                    let end = walk.open.as_ref().map(|open| open.span.period.end);
                    end.into_iter().for_each(|end| walk.close(end));
                }
                "cancelled" => {
                    let day = day_of(facts, state)?;
                    walk.close(day);
                    walk.open = None;
                }
                "expired" => {
                    walk.close(u32::MAX);
                    walk.open = None;
                }
                _ => {}
            }
        }
        Some(walk)
    }

    /// What all days that were paid for cost, in cents; none if the catalogue never quoted a price.
    pub(super) fn cost(&self, facts: &Facts<'_>) -> Option<i64> {
        let left = self.open.as_ref().filter(|open| !open.is_past).map(|open| &open.span);
        self.spans.iter().chain(left).try_fold(0, |sum, span| Some(sum + span.cost(facts)?))
    }

    /// The last day of the period that is still open, as a number.
    pub(super) fn open_until(&self) -> Option<u32> {
        self.open.as_ref().map(|open| open.span.period.end)
    }

    fn goes_on(&mut self, facts: &Facts<'_>, state: &'h Settled) -> Option<()> {
        let terms = &state.terms;
        let (plan, cycle) = (&*terms.plan_id, &*terms.billing_cycle);
        let (start, end) = (days::number(&terms.period_start)?, days::number(&terms.period_end)?);
        let own_anchor = days::date(start).2;
        let (mut anchor, mut from) = (own_anchor, start);
        if let Some(open) = &self.open {
            let Period { start: old_start, end: old_end, anchor: old_anchor, .. } =
                open.span.period;
            if open.cycle != cycle {
                let day = day_of(facts, state)?.clamp(old_start, old_end);
                if start != day {
                    self.wrong(
                        state,
                        format!("changed its cycle on another day than {}", text(start)),
                    );
                }
                self.close(start);
            } else if start == old_start {
                if open.span.plan == plan {
                    return Some(());
                }
                anchor = old_anchor;
                from = day_of(facts, state)?.clamp(old_start, old_end);
                self.close(from);
            } else {
                if start != old_end {
                    let ends = text(old_end);
                    self.wrong(
                        state,
                        format!("went on from {} after a period that ends on {ends}", text(start)),
                    );
                }
                anchor = old_anchor;
                self.close(old_end);
            }
        }
        let full_end = days::period_end(start, anchor, cycle == "yearly");
        let last = state.end_date.as_deref().and_then(days::number);
        let expected = last.map_or(full_end, |last| last.min(full_end));
        if end <= start {
            self.wrong(state, format!("went on from {}, where it was to end", text(start)));
        }
        if end != expected {
            let (from, to, expected) = (text(start), text(end), text(expected));
            self.wrong(
                state,
                format!("has a period from {from} to {to} that should end on {expected}"),
            );
        }
        let period = Period { start, full_end, end, anchor };
        let span = Span { plan, period, from, to: end };
        self.open = Some(Open { cycle, span, is_past: false });
        Some(())
    }

    /// Ends the span that is open on `day`, or at the end of its period.
    fn close(&mut self, day: u32) {
        let Some(open) = self.open.as_mut().filter(|open| !open.is_past) else { return };
        let to = day.clamp(open.span.from, open.span.to);
        self.spans.push(Span { to, ..open.span });
        open.is_past = true;
    }

    fn wrong(&mut self, state: &Settled, what: String) {
        self.wrong.get_or_insert((state.record, what));
    }
}

impl Span<'_> {
    fn cost(&self, facts: &Facts<'_>) -> Option<i64> {
        let price = i128::from(quoted(facts, self.plan)?);
        let Period { start, full_end, .. } = self.period;
        let up_to = |day: u32| price * i128::from(day - start) / i128::from(full_end - start);
        i64::try_from(up_to(self.to) - up_to(self.from)).ok()
    }
}

/// The day on which the state was decided; none if its invocation saw more than one.
fn day_of(facts: &Facts<'_>, state: &Settled) -> Option<u32> {
    let created = facts.invocation(state.inv)?.created;
    let (first, last) = (days::at(facts.at(created)), days::at(facts.at(state.record)));
    (first == last).then_some(first)
}

/// `2026-01-31`.
pub(super) fn text(number: u32) -> String {
    let (year, month, day) = days::date(number);
    format!("{year:04}-{month:02}-{day:02}")
}
