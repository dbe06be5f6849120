//! A failure as a file: what ran, every decision that mattered, and what came of it.
//!
//! Must not know: how a run is repeated.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    files::{Unreadable, read_whole},
    plan::Scenario,
};
use crate::{
    base::{
        Digest, Seed,
        printable::{printable, printable_json, printable_path as shown},
    },
    choice::Tape,
};

/// The version of the file's format.
const VERSION: u32 = 2;
/// Larger than what any scenario within its bounds resolves to.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Bytes that each word of a file's name may have: file systems take 255 in all.
const WORD_BYTES_MAX: usize = 80;

/// One failing run, whole: it needs neither its scenario file nor its seed to be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reproducer {
    /// The version of the file's format: 2.
    pub version: u32,
    /// The version of onceproof that wrote it.
    pub onceproof: String,
    /// The scenario file, for people.
    pub file: String,
    /// What ran, and what must hold of it.
    pub scenario: Scenario,
    /// The seed: of clock, entropy and ids. The decisions are on the tape.
    pub seed: Seed,
    /// The decisions.
    pub tape: Tape,
    /// What did not hold.
    pub verdict: ReproducedVerdict,
    /// The fingerprint of the whole history.
    pub digest: Digest,
    /// The fingerprint of all the above: a file that was edited is not what was seen to fail.
    pub checksum: Digest,
}

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReproducedVerdict {
    /// The oracle's name.
    pub oracle: String,
    /// What happened, in the domain's words.
    pub message: String,
}

/// Why a file is not a reproducer that can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum ReproducerError {
    /// There is nothing at this path.
    #[error("{}: no such file", shown(.0))]
    Missing(PathBuf),
    /// The operating system says no.
    #[error("{}: {source}", shown(.path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// A folder, a pipe, a device or the like: it may never end.
    #[error("{}: is {what}, not a file; name a file that `onceproof run` wrote", shown(.path))]
    NotAFile {
        /// As it was given.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Larger than any reproducer.
    #[error("{}: has more than {FILE_BYTES_MAX} bytes, which no reproducer has", shown(.0))]
    TooLarge(PathBuf),
    /// Not JSON, or not with the fields of a reproducer.
    #[error("{}:{line}:{column}: {message}; a reproducer is written by `onceproof run`, not by hand", shown(.path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is a scenario.
    #[error("{}: is a scenario, not a reproducer; run it with `onceproof run {}`", shown(.0), shown(.0))]
    Scenario(PathBuf),
    /// It is JSON, and something else.
    #[error("{}: is not a reproducer: it lacks `{lacks}`; reproducers are written by `onceproof run`", shown(.path))]
    SomethingElse {
        /// The file.
        path: PathBuf,
        /// A field that every reproducer has.
        lacks: &'static str,
    },
    /// Its format is another one.
    #[error(
        "{}: has format version {found} (written by onceproof {by}), this is onceproof {} with version {VERSION}; \
         replay it with onceproof {by}, or run its scenario again to write a new one",
        shown(.path), env!("CARGO_PKG_VERSION")
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: String,
        /// The version of onceproof that wrote it.
        by: String,
    },
    /// Its checksum does not fit.
    #[error(
        "{}: was changed after it was written (its checksum does not fit), so it may not show what was seen to fail; \
         restore the file, or write it again with `onceproof run {scenario} --seed {seed}`",
        shown(.path)
    )]
    Tampered {
        /// The file.
        path: PathBuf,
        /// The scenario it names.
        scenario: String,
        /// The seed it names.
        seed: Seed,
    },
}

impl Reproducer {
    /// A reproducer of the current version, sealed with its checksum.
    #[must_use]
    pub fn new(
        file: String,
        scenario: Scenario,
        seed: Seed,
        tape: Tape,
        verdict: ReproducedVerdict,
        digest: Digest,
    ) -> Self {
        let mut reproducer = Self {
            version: VERSION,
            onceproof: env!("CARGO_PKG_VERSION").to_owned(),
            file,
            scenario,
            seed,
            tape,
            verdict,
            digest,
            checksum: Digest(0),
        };
        reproducer.checksum = reproducer.sum();
        reproducer
    }

    /// The checksum that belongs to the other fields.
    fn sum(&self) -> Digest {
        let blank = Self { checksum: Digest(0), ..self.clone() };
        Digest::of(&serde_json::to_vec(&blank).expect("a reproducer is plain data"))
    }

    /// The file's text: JSON for people, with a final newline.
    ///
    /// # Panics
    /// Never: a reproducer can always be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a reproducer is plain data");
        text.push('\n');
        printable_json(text)
    }

    /// The name of its file, without `.json`: the scenario's, the oracle and the seed.
    #[must_use]
    pub fn file_name(&self) -> String {
        let stem = Path::new(&self.file).file_stem().unwrap_or_default().to_string_lossy();
        format!("{}-{}-{}", plain(&stem), plain(&self.verdict.oracle), self.seed)
    }

    /// Writes it into the folder `dir`, which is made if need be; answers with the file's path.
    ///
    /// The file is whole or not there, and takes no other's place: if something else has its name, it gets a number
    /// too, `NAME.2.json`. The same reproducer, written again, is the same file.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(dir)?;
        let text = self.to_json();
        let mut unfinished = unfinished(dir)?;
        unfinished.write_all(text.as_bytes())?;
        // some file systems say only now that they are full
        unfinished.as_file().sync_all()?;
        let name = self.file_name();
        for number in 1_u64.. {
            let path = dir.join(match number {
                1 => format!("{name}.json"),
                _ => format!("{name}.{number}.json"),
            });
            match unfinished.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                    let is_this = read_whole(&path, FILE_BYTES_MAX);
                    if is_this.is_ok_and(|bytes| bytes == text.as_bytes()) {
                        return Ok(path);
                    }
                    unfinished = taken.file;
                }
                Err(other) => return Err(other.error),
            }
        }
        unreachable!("a folder has fewer files than there are numbers")
    }

    /// Reads the reproducer at `path`.
    ///
    /// # Errors
    /// If it cannot be read, is something else, has another version, or was changed by hand.
    pub fn read(path: &Path) -> Result<Self, ReproducerError> {
        let own = || path.to_owned();
        let bytes = read_whole(path, FILE_BYTES_MAX).map_err(|error| match error {
            Unreadable::Folder => ReproducerError::NotAFile { path: own(), what: "a folder" },
            Unreadable::NotAFile(what) => ReproducerError::NotAFile { path: own(), what },
            Unreadable::TooLarge => ReproducerError::TooLarge(own()),
            Unreadable::Io(source) if source.kind() == io::ErrorKind::NotFound => {
                ReproducerError::Missing(own())
            }
            Unreadable::Io(source) => ReproducerError::Io { path: own(), source },
        })?;
        Self::from_json(path, &bytes)
    }

    /// The reproducer in `bytes`; `path` is only named in errors.
    fn from_json(path: &Path, bytes: &[u8]) -> Result<Self, ReproducerError> {
        let malformed = |error: &serde_json::Error| ReproducerError::Malformed {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            message: printable(&reason(error)).into_owned(),
        };
        let value: serde_json::Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            // A scenario may have comments, which plain JSON has not.
            Err(_) if is_scenario(&String::from_utf8_lossy(bytes)) => {
                return Err(ReproducerError::Scenario(path.to_owned()));
            }
            Err(error) => return Err(malformed(&error)),
        };
        if value.get("steps").is_some() && value.get("tape").is_none() {
            return Err(ReproducerError::Scenario(path.to_owned()));
        }
        if let Some(lacks) = MARKS.iter().find(|name| value.get(name).is_none()) {
            return Err(ReproducerError::SomethingElse { path: path.to_owned(), lacks });
        }
        if value["version"] != VERSION {
            let found = printable(&value["version"].to_string()).into_owned();
            let by = value["onceproof"].as_str().unwrap_or("of unknown version");
            let by = printable(by).into_owned();
            return Err(ReproducerError::OtherVersion { path: path.to_owned(), found, by });
        }
        let reproducer: Self = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
        if reproducer.checksum != reproducer.sum() {
            return Err(ReproducerError::Tampered {
                path: path.to_owned(),
                scenario: printable(&reproducer.file).into_owned(),
                seed: reproducer.seed,
            });
        }
        Ok(reproducer)
    }
}

/// The fields by which a reproducer of any version is recognised.
const MARKS: &[&str] = &["version", "onceproof", "tape"];

/// True if `text` looks like a reproducer, of whatever version.
#[must_use]
pub fn is_reproducer(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|value| MARKS.iter().all(|name| value.get(name).is_some()))
}

fn is_scenario(text: &str) -> bool {
    super::syntax::parse(text, &mut Vec::new()).is_some_and(|tree| tree.member("steps").is_some())
}

/// An error of the JSON reader without its position, which is told apart.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// A hidden file in `dir`, gone again unless it is kept.
fn unfinished(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".onceproof-").suffix(".unfinished");
    #[cfg(unix)]
    {
        // as any other file: for whom, the umask says
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}

/// A word that every file system takes in a file's name.
fn plain(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut word = String::new();
    for c in name.chars().map(|c| if plain(c) { c } else { '_' }) {
        if word.len() + c.len_utf8() > WORD_BYTES_MAX {
            break;
        }
        word.push(c);
    }
    if word.is_empty() { "scenario".to_owned() } else { word }
}

#[cfg(test)]
mod tests;
