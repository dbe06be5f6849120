//! Keeps what was found: a reproducer for each history in which something did not hold.
//!
//! Must not know: how anything was found.

use std::path::Path;

use crate::{
    base::printable::printable_path,
    explore::{Explored, Found},
    scenario::{
        plan::Scenario,
        reproducer::{ReproducedVerdict, Reproducer},
    },
};

/// Writes a reproducer for each violation found, and names it in the report. What cannot be written is no reason to
/// lose the report: a warning for each says so, here and in the report's notes.
pub(crate) fn keep(
    folder: &Path,
    file: &str,
    scenario: &Scenario,
    explored: &mut Explored,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut write = |found: &Found| {
        let (_, violation) = found.shown();
        let (scenario, tape, digest) = match &found.smallest {
            Some(smallest) => (&smallest.scenario, &smallest.tape, smallest.digest),
            None => (scenario, &found.tape, found.digest),
        };
        let verdict = ReproducedVerdict {
            oracle: violation.oracle.clone(),
            message: violation.message.clone(),
        };
        let (file, scenario, tape) = (file.to_owned(), scenario.clone(), tape.clone());
        let reproducer = Reproducer::new(file, scenario, found.seed, tape, verdict, digest);
        match reproducer.write(folder) {
            Ok(path) => return Some(path.display().to_string()),
            Err(error) => warnings.push(format!(
                "the reproducer {} cannot be written: {error}",
                printable_path(&folder.join(reproducer.file_name() + ".json"))
            )),
        }
        None
    };
    for (found, row) in explored.found.iter().zip(&mut explored.report.violations) {
        row.reproducer = write(found);
    }
    explored.failing.iter().for_each(|found| drop(write(found)));
    explored.report.notes.extend(warnings.iter().cloned());
    warnings
}
