//! The columns in which scenarios stand below each other, as wide as they need to be and as there is room for.
//!
//! Must not know: what came of a scenario.

use super::numbers::count;
use crate::{
    base::printable::printable,
    report::{
        paint::Paint,
        width::{padded, shortened, width},
    },
};

/// `✓ held` and the like.
const VERDICT: usize = 18;
/// `999,999 events`.
const EVENTS: usize = 14;
/// Of a file's name at least so much is shown; if there is no room for it, the counts go.
const FILE_MIN: usize = 20;
/// A title of which less could be shown is left out.
const TITLE_MIN: usize = 12;
const TITLE_MAX: usize = 60;
const GAP: usize = 2;

/// How lines about scenarios are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whether they are coloured.
    pub paint: Paint,
    /// Columns of the terminal.
    pub(super) width: usize,
    file: usize,
    title: usize,
    runs: usize,
    counts: bool,
}

impl Layout {
    /// For scenarios of these files, with these titles and numbers of runs, on a terminal of `width` columns.
    pub fn new<'s>(
        scenarios: impl IntoIterator<Item = (&'s str, &'s str, u64)>,
        columns: usize,
        paint: Paint,
    ) -> Self {
        let (mut file, mut title, mut runs) = (0, 0, 0);
        for (a_file, a_title, some_runs) in scenarios {
            file = file.max(width(&printable(a_file)));
            title = title.max(width(&printable(a_title)));
            runs = runs.max(count(some_runs, "run").len());
        }
        let mut room = columns.saturating_sub(VERDICT);
        let counts_width = GAP + runs + GAP + EVENTS;
        let counts = room >= counts_width + GAP + file.min(FILE_MIN);
        if counts {
            room -= counts_width;
        }
        let file = file.min(room.saturating_sub(GAP).max(1));
        room = room.saturating_sub(GAP + file + GAP);
        let title = if room < TITLE_MIN { 0 } else { title.min(TITLE_MAX).min(room) };
        Self { paint, width: columns, file, title, runs, counts }
    }

    /// A line without its verdict: file, title, counts.
    pub(super) fn line(&self, file: &str, title: &str, runs: &str, events: &str) -> String {
        let mut line = padded(&end_of(&printable(file), self.file), self.file);
        if self.title > 0 {
            line.push_str("  ");
            line.push_str(&padded(&shortened(title, self.title), self.title));
        }
        if self.counts {
            line.push_str(&format!("  {runs:>0$}  {events:>EVENTS$}", self.runs));
        }
        line
    }
}

/// The last `columns` of `text`, which tell files apart better than the first.
fn end_of(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let start = text.char_indices().map(|(at, _)| at).find(|at| width(&text[*at..]) < columns);
    format!("…{}", &text[start.unwrap_or(text.len())..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_left_out_the_least_telling_first() {
        let files = [("scenarios/guests-races-cancel.json", "a guests races with a cancel", 500)];
        let line = |columns| {
            let layout = Layout::new(files, columns, Paint::Plain);
            let (file, title, _) = files[0];
            layout.line(file, title, "500 runs", "20,500 events")
        };
        for (columns, shown) in [
            (
                140,
                "scenarios/guests-races-cancel.json  a guests races with a cancel  500 runs   20,500 events",
            ),
            (
                100,
                "scenarios/guests-races-cancel.json  a guests races wi…  500 runs   20,500 events",
            ),
            (90, "scenarios/guests-races-cancel.json  500 runs   20,500 events"),
            (70, "…uests-races-cancel.json  500 runs   20,500 events"),
            (60, "scenarios/guests-races-cancel.json"),
            (40, "…s-races-cancel.json"),
        ] {
            assert_eq!(line(columns), shown);
        }
        for columns in 0..200 {
            let wide = VERDICT + GAP + width(&line(columns));
            assert!(wide <= columns.max(VERDICT + GAP + 1), "{columns}: {}", line(columns));
        }
    }
}
