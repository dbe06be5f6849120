//! Tables: for a terminal, and for a page.
//!
//! Must not know: what stands in them.

use std::fmt::Write as _;

use super::width::{padded, width};
use crate::base::printable::printable;

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings. Every row has as many cells.
    pub(super) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell).into_owned()).collect());
    }

    /// For a terminal; columns that `is_number` says are aligned to the right. Ends with a line break.
    pub(super) fn text(&self, is_number: impl Fn(usize) -> bool) -> String {
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(widest).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, columns)) in row.iter().zip(&widths).enumerate() {
                let columns = *columns;
                let padded = match is_number(column) {
                    true => format!("{cell:>columns$}"),
                    false => padded(cell, columns),
                };
                line.push_str(&(padded + "  "));
            }
            writeln!(out, "{}", line.trim_end()).expect("writing to a String cannot fail");
        }
        out
    }

    /// For a page. Ends with a line break.
    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', r"\|")).collect();
            writeln!(out, "| {} |", cells.join(" | ")).expect("writing to a String cannot fail");
            if number == 0 {
                writeln!(out, "|{}", "---|".repeat(cells.len())).expect("so does this");
            }
        }
        out
    }
}
