//! Seats are sold once, to those who paid; and if they were not, it would be noticed.

use onceproof::Simulation;
use tickets_example::sim::subject;

#[test]
fn seats_are_sold_once_to_those_who_paid_and_planted_bugs_are_found() {
    Simulation::of(subject()).scenarios("scenarios").check();
}
