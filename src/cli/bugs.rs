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
    explore::{Hunt, hunt, planted_bugs, scenario_of},
    report::planted::{Row, markdown, text},
    scenario,
    subject::Subject,
};

/// What stands before and after the table in the file that it is written to.
const MARKS: (&str, &str) =
    ("<!-- planted bugs: made by `onceproof bugs --write` -->\n", "<!-- end of planted bugs -->");

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
    let mut rows = Vec::new();
    for bug in hunted {
        if stopped() {
            break;
        }
        bar.set_message(printable(&bug.title).into_owned());
        let started = now();
        let (_, scenario) = scenario_of(&catalog, &files, &bug)?;
        let hunt = hunt(subject, &scenario, &bug, &stopped, || since(started))?;
        rows.push(Row { bug, hunt });
        bar.inc(1);
    }
    bar.finish_and_clear();
    terminal::say(&match args.format {
        BugFormat::Text => text(&rows),
        BugFormat::Markdown => markdown(&rows),
    });
    if stopped() {
        terminal::complain(&format!("{} of {all} planted bugs were hunted", rows.len()));
        return Ok(interrupted(Exit::Held));
    }
    if let Some(file) = &args.write {
        write(file, &markdown(&rows))?;
    }
    let all_found = rows.iter().all(|row| matches!(row.hunt, Hunt::Found { .. }));
    Ok(if all_found { Exit::Held } else { Exit::Violated })
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
