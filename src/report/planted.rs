//! The table of planted bugs: for a terminal, and for the README.
//!
//! Must not know: how a hunt is made.

use std::{fmt::Write as _, time::Duration};

use crate::planted::{Hunt, Planted};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The bug.
    pub planted: Planted,
    /// What came of the hunt for it.
    pub hunt: Hunt,
}

const HEADINGS: [&str; 7] = [
    "class",
    "what is wrong",
    "service: variant",
    "caught by",
    "seeds",
    "seconds",
    "also violated",
];

fn cells(row: &Row) -> [String; 7] {
    let bug = row.planted.bug;
    let (service, caught_by) = match bug {
        Some((service, variant)) => {
            (format!("{service}: {}", variant.name), variant.caught_by.unwrap_or("none"))
        }
        None => ("none".to_owned(), "none"),
    };
    let (seeds, seconds, also) = match &row.hunt {
        Hunt::Found { seeds, elapsed, also, .. } => {
            (seeds.to_string(), seconds(*elapsed), also.join(", "))
        }
        Hunt::NotFound { seeds, elapsed } => {
            (format!("not in {seeds}"), seconds(*elapsed), String::new())
        }
        Hunt::Missed => ("missed".to_owned(), String::new(), String::new()),
    };
    [
        row.planted.class.to_string(),
        row.planted.title().to_owned(),
        service,
        caught_by.to_owned(),
        seeds,
        seconds,
        also,
    ]
}

/// The table for a terminal, with what it adds up to. Ends with a line break.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let table: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let headings = HEADINGS.map(str::to_owned);
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let all = std::iter::once(&headings).chain(&table);
        all.map(|cells| cells[column].chars().count()).max().unwrap_or(0)
    });
    let mut out = String::new();
    for cells in std::iter::once(&headings).chain(&table) {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // numbers stand to the right
            let padded = if matches!(column, 0 | 4 | 5) {
                format!("{cell:>width$}  ")
            } else {
                format!("{cell:width$}  ")
            };
            line.push_str(&padded);
        }
        writeln!(out, "{}", line.trim_end()).expect("writing to a String cannot fail");
    }
    writeln!(out, "\n{}", totals(rows)).expect("writing to a String cannot fail");
    out
}

/// The table for the README. Ends with a line break.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut out = format!("| {} |\n|{}\n", HEADINGS.join(" | "), "---|".repeat(HEADINGS.len()));
    for row in rows {
        writeln!(out, "| {} |", cells(row).join(" | ")).expect("writing to a String cannot fail");
    }
    writeln!(out, "\n{}", totals(rows)).expect("writing to a String cannot fail");
    out
}

/// `35 of 36 classes found`.
fn totals(rows: &[Row]) -> String {
    let found = |row: &&Row| matches!(row.hunt, Hunt::Found { .. });
    let mut classes: Vec<u8> = rows.iter().map(|row| row.planted.class).collect();
    classes.dedup();
    let complete = classes
        .iter()
        .filter(|class| rows.iter().filter(|r| r.planted.class == **class).all(|r| found(&r)))
        .count();
    let of = classes.len();
    let word = if of == 1 { "class" } else { "classes" };
    format!("{complete} of {of} {word} found")
}

/// Seconds with three decimals, through text: a float is never computed with.
fn seconds(elapsed: Duration) -> String {
    format!("{}.{:03}", elapsed.as_secs(), elapsed.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::Seed, planted::all};

    fn rows() -> Vec<Row> {
        let all = all();
        let of = |class: u8| *all.iter().find(|p| p.class == class).expect("every class is there");
        vec![
            Row {
                planted: of(1),
                hunt: Hunt::Found {
                    seed: Seed(2),
                    seeds: 3,
                    elapsed: Duration::from_millis(12),
                    also: vec!["money_conserved", "status_matches_charge"],
                },
            },
            Row {
                planted: of(33),
                hunt: Hunt::NotFound { seeds: 100, elapsed: Duration::from_millis(1_500) },
            },
            Row { planted: Planted { class: 36, bug: None }, hunt: Hunt::Missed },
        ]
    }

    #[test]
    fn the_table_has_a_line_per_bug_and_says_what_is_missed() {
        insta::assert_snapshot!(text(&rows()));
    }

    #[test]
    fn the_same_table_fits_a_readme() {
        insta::assert_snapshot!(markdown(&rows()));
    }
}
