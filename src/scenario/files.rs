//! Scenario files on disk: finding and loading them.
//!
//! Must not know: what is in them.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{catalog::Catalog, diagnostic::Diagnostics, parse_at, plan::Scenario};
use crate::base::printable::printable_path as shown;

/// A scenario file is written by people: one that is larger is something else.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The schema lies beside the scenarios and is not one.
const SCHEMA_FILE: &str = "scenario.schema.json";

/// Why a scenario file could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing at this path.
    #[error("{}: no such file or folder{}", shown(.path), .hint.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
    Missing {
        /// As it was given.
        path: PathBuf,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// A file is needed, and this is a folder.
    #[error("{}: is a folder; name a file in it", shown(.0))]
    Folder(PathBuf),
    /// A pipe, a device or the like: it may never end.
    #[error("{}: is {what}, not a file; write the scenario into a file first", shown(.path))]
    NotAFile {
        /// As it was given.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A folder without a scenario.
    #[error("{}: there is no scenario in this folder; scenarios are files that end in .json", shown(.0))]
    NoScenario(PathBuf),
    /// Not text.
    #[error("{}: line {line} is not UTF-8 text; save the file as UTF-8", shown(.path))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first line that is not text, from 1.
        line: usize,
    },
    /// Larger than any scenario.
    #[error("{}: has more than {FILE_BYTES_MAX} bytes, which no scenario has", shown(.0))]
    TooLarge(PathBuf),
    /// The operating system says no.
    #[error("{}: {source}", shown(.path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The file is read, and wrong.
    #[error("{0}")]
    Invalid(Diagnostics),
}

/// Reads and resolves the scenario file at `path`.
///
/// # Errors
/// If it cannot be read, or is not a valid scenario.
pub fn load(path: &Path, catalog: &Catalog) -> Result<Scenario, LoadError> {
    load_at(path, catalog, None)
}

/// Reads and resolves the scenario file at `path`, for a run that begins when a clock shows `start_unix_ms`: dates that
/// the file counts from the start (`{date+30d}`) count from there. None: from the beginning of 2026.
///
/// # Errors
/// If it cannot be read, or is not a valid scenario.
pub fn load_at(
    path: &Path,
    catalog: &Catalog,
    start_unix_ms: Option<u64>,
) -> Result<Scenario, LoadError> {
    let name = path.display().to_string();
    parse_at(&name, &read(path)?, catalog, start_unix_ms).map_err(LoadError::Invalid)
}

/// The text of the scenario file at `path`.
///
/// # Errors
/// If it cannot be read, or is no text of a scenario's size.
pub fn read(path: &Path) -> Result<String, LoadError> {
    let bytes = read_whole(path, FILE_BYTES_MAX).map_err(|error| match error {
        Unreadable::Folder => LoadError::Folder(path.to_owned()),
        Unreadable::NotAFile(what) => LoadError::NotAFile { path: path.to_owned(), what },
        Unreadable::TooLarge => LoadError::TooLarge(path.to_owned()),
        Unreadable::Io(source) => failed(path, source),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let text_until = error.utf8_error().valid_up_to();
        let newlines = error.as_bytes()[..text_until].iter().filter(|b| **b == b'\n').count();
        LoadError::NotUtf8 { path: path.to_owned(), line: newlines + 1 }
    })
}

/// Why a file was not read whole.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Folder,
    /// What it is instead.
    NotAFile(&'static str),
    TooLarge,
    Io(io::Error),
}

/// The bytes of a file, if it is one and has at most `most` of them. What may never end, or never begin, is not opened.
pub(crate) fn read_whole(path: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
    let meta = fs::metadata(path).map_err(Unreadable::Io)?;
    if meta.is_dir() {
        return Err(Unreadable::Folder);
    }
    if !meta.is_file() {
        return Err(Unreadable::NotAFile(kind(meta.file_type())));
    }
    if meta.len() > most {
        return Err(Unreadable::TooLarge);
    }
    let mut bytes = Vec::new();
    // a file may grow while it is read, and some that the kernel makes up have no length
    let file = fs::File::open(path).map_err(Unreadable::Io)?;
    let read = file.take(most + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
    if read as u64 > most { Err(Unreadable::TooLarge) } else { Ok(bytes) }
}

#[cfg(unix)]
fn kind(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn kind(_: fs::FileType) -> &'static str {
    "something else"
}

/// The scenario files that `paths` mean: a file itself, a folder's `.json` files, at any depth, sorted.
///
/// The schema, hidden files and folders, and links to folders are left out. No file comes twice.
///
/// # Errors
/// If a path does not exist or cannot be read, or a folder has no scenario.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        let meta = fs::metadata(path).map_err(|source| failed(path, source))?;
        let mut files = Vec::new();
        if meta.is_dir() {
            walk(path, &mut files)?;
            if files.is_empty() {
                return Err(LoadError::NoScenario(path.clone()));
            }
            files.sort();
        } else {
            files.push(path.clone());
        }
        found.extend(files.into_iter().filter(|file| seen.insert(file.clone())));
    }
    Ok(found)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        let kind = entry.file_type().map_err(|source| failed(&path, source))?;
        if name.starts_with('.') || name == SCHEMA_FILE {
            continue;
        }
        if kind.is_dir() {
            walk(&path, files)?;
        } else if name.ends_with(".json") && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> LoadError {
    if source.kind() == io::ErrorKind::NotFound {
        return LoadError::Missing { path: path.to_owned(), hint: neighbour(path) };
    }
    LoadError::Io { path: path.to_owned(), source }
}

/// What is there instead of `path`.
fn neighbour(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Some(format!("the folder {} does not exist either", shown(folder)));
    }
    let mut there: Vec<String> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    there.sort();
    let near = super::suggest::nearest(name, there.iter().map(String::as_str))?;
    let near = parent.map_or(PathBuf::from(near), |parent| parent.join(near));
    Some(format!("did you mean {}?", shown(&near)))
}
