//! How soon each strategy finds each planted bug: medians over several ranges of seeds.
//!
//! Must not know: how a hunt is made.

use std::time::Duration;

use serde_json::{Value, json};

use super::{planted::seconds, table::Table};
use crate::{
    base::printable::printable_json,
    explore::{Hunt, PlantedBug, Strategy},
};

/// What was measured for one bug.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The bug.
    pub bug: PlantedBug,
    /// For each strategy, the hunt in each range: its first seed, and what came of it.
    pub by: Vec<(Strategy, Vec<(u64, Hunt)>)>,
}

/// The version of the JSON.
const VERSION: u32 = 1;

/// The table for a terminal. Ends with a line break.
#[must_use]
pub fn text(rows: &[Measured]) -> String {
    format!("{}\n{}\n", table(rows).text(|column| column != 1 && column != 2), totals(rows))
}

/// The table for a page. Ends with a line break.
#[must_use]
pub fn markdown(rows: &[Measured]) -> String {
    format!("{}\n{}\n", table(rows).markdown(), totals(rows))
}

/// Everything that was measured, for programs: indented, with a final line break. Readers must ignore keys that they
/// do not know.
///
/// # Panics
/// Never: it is plain data with string keys.
#[must_use]
pub fn json(rows: &[Measured]) -> String {
    let bugs: Vec<Value> = rows.iter().map(bug).collect();
    let all = json!({ "version": VERSION, "bugs": bugs });
    let text = serde_json::to_string_pretty(&all).expect("it is plain data");
    printable_json(text + "\n")
}

fn bug(Measured { bug, by }: &Measured) -> Value {
    let strategies: Vec<Value> = by
        .iter()
        .map(|(strategy, hunts)| {
            json!({
                "strategy": strategy.name(),
                "median_seeds": median(hunts.iter().map(|(_, hunt)| found(hunt))),
                "median_seconds": number(median_time(hunts)),
                "ranges": hunts.iter().map(range).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "class": bug.class,
        "title": bug.title,
        "service": bug.service,
        "variant": bug.variant.name,
        "caught_by": bug.variant.caught_by,
        "strategies": strategies,
    })
}

fn range((from, hunt): &(u64, Hunt)) -> Value {
    json!({
        "from": from,
        "found": found(hunt).is_some(),
        "seeds": ran(hunt),
        "seconds": number(elapsed(hunt)),
    })
}

/// Seconds with three decimals, through text: a float is never computed with.
fn number(elapsed: Duration) -> Value {
    serde_json::from_str(&seconds(elapsed)).unwrap_or(Value::Null)
}

fn table(rows: &[Measured]) -> Table {
    let strategies: Vec<Strategy> =
        rows.first().map_or_else(Vec::new, |row| row.by.iter().map(|(s, _)| *s).collect());
    let mut headings = vec!["class", "what is wrong", "service: variant"];
    headings.extend(strategies.iter().map(|strategy| strategy.name()));
    let mut table = Table::new(&headings);
    for Measured { bug, by } in rows {
        let name = format!("{}: {}", bug.service, bug.variant.name);
        let cells = [bug.class.to_string(), bug.title.clone(), name];
        table.row(cells.into_iter().chain(by.iter().map(|(_, hunts)| cell(hunts))));
    }
    let sums = (0..strategies.len()).map(|column| {
        let times = rows.iter().map(|row| median_time(&row.by[column].1));
        seconds(times.sum())
    });
    let cells = [String::new(), "seconds for all".to_owned(), String::new()];
    table.row(cells.into_iter().chain(sums));
    table
}

/// The median of seeds; `> 100` if that many did not find it in half of the ranges.
fn cell(hunts: &[(u64, Hunt)]) -> String {
    match median(hunts.iter().map(|(_, hunt)| found(hunt))) {
        Some(seeds) => seeds.to_string(),
        None => {
            let most = hunts.iter().map(|(_, hunt)| ran(hunt)).max();
            format!("> {}", most.unwrap_or(0))
        }
    }
}

/// `portfolio: 16 of 16 in every range, pct1: 14 of 16 in every range`
fn totals(rows: &[Measured]) -> String {
    let of = rows.len();
    let strategies = rows.first().map_or(&[][..], |row| &row.by);
    let all = strategies.iter().enumerate().map(|(column, (strategy, _))| {
        let hunts = |row: &Measured| row.by[column].1.iter().all(|(_, hunt)| found(hunt).is_some());
        let times = rows.iter().filter(|row| hunts(row)).count();
        format!("{strategy} {times}")
    });
    let all: Vec<String> = all.collect();
    format!("bugs found in every range, of {of}: {}", all.join(", "))
}

fn found(hunt: &Hunt) -> Option<u64> {
    match hunt {
        Hunt::Found { seeds, .. } => Some(*seeds),
        Hunt::NotFound { .. } | Hunt::Missed => None,
    }
}

fn ran(hunt: &Hunt) -> u64 {
    match hunt {
        Hunt::Found { seeds, .. } | Hunt::NotFound { seeds, .. } => *seeds,
        Hunt::Missed => 0,
    }
}

fn elapsed(hunt: &Hunt) -> Duration {
    match hunt {
        Hunt::Found { elapsed, .. } | Hunt::NotFound { elapsed, .. } => *elapsed,
        Hunt::Missed => Duration::ZERO,
    }
}

/// The median; what was not found is more than anything that was.
fn median(all: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let mut all: Vec<u64> = all.map(|seeds| seeds.unwrap_or(u64::MAX)).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().filter(|seeds| *seeds != u64::MAX)
}

fn median_time(hunts: &[(u64, Hunt)]) -> Duration {
    let mut all: Vec<Duration> = hunts.iter().map(|(_, hunt)| elapsed(hunt)).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::Seed, subject::Variant};

    fn rows() -> Vec<Measured> {
        let hunt = |seeds: Option<u64>| match seeds {
            Some(seeds) => Hunt::Found {
                seed: Seed(seeds - 1),
                seeds,
                elapsed: Duration::from_millis(seeds),
                also: Vec::new(),
            },
            None => Hunt::NotFound { seeds: 100, elapsed: Duration::from_millis(100) },
        };
        let hunts = |all: [Option<u64>; 3]| {
            (0..).step_by(1_000).zip(all.map(hunt)).collect::<Vec<(u64, Hunt)>>()
        };
        let bug = PlantedBug {
            class: 4,
            title: "check | then act".into(),
            service: "Rooms".into(),
            variant: Variant::new("looks-first", "a planted bug").caught_by("never_overbooked"),
        };
        let by = vec![
            (Strategy::Portfolio, hunts([Some(9), Some(1), Some(4)])),
            (Strategy::Fifo, hunts([None, Some(3), None])),
        ];
        vec![Measured { bug, by }]
    }

    #[test]
    fn the_table_has_the_median_of_each_strategy() {
        insta::assert_snapshot!("medians_text", text(&rows()));
        insta::assert_snapshot!("medians_markdown", markdown(&rows()));
    }

    #[test]
    fn programs_read_every_range() {
        insta::assert_snapshot!(json(&rows()));
    }
}
