//! What was compared with runs without faults, and what was not.
//!
//! Must not know: how it was compared.

use super::{
    layout::Layout,
    numbers::{count, grouped},
};
use crate::{
    explore::outcome::{ScenarioReport, TwinReport},
    report::width::shortened,
};

/// So many places of a kind are named.
const NAMED_MAX: usize = 6;

/// How much was compared, if anything was to be.
pub(super) fn twin(scenario: &ScenarioReport, layout: &Layout, out: &mut String) {
    let Some(twin) = &scenario.twin else { return };
    let mut line = |text: &str| {
        let text = shortened(text, layout.width.saturating_sub(4));
        out.push_str(&format!("    {text}\n"));
    };
    line(&compared(twin));
    for (why, runs) in &twin.runs_not_compared {
        line(&format!("  {} not compared: {why}", count(*runs, "run")));
    }
    for (what, places) in
        [("decided by order or time", &twin.raced), ("decided by clock or entropy", &twin.free)]
    {
        if let Some(names) = named(places) {
            let number = count(places.len() as u64, "place");
            line(&format!("  {number} not compared, {what}: {names}"));
        }
    }
}

fn compared(twin: &TwinReport) -> String {
    format!(
        "twin: {} compared with {} without faults, at {}",
        count(twin.runs_compared, "run"),
        grouped(twin.runs_without_faults),
        count(twin.places_compared, "place")
    )
}

fn named(places: &[String]) -> Option<String> {
    let mut names = places[..places.len().min(NAMED_MAX)].join(", ");
    if places.len() > NAMED_MAX {
        names.push_str(&format!(" and {} more", places.len() - NAMED_MAX));
    }
    (!names.is_empty()).then_some(names)
}
