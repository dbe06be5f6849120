//! The table of planted bugs: for a terminal, and for a page.
//!
//! Must not know: how a hunt is made.

use std::time::Duration;

use super::table::Table;
use crate::explore::{Hunt, PlantedBug};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The bug.
    pub bug: PlantedBug,
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
    let PlantedBug { class, title, service, variant } = &row.bug;
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
        class.to_string(),
        title.clone(),
        format!("{service}: {}", variant.name),
        variant.caught_by.clone().unwrap_or_else(|| "none".to_owned()),
        seeds,
        seconds,
        also,
    ]
}

/// The table for a terminal, with what it adds up to. Ends with a line break.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    format!("{}\n{}\n", table(rows).text(|column| matches!(column, 0 | 4 | 5)), totals(rows))
}

/// The table for a page in Markdown. Ends with a line break.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    format!("{}\n{}\n", table(rows).markdown(), totals(rows))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&HEADINGS);
    rows.iter().for_each(|row| table.row(cells(row)));
    table
}

/// `35 of 36 classes found`.
fn totals(rows: &[Row]) -> String {
    let found = |row: &&Row| matches!(row.hunt, Hunt::Found { .. });
    let mut classes: Vec<u16> = rows.iter().map(|row| row.bug.class).collect();
    classes.dedup();
    let complete = classes
        .iter()
        .filter(|class| rows.iter().filter(|r| r.bug.class == **class).all(|r| found(&r)))
        .count();
    let of = classes.len();
    let word = if of == 1 { "class" } else { "classes" };
    format!("{complete} of {of} {word} found")
}

/// Seconds with three decimals, through text: a float is never computed with.
pub(super) fn seconds(elapsed: Duration) -> String {
    format!("{}.{:03}", elapsed.as_secs(), elapsed.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::Seed, subject::Variant};

    fn row(class: u16, title: &str, variant: Variant, hunt: Hunt) -> Row {
        let (title, service) = (title.to_owned(), "Bookings".to_owned());
        Row { bug: PlantedBug { class, title, service, variant }, hunt }
    }

    fn rows() -> Vec<Row> {
        let variant = |name: &str| Variant::new(name, "a planted bug");
        vec![
            row(
                1,
                "booking without an idempotency key",
                variant("books-without-key").caught_by("booked_at_most_once"),
                Hunt::Found {
                    seed: Seed(2),
                    seeds: 3,
                    elapsed: Duration::from_millis(12),
                    also: vec!["rooms_conserved".into(), "status_matches_booking".into()],
                },
            ),
            row(
                33,
                "nondeterminism | on replay",
                variant("wall-clock-in-state").caught_by("no_journal_mismatch"),
                Hunt::NotFound { seeds: 100, elapsed: Duration::from_millis(1_500) },
            ),
            row(36, "retries exhausted leave half a stay", variant("gives-up"), Hunt::Missed),
        ]
    }

    #[test]
    fn the_table_has_a_line_per_bug_and_shows_what_is_missed() {
        insta::assert_snapshot!(text(&rows()));
    }

    #[test]
    fn the_same_table_fits_a_readme() {
        insta::assert_snapshot!(markdown(&rows()));
    }

    #[test]
    fn a_class_counts_as_found_if_all_of_its_bugs_are() {
        let mut rows = rows();
        rows[1].bug.class = 1;
        assert_eq!(totals(&rows), "0 of 2 classes found");
        rows[1].hunt = rows[0].hunt.clone();
        assert_eq!(totals(&rows), "1 of 2 classes found");
        assert_eq!(totals(&rows[..2]), "1 of 1 class found");
    }
}
