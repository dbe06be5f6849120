//! `onceproof bugs`: hunts every planted bug, and says how soon each was found.

use std::{fs, path::Path};

use super::{
    Exit, Failure,
    args::{BugFormat, Bugs},
    run::{interrupted, now, since, stop_on_interrupt},
    terminal,
};
use crate::{
    planted::{self, Hunt},
    report::planted::{Row, markdown, text},
    subject::Subject,
};

/// What stands before and after the table in the file that it is written to.
const MARKS: (&str, &str) =
    ("<!-- planted bugs: made by `onceproof bugs --write` -->\n", "<!-- end of planted bugs -->");

pub(super) fn bugs(args: &Bugs) -> Result<Exit, Failure> {
    let subject = Subject::reference();
    let stop = stop_on_interrupt();
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    let mut hunted = planted::all();
    if !args.classes.is_empty() {
        hunted.retain(|planted| args.classes.contains(&planted.class));
    }
    let bar = terminal::progress(hunted.len() as u64);
    let mut rows = Vec::new();
    for planted in hunted {
        if stopped() {
            break;
        }
        bar.set_message(planted.title());
        let started = now();
        let hunt = planted::hunt(&subject, planted, &stopped, || since(started))?;
        rows.push(Row { planted, hunt });
        bar.inc(1);
    }
    bar.finish_and_clear();
    terminal::say(&match args.format {
        BugFormat::Text => text(&rows),
        BugFormat::Markdown => markdown(&rows),
    });
    if stopped() {
        return Ok(interrupted(Exit::Held));
    }
    if let Some(file) = &args.write {
        write(file, &markdown(&rows))?;
    }
    let all_found = rows.iter().all(|row| matches!(row.hunt, Hunt::Found { .. }));
    Ok(if all_found { Exit::Held } else { Exit::Violated })
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
