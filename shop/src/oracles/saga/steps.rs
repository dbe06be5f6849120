//! Oracles of the steps of an order: undone last one first, only if they were taken, and not taken again.
//!
//! Must not know: what the steps did to the world.

use onceproof::oracle::{Facts, Moment, Report, Rule, never_after, oracle};

use super::view::{Call, Ended, ORCHESTRATOR, Order, Orders};

/// What is undone is undone in reverse order of its steps, and only what was asked for.
///
/// A step that was refused did not happen: undoing it is undoing nothing, or something of another's. One that was
/// cancelled may have happened, so undoing that is right; and a caller that was cancelled or killed while it waited
/// for an answer does not know it.
pub(super) fn undone_in_reverse() -> Rule {
    let summary = "the steps of an order are undone last one first, and only those that were taken";
    oracle("saga_undone_in_reverse", summary, |facts, report| {
        for (id, order) in &facts.view::<Orders>().0 {
            check_undone(facts, report, id, order);
        }
    })
}

/// Reports the first call that ought not to be.
fn check_undone(facts: &Facts<'_>, report: &mut Report<'_>, id: &str, order: &Order) {
    let mut taken: Vec<&Call> = Vec::new();
    // the one that was undone last: its place among the taken, and the record
    let mut last: Option<(usize, usize)> = None;
    for call in &order.calls {
        let (step, record) = (&call.step, call.created);
        let place = taken.iter().position(|taken| taken.step == *step);
        let at = facts.at(record);
        match place {
            None if !call.undoes => taken.push(call),
            _ if !call.undoes => {}
            // a kill can part the record of a step from its call; the next handler knows the record only
            None if facts.tainted(ORCHESTRATOR, id) => {}
            None => {
                let message =
                    format!("{id}: {step} was undone at {at}, but nobody had asked for it");
                return report.violation(message, [record]);
            }
            Some(place) if was_refused(order, step, record) => {
                let message = format!("{id}: {step} was undone at {at}, but it had been refused");
                return report.violation(message, [taken[place].created, record]);
            }
            Some(place) => {
                if let Some((earlier, undone)) = last.filter(|(earlier, _)| place > *earlier) {
                    let (first, first_at) = (&taken[earlier].step, facts.at(undone));
                    let message = format!(
                        "{id} was undone out of order: {first} at {first_at}, and only then {step} at {at}, which had come later"
                    );
                    return report.violation(message, [undone, record]);
                }
                last = Some((place, record));
            }
        }
    }
}

/// True if every try to take the step before the record `before` was refused, and its caller got the answer.
fn was_refused(order: &Order, step: &str, before: usize) -> bool {
    let tries = order.calls.iter().filter(|c| c.step == step && !c.undoes);
    tries.filter(|c| c.created < before).all(|call| {
        call.is_heard && call.ended == Ended::Refused && call.end.is_some_and(|end| end < before)
    })
}

/// A step that was undone is not taken again.
///
/// Only what succeeded counts: a step that arrives late and is refused is what a tombstone is for. If both were on
/// their way at once, their order is for the service to decide.
pub(super) fn no_step_after_undo() -> Rule {
    fn done(facts: &Facts<'_>, undoes: bool) -> Vec<Moment<(String, String)>> {
        let mut moments = Vec::new();
        for (id, order) in &facts.view::<Orders>().0 {
            for call in order.calls.iter().filter(|c| c.ended == Ended::Done && c.undoes == undoes)
            {
                let record = if undoes { call.end } else { Some(call.created) };
                let key = (id.clone(), call.step.clone());
                moments.extend(record.map(|record| Moment::new(key, record)));
            }
        }
        moments
    }
    never_after(|facts| done(facts, true), |facts| done(facts, false))
        .say(|o| {
            let ((id, step), undone, again) = (o.key, o.first_at(), o.then_at());
            format!("{id}: {step} was undone at {undone}, and taken again at {again}")
        })
        .named("saga_no_step_after_undo")
        .summary("no step of an order is taken after it was undone")
}

#[cfg(test)]
mod tests {
    use onceproof::history::Phase;

    use super::{super::super::testing::*, *};

    const CREATE: &str = "OrderService/o/CreateOrder";
    const CANCEL: &str = "OrderService/o/CancelOrder";
    const RESERVE: &str = "InventoryService/tea/ReserveStock";
    const RELEASE: &str = "InventoryService/tea/ReleaseReservation";
    const PAY: &str = "PaymentService/o-payment/CreatePayment";
    const REFUND: &str = "PaymentService/o-payment/RefundPayment";
    const UNLABEL: &str = "ShippingService/o/CancelLabel";

    /// A handler of the order makes these calls, each at its time in milliseconds and with its answer: a body, or the
    /// code of a failure. `killed` and `cancelled` are what becomes of the handler itself from there on.
    fn plays(s: &mut Story, calls: &[(u64, &str, &str)]) {
        let mut inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
        for &(at, to, answer) in calls {
            match to {
                "killed" => {
                    s.at(at).kill(inv);
                    inv = s.begin("OrderOrchestrator/o/CancelOrder", "");
                }
                "cancelled" => s.at(at).cancel(inv, Phase::Running),
                _ => {
                    let call = s.at(at).call(inv, to, "{}");
                    match answer.parse() {
                        Ok(code) => s.fails(call, code, "no"),
                        Err(_) => s.done(call, answer),
                    }
                }
            }
        }
        s.done(inv, "{}");
    }

    #[test]
    fn the_last_step_is_undone_first() {
        const FORWARD: [(u64, &str, &str); 3] =
            [(0, CREATE, "{}"), (0, RESERVE, "{}"), (0, PAY, "{}")];
        let out_of_order = "o was undone out of order: order at 2.000s, and only then payment at 3.000s, which had \
                            come later";
        for (expect, undo) in [
            (&[][..], &[REFUND, REFUND, RELEASE, CANCEL][..]),
            (&[out_of_order], &[CANCEL, REFUND]),
            (&["o: label was undone at 2.000s, but nobody had asked for it"], &[UNLABEL]),
            // what a killed handler asked for is not known
            (&[], &["killed", UNLABEL]),
        ] {
            check(&undone_in_reverse(), expect, |s| {
                let undo =
                    undo.iter().zip([2_000, 3_000, 4_000, 5_000]).map(|(to, at)| (at, *to, "{}"));
                plays(s, &FORWARD.into_iter().chain(undo).collect::<Vec<_>>());
                // a client that asks by itself is no saga
                s.op(CANCEL, "", "{}");
                s.op(RELEASE, "{}", "{}");
            });
        }
    }

    #[test]
    fn a_refused_step_is_not_undone_unless_its_caller_did_not_hear_it() {
        let refused = &["o: stock of tea was undone at 1.000s, but it had been refused"][..];
        let failed = r#"{"status":"failed"}"#;
        for (answer, expect) in [("422", refused), (failed, refused), ("409", &[]), ("500", &[])] {
            check(&undone_in_reverse(), expect, |s| {
                plays(s, &[(0, RESERVE, answer), (1_000, RELEASE, "{}")]);
            });
            check(&undone_in_reverse(), &[], |s| {
                plays(s, &[(0, "cancelled", ""), (0, RESERVE, answer), (1_000, RELEASE, "{}")]);
            });
        }
    }

    #[test]
    fn a_step_is_not_taken_after_it_was_undone() {
        let message = "o: payment was undone at 1.000s, and taken again at 2.000s";
        for (undone, taken, expect) in [
            ("{}", "{}", &[message][..]),
            ("{}", r#"{"status":"completed"}"#, &[message]),
            ("{}", "410", &[]),
            ("{}", r#"{"status":"failed"}"#, &[]),
            ("400", "{}", &[]),
        ] {
            check(&no_step_after_undo(), expect, |s| {
                plays(s, &[(0, PAY, "{}"), (1_000, REFUND, undone), (2_000, PAY, taken)]);
            });
        }
        // both on their way at once
        check(&no_step_after_undo(), &[], |s| {
            let inv = s.begin("OrderOrchestrator/o/CancelOrder", "");
            let refund = s.call(inv, REFUND, "");
            plays(s, &[(1_000, PAY, "{}")]);
            s.done(refund, "{}");
        });
    }
}
