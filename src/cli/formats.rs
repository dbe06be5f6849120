//! Results in every format, and files of them.
//!
//! Must not know: how results came about.

use super::{
    args::{Format, ReportFile},
    output::write_whole,
    terminal,
};
use crate::{
    base::printable::printable_path,
    explore::outcome::Summary,
    report::{
        self,
        paint::Paint,
        text::{Again, Verbosity},
    },
};

/// All results at once.
pub(super) fn format(summary: &Summary, format: Format, paint: Paint, again: Again<'_>) -> String {
    let text = || report::text::summary(summary, Verbosity::Short, paint, again);
    match format {
        Format::Json => report::json::summary(summary),
        Format::Junit => report::junit::junit(summary, again),
        Format::Text => text(),
        Format::Github => {
            report::github::no_command(&text()) + &report::github::annotations(summary, again)
        }
    }
}

/// Writes the results to each file. What cannot be written is a warning: it is no reason to lose the verdict.
pub(super) fn write_reports(files: &[ReportFile], summary: &Summary, again: Again<'_>) {
    for ReportFile { format: how, file } in files {
        if let Err(error) = write_whole(file, &format(summary, *how, Paint::Plain, again)) {
            let file = printable_path(file);
            terminal::complain(&format!("warning: the report {file} cannot be written: {error}"));
        }
    }
}
