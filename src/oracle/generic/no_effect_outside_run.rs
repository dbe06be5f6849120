//! An attempt changes the world only inside of `ctx.run`: elsewhere each replay would change it again.
//!
//! One violation for each invocation. Code that belongs to no attempt is not judged, nor are calls that change nothing,
//! nor those made while several runs were open.

use crate::{
    history::{Change, Within},
    oracle::{Facts, Oracle, Report},
};

pub(super) struct NoEffectOutsideRun;

impl Oracle for NoEffectOutsideRun {
    fn name(&self) -> &str {
        "no_effect_outside_run"
    }

    fn summary(&self) -> &str {
        "an attempt changes the world only inside of ctx.run"
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        let mut judged = Vec::new();
        for effect in facts.all_effects().iter().filter(|e| e.change() == Change::Made) {
            let Some(cause) = effect.cause().filter(|c| c.within == Within::NoRun) else {
                continue;
            };
            if judged.contains(&cause.inv) {
                continue;
            }
            judged.push(cause.inv);
            let (target, words, at) = (&cause.target, effect.words(), effect.at);
            let message = format!("{target} changed the world outside of ctx.run: {words} at {at}");
            report.unless_shown(message, [effect.record]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hotel::Booked, NoEffectOutsideRun as It};
    use crate::oracle::testing::{Call, check};

    #[test]
    fn an_effect_outside_of_run_is_reported_once_for_each_invocation() {
        let message = |at| {
            format!(
                "Bookings/b-1/Book changed the world outside of ctx.run: hotel booked: room 12 at {at}"
            )
        };
        check(&It, &[&message("1.000s"), &message("3.000s")], |s| {
            for ms in [1_000, 3_000] {
                let inv = s.at(ms).begin("Bookings/b-1/Book", "{}");
                for _ in 0..2 {
                    let call = Call::default().outside_run().made(Booked { room: 12 });
                    s.calls_system(inv, "hotel", "book", call);
                    s.retry(inv);
                }
            }
        });
    }

    #[test]
    fn effects_inside_of_run_and_calls_that_change_nothing_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin("Bookings/b-1/Book", "{}");
            s.effect(inv, "hotel", "book", Booked { room: 12 });
            let booked = || Booked { room: 12 };
            s.calls_system(inv, "hotel", "book", Call::default().outside_run().repeated(booked()));
            s.calls_system(inv, "hotel", "book", Call::default().outside_run().note(booked()));
            s.calls_system(
                inv,
                "hotel",
                "book",
                Call::default().in_an_unknown_run().made(booked()),
            );
            s.calls_system(inv, "hotel", "book", Call::default().unattributed().made(booked()));
        });
    }
}
