//! What is known of every place at which a fault can strike.
//!
//! Must not know: how it was explored.

use super::{
    layout::Layout,
    numbers::{count, grouped},
};
use crate::{
    explore::outcome::{ScenarioReport, Statement},
    report::width::shortened,
};

/// Kinds of faults on one line.
const KINDS_PER_LINE: usize = 6;
/// So many places of a handler are told.
const TOLD_MAX: usize = 5;

/// The statement that an exhaustive exploration ends with.
pub(super) fn statement(scenario: &ScenarioReport, layout: &Layout, out: &mut String) {
    let Some(statement) = &scenario.exhaustive else { return };
    let mut line = |text: &str| {
        let text = shortened(text, layout.width.saturating_sub(4));
        out.push_str(&format!("    {text}\n"));
    };
    line(&sentence(statement));
    for kinds in statement.kinds.chunks(KINDS_PER_LINE) {
        line(&format!("  of {}", kinds.join(", ")));
    }
    if statement.left_out > 0 {
        let left_out = count(statement.left_out, "history");
        line(&format!("  {left_out} more the same as one of these, and not run"));
    }
    for handler in &statement.handlers {
        let (points, name) = (count(handler.points, "place"), &handler.handler);
        if handler.shows == 0 {
            line(&format!("  {name}: {points}, none shows"));
            continue;
        }
        let hidden = handler.points - handler.shows;
        line(&format!("  {name}: {points}, {} do not show", grouped(hidden)));
        for shown in handler.shown.iter().take(TOLD_MAX) {
            line(&format!("    at `{}`: {}: {}", shown.at, shown.oracle, shown.message));
            for before in &shown.after {
                line(&format!("      after {before}"));
            }
        }
        let more = usize::try_from(handler.shows).unwrap_or(usize::MAX).saturating_sub(TOLD_MAX);
        if more > 0 {
            line(&format!("    and at {more} more"));
        }
    }
}

/// `all 412 histories with at most 1 fault held`
fn sentence(statement: &Statement) -> String {
    let Statement { bound, histories, failing, inconclusive, complete, .. } = statement;
    let (number, of) = (grouped(*histories), if *complete { "" } else { ", of more than that," });
    let all = format!("{} with {bound}{of}", count(*histories, "history"));
    match (*failing, *inconclusive) {
        (0, 0) if *complete => format!("all {all} held"),
        (0, 0) => format!("the first {number} histories with {bound} held; there are more"),
        (0, bounds) => format!("{} of {all} came to no end", grouped(bounds)),
        (failing, _) => format!("{} of {all} did not hold", grouped(failing)),
    }
}
