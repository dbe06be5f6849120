//! `onceproof bugs`: hunts every planted bug, and says how soon each was found.

use std::{fs, path::Path};

use super::{
    args::{BugFormat, Bugs},
    exit::{Exit, Failure},
    interrupt::{interrupted, stop_on_interrupt},
    load::render,
    terminal::{self, now, since},
};
use crate::{
    base::printable::printable,
    explore::{Hunt, Strategy, hunt, planted_bugs, scenario_of, with_twin_alone},
    report::{
        medians::{self, Measured},
        planted::{self, Row},
    },
    scenario,
    subject::Subject,
};

/// What stands before and after the table in the file that it is written to.
const MARKS: (&str, &str) =
    ("<!-- planted bugs: made by `onceproof bugs --write` -->\n", "<!-- end of planted bugs -->");

/// How far the ranges of seeds are apart: further than any budget.
const APART: u64 = 10_000_000;
/// How many ranges there are for several strategies.
const RANGES: u64 = 5;

pub(super) fn bugs(subject: &Subject, args: &Bugs) -> Result<Exit, Failure> {
    let stop = stop_on_interrupt();
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    let mut hunted = planted_bugs(subject);
    if !args.classes.is_empty() {
        if let Some(unknown) = args.classes.iter().find(|c| hunted.iter().all(|b| b.class != **c)) {
            return Err(Failure(unknown_class(*unknown, hunted.last().map(|bug| bug.class))));
        }
        hunted.retain(|bug| args.classes.contains(&bug.class));
    }
    let files = scenarios(subject, args)?;
    let catalog = subject.catalog()?;
    let all = hunted.len();
    let bar = terminal::progress(all as u64);
    let strategies = strategies(args);
    let ranges = args.ranges.unwrap_or(if strategies.len() > 1 { RANGES } else { 1 });
    let mut rows = Vec::new();
    for mut bug in hunted {
        bar.set_message(printable(&bug.title).into_owned());
        let (_, mut scenario) = scenario_of(&catalog, &files, &bug)?;
        if args.twin {
            with_twin_alone(&mut scenario, &mut bug);
        }
        let started = now();
        let search = |strategy: Strategy, range: u64| {
            let from = range * APART;
            let search = (strategy, from);
            let hunt = hunt(subject, &scenario, &bug, search, &stopped, || since(started))?;
            Ok::<_, Failure>((from, hunt))
        };
        let by = |strategy: &Strategy| {
            let hunts: Result<_, Failure> = (0..ranges).map(|n| search(*strategy, n)).collect();
            Ok::<_, Failure>((*strategy, hunts?))
        };
        let by: Vec<_> = strategies.iter().map(by).collect::<Result<_, _>>()?;
        // what was not hunted to its end is not known
        if stopped() {
            break;
        }
        rows.push(Measured { bug, by });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let table = |format| match (format, once(&rows)) {
        (BugFormat::Json, _) => medians::json(&rows),
        (BugFormat::Text, Some(rows)) => planted::text(&rows),
        (BugFormat::Markdown, Some(rows)) => planted::markdown(&rows),
        (BugFormat::Text, None) => medians::text(&rows),
        (BugFormat::Markdown, None) => medians::markdown(&rows),
    };
    terminal::say(&table(args.format));
    if stopped() {
        terminal::complain(&format!("{} of {all} planted bugs were hunted", rows.len()));
        return Ok(interrupted(Exit::Held));
    }
    if let Some(file) = &args.write {
        write(file, &table(BugFormat::Markdown))?;
    }
    let mut hunts = rows.iter().flat_map(|row| &row.by).flat_map(|(_, hunts)| hunts);
    let all_found = hunts.all(|(_, hunt)| matches!(hunt, Hunt::Found { .. }));
    Ok(if all_found { Exit::Held } else { Exit::Violated })
}

/// The strategies that are asked for.
fn strategies(args: &Bugs) -> Vec<Strategy> {
    let asked = args.strategy.iter().flat_map(|some| &some.0);
    let mut all: Vec<Strategy> = Vec::new();
    for strategy in asked {
        if !all.contains(strategy) {
            all.push(*strategy);
        }
    }
    if all.is_empty() { vec![Strategy::default()] } else { all }
}

/// The rows of a table without medians; none if there is more to tell.
fn once(rows: &[Measured]) -> Option<Vec<Row>> {
    let row = |measured: &Measured| match &measured.by[..] {
        [(_, hunts)] => match &hunts[..] {
            [(_, hunt)] => Some(Row { bug: measured.bug.clone(), hunt: hunt.clone() }),
            _ => None,
        },
        _ => None,
    };
    rows.iter().map(row).collect()
}

fn unknown_class(class: u16, last: Option<u16>) -> String {
    match last {
        Some(last) => format!("error: there is no class {class}; classes are 1 to {last}"),
        None => "error: these services have no planted bugs; add some with Subject::variant".into(),
    }
}

/// The scenarios among which those of planted bugs are looked for: name and text.
fn scenarios(subject: &Subject, args: &Bugs) -> Result<Vec<(String, String)>, Failure> {
    if args.scenarios.is_empty() {
        return Ok(subject.scenarios().to_vec());
    }
    let files = scenario::find(&args.scenarios).map_err(render)?;
    let read = |file: &std::path::PathBuf| {
        let text = scenario::read(file).map_err(render)?;
        Ok((file.display().to_string(), text))
    };
    files.iter().map(read).collect()
}

/// Replaces the table between the marks of `file`.
fn write(file: &Path, table: &str) -> Result<(), Failure> {
    let cannot = |why: String| Failure(format!("error: {}: {why}", file.display()));
    let before = fs::read_to_string(file).map_err(|e| cannot(e.to_string()))?;
    let (open, close) = MARKS;
    let place = before.find(open).and_then(|at| {
        let from = at + open.len();
        Some((from, from + before[from..].find(close)?))
    });
    let Some((from, to)) = place else {
        return Err(cannot(format!(
            "there is no place for the table; add the lines\n  {}\n  {close}",
            open.trim_end()
        )));
    };
    let after = format!("{}\n{table}\n{}", &before[..from], &before[to..]);
    fs::write(file, after).map_err(|e| cannot(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_its_place_and_nothing_else_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("README.md");
        let (open, close) = MARKS;
        let around = |table: &str| format!("# title\n{open}{table}{close}\nend\n");
        fs::write(&file, around("\nold\n\n")).expect("a file");
        for _ in 0..2 {
            write(&file, "new\n").expect("it has a place");
            assert_eq!(fs::read_to_string(&file).expect("a file"), around("\nnew\n\n"));
        }
        fs::write(&file, "no marks").expect("a file");
        let refused = write(&file, "new").expect_err("it has no place").0;
        assert!(refused.contains("there is no place for the table"), "{refused}");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "no marks");
    }
}
