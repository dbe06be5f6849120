//! Seats are sold once, to those who paid; and if they were not, it would be noticed.

use onceproof::Simulation;
use tickets_example::sim::subject;

#[test]
fn seats_are_sold_once_to_those_who_paid_and_planted_bugs_are_found() {
    Simulation::of(subject()).scenarios("scenarios").check();
}

#[test]
fn a_callback_about_an_order_that_is_not_there_is_refused_and_sent_again() {
    let scenario = r#"{
        "title": "the bank calls about an order before it is placed, and about one that never is",
        "steps": [
            { "id": "early", "call": "Orders/o-1/verdict", "from": "acquirer", "body": { "number": 7, "cents": 0 } },
            { "id": "lost", "call": "Orders/o-2/verdict", "from": "acquirer", "body": { "number": 7, "cents": 0 } },
            { "id": "order", "call": "Orders/o-1/place", "at_ms": 1000, "body": { "seat": "A-1", "cents": 50 } }
        ],
        "expect": [
            { "reply": "early", "matches": { "applied": [7] }, "sometimes": true },
            { "reply": "lost", "fails": 404 }
        ]
    }"#;
    Simulation::of(subject()).scenario_text("early", scenario).runs(5).check();
}
