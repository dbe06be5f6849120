//! The table of `run --mutants`: which planted bugs a scenario would have caught.

use serde_json::json;

use crate::{
    base::printable::printable,
    explore::{Mutant, Mutants},
};

/// The version of what [`json`] writes.
const VERSION: u32 = 1;
/// A message is cut after so many characters.
const MESSAGE_MAX: usize = 100;

/// A scenario: a line for each planted bug, and how many it catches.
#[must_use]
pub fn text(mutants: &Mutants) -> String {
    let mut out = format!("{}: {}\n", printable(&mutants.file), printable(&mutants.title));
    let name = |mutant: &Mutant| format!("{} {}", mutant.service, mutant.variant);
    let width = mutants.variants.iter().map(|mutant| name(mutant).len()).max().unwrap_or(0);
    for mutant in &mutants.variants {
        let name = name(mutant);
        match &mutant.caught {
            Some(caught) => {
                let message: String = caught.message.chars().take(MESSAGE_MAX).collect();
                let seed =
                    caught.seed.map_or_else(String::new, |seed| format!(" with seed {}", seed.0));
                let (by, message) = (printable(&caught.by), printable(&message));
                out.push_str(&format!("  caught  {name:<width$}  by {by}{seed}: {message}\n"));
            }
            None => out.push_str(&format!(
                "  missed  {name:<width$}  in {} seeds: {}\n",
                mutant.runs,
                printable(&mutant.summary)
            )),
        }
    }
    out.push_str(&summary(mutants));
    out
}

/// `catches 3 of 4 variants of Bookings, Rooms`.
fn summary(mutants: &Mutants) -> String {
    let services = match mutants.services.is_empty() {
        true => "no service".to_owned(),
        false => mutants.services.join(", "),
    };
    match mutants.variants.len() {
        0 => format!("  {services}: no variants with a planted bug\n"),
        all => format!("  catches {} of {all} variants of {services}\n", mutants.caught()),
    }
}

/// The same as JSON.
#[must_use]
pub fn json(all: &[Mutants]) -> String {
    let rows = all.iter().map(|mutants| {
        let mut row = json!(mutants);
        row["caught"] = json!(mutants.caught());
        row["of"] = json!(mutants.variants.len());
        row
    });
    let summary = json!({ "version": VERSION, "mutants": rows.collect::<Vec<_>>() });
    format!("{summary:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::Seed, explore::Caught};

    #[test]
    fn each_bug_has_a_line_and_the_last_line_counts() {
        let mutant = |variant: &str, caught| Mutant {
            service: "Bookings".to_owned(),
            variant: variant.to_owned(),
            summary: "books once more".to_owned(),
            caught,
            runs: 100,
        };
        let caught = Caught {
            by: "booked_once".to_owned(),
            seed: Some(Seed(7)),
            message: "b-1 was booked 2 times".to_owned(),
        };
        let mutants = Mutants {
            file: "s.json".to_owned(),
            title: "a booking".to_owned(),
            services: vec!["Bookings".to_owned()],
            variants: vec![mutant("twice", Some(caught)), mutant("again-later", None)],
        };
        assert_eq!(
            text(&mutants),
            "s.json: a booking\n  caught  Bookings twice        by booked_once with seed 7: b-1 was booked 2 times\n  \
             missed  Bookings again-later  in 100 seeds: books once more\n  catches 1 of 2 variants of Bookings\n"
        );
    }
}
