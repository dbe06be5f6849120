//! `onceproof merge`: JSON results in, one result out, in any format.

use std::path::{Path, PathBuf};

use super::{
    args,
    exit::{Exit, Failure},
    formats::format,
    output::write_whole,
    terminal,
};
use crate::{
    base::printable::{printable, printable_path},
    explore::{merge as merge_all, outcome::Summary},
    report::{self, json::NotAResult, paint::Paint, text::Again},
    scenario::files::{self, Unreadable},
};

/// No result of a campaign is larger.
const FILE_BYTES_MAX: u64 = 1 << 30;

pub(super) fn merge(program: &str, args: &args::Merge) -> Result<Exit, Failure> {
    let results = read_all(&args.results)?;
    let builds = builds(&results);
    let summary = merge_all(results)?;
    if let Some(warning) = builds {
        terminal::complain(&warning);
    }
    let again = Again::Command(program);
    match &args.out {
        None => terminal::say(&format(&summary, args.format, terminal::paint_on_stdout(), again)),
        Some(out) => {
            let text = format(&summary, args.format, Paint::Plain, again);
            write_whole(out, &text).map_err(|error| {
                Failure(format!("error: {} cannot be written: {error}", printable_path(out)))
            })?;
        }
    }
    Ok(match (Exit::of(&summary), summary.interrupted) {
        // what was not run proves nothing
        (Exit::Held, Some(_)) => Exit::Inconclusive,
        (exit, _) => exit,
    })
}

/// Whether the shards were run by different programs: of the same code, built twice, or of other code.
fn builds(results: &[(String, Summary)]) -> Option<String> {
    let shards = results.iter().filter_map(|(file, summary)| Some((file, summary.shard.as_ref()?)));
    let mut built = shards.filter_map(|(file, shard)| Some((file, shard.build.as_ref()?)));
    let (first, build) = built.next()?;
    let (other, _) = built.find(|(_, other)| *other != build)?;
    Some(format!(
        "warning: {} and {} were run by different builds; if these are not of the same commit, run all shards again",
        printable(first),
        printable(other)
    ))
}

/// The results that `paths` mean. In a folder reproducers may lie beside them, as CI keeps both.
fn read_all(paths: &[PathBuf]) -> Result<Vec<(String, Summary)>, Failure> {
    let mut results = Vec::new();
    for path in paths {
        if !path.is_dir() {
            results.push(read(path)?.map_err(|wrong| refused(path, &wrong))?);
            continue;
        }
        let before = results.len();
        for file in
            files::find(std::slice::from_ref(path)).map_err(|error| nothing_in(path, error))?
        {
            match read(&file)? {
                Ok(result) => results.push(result),
                Err(NotAResult::Reproducer) => {}
                Err(wrong) => return Err(refused(&file, &wrong)),
            }
        }
        if results.len() == before {
            return Err(nothing_in(path, "it has reproducers only"));
        }
    }
    Ok(results)
}

fn nothing_in(folder: &Path, why: impl std::fmt::Display) -> Failure {
    Failure(format!(
        "error: there is no result in the folder {} ({why}); results are files that `run --format json` wrote, and end in .json",
        printable_path(folder)
    ))
}

fn refused(file: &Path, wrong: &NotAResult) -> Failure {
    Failure(format!("error: {}: {wrong}", printable_path(file)))
}

type Read = Result<(String, Summary), NotAResult>;

fn read(file: &Path) -> Result<Read, Failure> {
    let shown = printable_path(file);
    let bytes = files::read_whole(file, FILE_BYTES_MAX).map_err(|error| {
        let why = match error {
            Unreadable::Folder => "is a folder".to_owned(),
            Unreadable::NotAFile(what) => format!("is {what}, not a file"),
            Unreadable::TooLarge => {
                format!("has more than {FILE_BYTES_MAX} bytes, which no result has")
            }
            Unreadable::Io(error) => error.to_string(),
        };
        Failure(format!("error: {shown}: {why}; name results that `run --format json` wrote"))
    })?;
    Ok(report::json::read(&bytes).map(|summary| (file.display().to_string(), summary)))
}
