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
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::Target,
        choice::Rate,
        scenario::plan::{
            Action, CrashPoint, EntryKind, Fault, FaultName, Millis, OpeningState, Plan, Side,
            Step, SystemPlan, Wait,
        },
    };

    fn scenario(plan: Plan) -> Scenario {
        Scenario {
            title: "book twice".to_owned(),
            why: String::new(),
            plan,
            invariants: vec!["booked_at_most_once".to_owned()],
            must_violate: None,
            expect: Vec::new(),
            runs: 100,
        }
    }

    fn example() -> Reproducer {
        let steps = vec![Step {
            request: "book".to_owned(),
            step: "book".to_owned(),
            action: Action::Call {
                target: Target::new("Bookings", "b-1", "Book"),
                body: r#"{"nights":2}"#.to_owned(),
                idempotency_key: None,
                from: None,
                headers: BTreeMap::new(),
            },
            when: None,
            at_ms: Millis { from: 0, to: 5 },
            after: None,
        }];
        Reproducer::new(
            "scenarios/book twice.json".to_owned(),
            scenario(Plan { steps, ..Plan::default() }),
            Seed(42),
            Tape::new(BTreeMap::from([("crash @ Bookings/b-1".to_owned(), 1)])),
            ReproducedVerdict {
                oracle: "booked_at_most_once".to_owned(),
                message: "b-1 was booked twice".to_owned(),
            },
            Digest(7),
        )
    }

    /// What `read` says about this text, the folder left out.
    fn refusal(text: &str) -> String {
        let path = Path::new("r.json");
        let error = Reproducer::from_json(path, text.as_bytes()).expect_err("it must be refused");
        error.to_string()
    }

    #[test]
    fn a_written_file_is_read_back_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let out = dir.path().join("out/deep");
        let reproducer = example();
        let path = reproducer.write(&out).expect("writable");
        assert_eq!(path, out.join("book_twice-booked_at_most_once-42.json"));
        assert_eq!(Reproducer::read(&path).expect("readable"), reproducer);
        assert_eq!(reproducer.write(&out).expect("writable again"), path);
        assert_eq!(fs::read_dir(&out).expect("a folder").count(), 1);
        let text = fs::read_to_string(&path).expect("text");
        assert!(is_reproducer(&text) && !is_reproducer("{}") && !is_reproducer(&text[1..]));
    }

    #[test]
    fn no_reproducer_takes_anothers_place_whoever_writes_at_the_same_time() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // two of each: files of one stem, as scenarios of two folders and runs of two versions have them
        let each = |n: u64| Reproducer { digest: Digest(u128::from(n / 2)), ..example() };
        let start = std::sync::Barrier::new(16);
        let write = |n| {
            start.wait();
            let mut reproducer = each(n);
            reproducer.checksum = reproducer.sum();
            (reproducer.write(dir.path()).expect("writable"), reproducer)
        };
        let written: Vec<(PathBuf, Reproducer)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|n| {
                    scope.spawn({
                        let write = &write;
                        move || write(n)
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().expect("it wrote")).collect()
        });
        for (path, reproducer) in &written {
            assert_eq!(Reproducer::read(path).expect("readable"), *reproducer, "{path:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 8);
        assert!(dir.path().join("book_twice-booked_at_most_once-42.8.json").exists());
    }

    #[test]
    fn any_words_make_a_name_that_a_file_system_takes() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for file in
            ["s/\u{1b}]0;x\u{7}\n\u{202e}.json", "..", "", &"\u{65e5}".repeat(300), "a/../b c.json"]
        {
            let mut reproducer = Reproducer { file: file.to_owned(), ..example() };
            reproducer.verdict.oracle = "\u{1d400}".repeat(300);
            let path = reproducer.write(dir.path()).expect(file);
            assert_eq!(path.parent(), Some(dir.path()));
            let name = path.file_name().and_then(|name| name.to_str()).expect("text");
            assert_eq!(printable(name), name);
        }
    }

    #[test]
    fn what_may_never_end_is_not_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let told = |path: &Path| Reproducer::read(path).expect_err("refused").to_string();
        assert!(told(dir.path()).contains("is a folder, not a file"));
        let large = dir.path().join("large.json");
        fs::File::create(&large).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        assert!(told(&large).contains("has more than 268435456 bytes"));
        #[cfg(unix)]
        {
            assert!(told(Path::new("/dev/zero")).contains("/dev/zero: is a device, not a file"));
            let socket = dir.path().join("socket");
            let _bound = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
            assert!(told(&socket).contains("is a socket, not a file"));
        }
    }

    #[test]
    fn other_files_are_refused_with_a_way_out() {
        let text = example().to_json();
        let edited = |from: &str, to: &str| {
            assert!(text.contains(from), "{from} is not in {text}");
            text.replacen(from, to, 1)
        };
        for (file, said) in [
            (String::new(), "r.json:1:0: EOF while parsing a value"),
            ("{\n  \"version\": 2,\n  oops".to_owned(), "r.json:3:3: key must be a string"),
            ("{}".to_owned(), "is not a reproducer: it lacks `version`"),
            ("[1]".to_owned(), "is not a reproducer: it lacks `version`"),
            (
                "// a comment\n{ \"title\": \"a\", \"steps\": [] }".to_owned(),
                "r.json: is a scenario, not a reproducer; run it with `onceproof run r.json`",
            ),
            ("{ \"title\": \"a\", \"steps\": [] }".to_owned(), "is a scenario"),
            (
                edited("\"version\": 2", "\"version\": 1"),
                concat!("has format version 1 (written by onceproof ", env!("CARGO_PKG_VERSION")),
            ),
            (edited("\"version\": 2", "\"version\": \"x\""), "has format version \"x\""),
            (edited("\"seed\": 42", "\"seed\": 43"), "was changed after it was written"),
            (
                edited("\"seed\": 42", "\"seed\": 43"),
                "`onceproof run scenarios/book twice.json --seed 43`",
            ),
            (edited("Bookings/b-1", "Bookings/b-2"), "was changed"),
            (edited("booked twice", "booked thrice"), "was changed"),
            (edited("\"seed\": 42", "\"seed\": -1"), "invalid value: integer `-1`"),
            (edited("\"seed\"", "\"sead\""), "unknown field `sead`"),
        ] {
            let refusal = refusal(&file);
            assert!(refusal.contains(said), "{refusal}\nmust say\n{said}");
        }
        // White space is not content.
        let folded = text.replace("\n  ", " ");
        assert!(Reproducer::from_json(Path::new("r.json"), folded.as_bytes()).is_ok());
        let missing = Reproducer::read(Path::new("nowhere/r.json")).expect_err("not there");
        assert_eq!(missing.to_string(), "nowhere/r.json: no such file");
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let action = prop_oneof![
            (any::<[String; 4]>(), any::<Option<String>>(), any::<Option<String>>()).prop_map(
                |([s, k, h, body], idempotency_key, from)| {
                    let target = Target::new(&s, &k, &h);
                    let headers = BTreeMap::from([(s, k)]);
                    Action::Call { target, body, idempotency_key, from, headers }
                }
            ),
            (any::<[String; 4]>(), any::<Option<String>>(), any::<u64>()).prop_map(
                |([s, k, h, body], idempotency_key, delay_ms)| {
                    let target = Target::new(&s, &k, &h);
                    let headers = BTreeMap::new();
                    Action::Send { target, body, idempotency_key, headers, delay_ms }
                }
            ),
            (any::<[String; 2]>(), any::<u32>()).prop_map(|([request, body], awakeable)| {
                Action::Resolve { request, awakeable, body }
            }),
            (any::<String>(), any::<String>()).prop_map(|(path, body)| {
                let (method, headers) = ("PUT".to_owned(), [("a".to_owned(), path.clone())].into());
                Action::Http { method, path, headers, body }
            }),
            any::<String>().prop_map(|request| Action::Attach { request }),
            any::<String>().prop_map(|request| Action::Cancel { request }),
            any::<String>().prop_map(|request| Action::Kill { request }),
        ];
        let step = (any::<[String; 2]>(), action, any::<[u64; 2]>(), any::<Option<String>>());
        let step = step.prop_map(|([request, step], action, [from, to], after)| Step {
            request,
            step,
            action,
            when: after.clone().map(|kind| Wait::Effects { kind, fields: None, count: from }),
            at_ms: Millis { from, to },
            after,
        });
        proptest::collection::vec(step, 0..4)
    }

    proptest! {
        #[test]
        fn every_reproducer_survives_its_text(
            words in any::<[String; 5]>(),
            numbers in any::<(u64, u128, u32, i64)>(),
            picks in proptest::collection::btree_map(any::<String>(), any::<u32>(), 0..5),
            steps in steps(),
        ) {
            let [file, invariant, message, name, other] = words;
            let (seed, digest, ppm, number) = numbers;
            let mut plan = Plan { steps, ..Plan::default() };
            plan.services.insert(name.clone(), other.clone());
            let config = serde_json::json!({ &name: number });
            plan.world.insert(name.clone(), SystemPlan { config, ..SystemPlan::default() });
            plan.state.push(OpeningState {
                service: name.clone(),
                key: other.clone(),
                name: name.clone(),
                value: serde_json::json!([number, null]),
            });
            let rate = Rate::from_ppm(ppm % 1_000_001);
            plan.faults.rates.insert(FaultName::BuiltIn(Fault::CrashInRun), rate);
            plan.faults.rates.insert(FaultName::Own(format!("{name}.{other}")), rate);
            plan.faults.up_to_ms.insert(FaultName::BuiltIn(Fault::Outage), seed);
            plan.faults.crash_at.push(CrashPoint {
                service: name.clone(),
                key: "*".to_owned(),
                handler: name.clone(),
                side: Side::Before,
                entry: EntryKind::Run,
                name,
            });
            let verdict = ReproducedVerdict { oracle: invariant, message };
            let written = Reproducer::new(
                file, scenario(plan), Seed(seed), Tape::new(picks), verdict, Digest(digest),
            );
            let read = Reproducer::from_json(Path::new("r"), written.to_json().as_bytes());
            prop_assert_eq!(read.expect("it was just written"), written);
        }
    }
}
