//! `onceproof show`: a page for a browser, of one run, or of what a campaign printed as JSON.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{
    args,
    exit::{Exit, Failure},
    load::render,
    terminal,
};
use crate::{
    base::{
        Seed,
        printable::{printable, printable_path},
    },
    explore::{Campaign, Replayed, Strategy, Unfinished},
    report::{
        self,
        page::{self, Ending, NotPrinted, Passing, Printed, Trace},
        text::quoted,
    },
    scenario::{
        self,
        plan::Scenario,
        reproducer::{Reproducer, ReproducerError},
    },
    subject::Subject,
};

/// Larger than what any campaign prints.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// The page of a campaign, in the folder of its reproducers.
const INDEX: &str = "index.html";

/// Makes the page that is asked for; ends well if it could be made, whatever it shows.
pub(super) fn show(program: &str, subject: &Subject, args: &args::Show) -> Result<Exit, Failure> {
    let (page, path) = match (&args.run.file, &args.run.scenario, args.run.seed) {
        (Some(file), ..) => match json(file)? {
            Some((value, Printed::Report)) => {
                let bugs = args.bugs.as_deref().map(bugs).transpose()?;
                let path = target(args, &file.with_extension("html"));
                (campaign(&path, file, Some(&value), bugs.as_ref()), path)
            }
            Some((value, Printed::Bugs)) => {
                let path = target(args, &file.with_extension("html"));
                (campaign(&path, file, None, Some(&value)), path)
            }
            None => {
                let page = of_reproducer(program, subject, file, args.run.run_limit)?;
                (page, target(args, &file.with_extension("html")))
            }
        },
        (None, Some(file), Some(seed)) => {
            let page = of_seed(program, subject, file, Seed(seed), args)?;
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let name = Path::new("onceproof-out").join(format!("{stem}-{seed}.html"));
            (page, target(args, &name))
        }
        _ => return Err(Failure("error: give a file, or --scenario with --seed".into())),
    };
    if path.as_os_str() == "-" {
        terminal::write(&page)?;
        return Ok(Exit::Held);
    }
    write(&path, &page)?;
    terminal::say(&format!("page: {}\n", printable_path(&path)));
    Ok(Exit::Held)
}

fn target(args: &args::Show, usual: &Path) -> PathBuf {
    args.out.clone().unwrap_or_else(|| usual.to_owned())
}

/// The pages of a run's failures, each beside its reproducer; what cannot be made is a warning.
pub(super) fn beside(
    program: &str,
    subject: &Subject,
    report: &mut crate::explore::outcome::ScenarioReport,
    run_limit: Duration,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for row in &mut report.violations {
        let Some(file) = row.reproducer.as_ref().map(PathBuf::from) else { continue };
        let path = file.with_extension("html");
        let made =
            of_reproducer(program, subject, &file, run_limit).and_then(|page| write(&path, &page));
        match made {
            Ok(()) => row.page = Some(path.display().to_string()),
            Err(Failure(why)) => {
                let why = why.strip_prefix("error: ").unwrap_or(&why).to_owned();
                warnings.push(format!("the page {} cannot be made: {why}", printable_path(&path)));
            }
        }
    }
    warnings
}

/// The page of a campaign, in the folder of its reproducers, of the JSON that it would print.
pub(super) fn index(folder: &Path, json: &str) -> Result<PathBuf, Failure> {
    let report: Value = serde_json::from_str(json)?;
    let path = folder.join(INDEX);
    let page = campaign(&path, Path::new("this run"), Some(&report), None);
    write(&path, &page)?;
    Ok(path)
}

/// What JSON of ours a file has; none if it may be a reproducer.
fn json(file: &Path) -> Result<Option<(Value, Printed)>, Failure> {
    // what is no file, or cannot be read, is refused as a reproducer would be
    let Ok(bytes) = read(file) else { return Ok(None) };
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { return Ok(None) };
    match page::printed(&value) {
        Ok(printed) => Ok(Some((value, printed))),
        Err(NotPrinted::SomethingElse) => Ok(None),
        Err(why) => Err(refused(file, &why)),
    }
}

fn bugs(file: &Path) -> Result<Value, Failure> {
    let failed = |error: &dyn std::fmt::Display| refused(file, error);
    let bytes = read(file).map_err(|error| failed(&error))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
    match page::printed(&value) {
        Ok(Printed::Bugs) => Ok(value),
        Ok(Printed::Report) => {
            Err(failed(&"is what `run` prints; --bugs wants what `bugs --format json` prints"))
        }
        Err(why) => Err(failed(&why)),
    }
}

fn refused(file: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure(format!("error: {}: {}", printable_path(file), printable(&why.to_string())))
}

/// A whole file, unless it may never end.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("is not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn of_reproducer(
    program: &str,
    subject: &Subject,
    file: &Path,
    run_limit: Duration,
) -> Result<String, Failure> {
    let recorded = Reproducer::read(file).map_err(|error| match error {
        ReproducerError::SomethingElse { .. } => refused(file, &NotPrinted::SomethingElse),
        other => other.into(),
    })?;
    let scenario = &recorded.scenario;
    let deployment = subject.deployment_of(scenario)?;
    subject.recognizes(scenario, &deployment)?;
    let campaign =
        Campaign { run_limit, ..Campaign::new(&recorded.file, subject, &deployment, scenario) };
    let file = quoted(&file.display().to_string());
    let run = Run {
        campaign: &campaign,
        seed: recorded.seed,
        recorded: Some(&recorded),
        command: format!("{} replay {file}", quoted(program)),
        demands: demands(subject),
    };
    Ok(run.page(campaign.replay(recorded.seed, &recorded.tape)))
}

fn of_seed(
    program: &str,
    subject: &Subject,
    file: &Path,
    seed: Seed,
    args: &args::Show,
) -> Result<String, Failure> {
    let mut scenario = scenario::load(file, &subject.catalog()?).map_err(render)?;
    let mut command = format!(
        "{} replay --scenario {} --seed {seed}",
        quoted(program),
        quoted(&file.display().to_string())
    );
    if args.run.strategy != Strategy::default() {
        command.push_str(&format!(" --strategy {}", args.run.strategy.name()));
    }
    if args.run.always_replay {
        scenario.plan.set_always_replay();
        command.push_str(" --always-replay");
    }
    let deployment = subject.deployment_of(&scenario)?;
    let name = file.display().to_string();
    let (run_limit, strategy) = (args.run.run_limit, args.run.strategy);
    let campaign =
        Campaign { run_limit, strategy, ..Campaign::new(&name, subject, &deployment, &scenario) };
    let run = Run { campaign: &campaign, seed, recorded: None, command, demands: demands(subject) };
    Ok(run.page(campaign.replay_seed(seed)))
}

/// A run of which a page is made.
struct Run<'a> {
    campaign: &'a Campaign<'a>,
    seed: Seed,
    recorded: Option<&'a Reproducer>,
    command: String,
    /// What each oracle demands.
    demands: BTreeMap<String, String>,
}

/// What each oracle demands, by name.
fn demands(subject: &Subject) -> BTreeMap<String, String> {
    let oracles = subject.all_oracles();
    oracles.map(|oracle| (oracle.name().to_owned(), oracle.summary().to_owned())).collect()
}

impl Run<'_> {
    fn page(&self, came: Result<Replayed, Box<Unfinished>>) -> String {
        let replayed = match came {
            Ok(replayed) => replayed,
            Err(run) => return self.unfinished(&run),
        };
        let violation = match self.recorded {
            Some(recorded) => {
                replayed.violations.iter().find(|v| v.oracle == recorded.verdict.oracle)
            }
            None => None,
        };
        let violation = violation.or_else(|| replayed.violations.first());
        // the one that is meant comes first
        let mut violations = replayed.violations.clone();
        violations.sort_by_key(|v| violation.is_none_or(|first| first.oracle != v.oracle));
        let explained =
            violation.and_then(|violation| self.campaign.explain(self.seed, &replayed, violation));
        let nearest = explained.as_ref().and_then(|explained| explained.nearest.as_ref());
        let notes = self.notes(&replayed);
        let ending = match replayed.inconclusive {
            Some((bound, limit)) => Ending::Bound(bound, limit),
            None => Ending::Rest,
        };
        page::trace(&Trace {
            history: &replayed.history,
            digest: replayed.digest,
            violations: &violations,
            ending,
            why: explained.as_ref().map(|explained| &explained.why),
            passing: nearest.map(|n| Passing { without: &n.without, history: &n.history }),
            notes: &notes,
            ..self.trace()
        })
    }

    /// What came out otherwise than it was recorded.
    fn notes(&self, replayed: &Replayed) -> Vec<String> {
        let Some(recorded) = self.recorded else { return Vec::new() };
        let wanted = &recorded.verdict.oracle;
        let fails = replayed.violations.iter().any(|violation| violation.oracle == *wanted);
        match (fails, replayed.digest == recorded.digest, replayed.stale.first()) {
            (_, true, _) => Vec::new(),
            (true, false, _) => {
                vec!["it still fails, with another history than recorded".to_owned()]
            }
            (false, _, None) => vec![format!("it no longer fails: {wanted} was not violated")],
            (false, _, Some(stale)) => {
                vec![format!("stale: the recorded decisions no longer fit these services: {stale}")]
            }
        }
    }

    fn unfinished(&self, run: &Unfinished) -> String {
        let why = report::explain::unfinished(run).sentence();
        let (history, digest) = (&run.history, run.history.digest());
        page::trace(&Trace { history, digest, ending: Ending::Unfinished(&why), ..self.trace() })
    }

    /// What is known before anything ran.
    fn trace(&self) -> Trace<'_> {
        let scenario: &Scenario = self.campaign.scenario;
        static NOTHING: std::sync::LazyLock<crate::history::History> =
            std::sync::LazyLock::new(crate::history::History::new);
        Trace {
            title: &scenario.title,
            about: &scenario.why,
            file: self.campaign.name,
            seed: self.seed,
            history: &NOTHING,
            digest: crate::base::Digest(0),
            violations: &[],
            ending: Ending::Rest,
            demands: &self.demands,
            expected: scenario.must_violate.as_deref(),
            why: None,
            passing: None,
            notes: &[],
            command: &self.command,
        }
    }
}

/// The page of a campaign, with links to the pages of failures that are there.
fn campaign(path: &Path, file: &Path, report: Option<&Value>, bugs: Option<&Value>) -> String {
    let from = path.parent().unwrap_or(Path::new(""));
    let mut links = BTreeMap::new();
    for reproducer in report.map(page::reproducers).unwrap_or_default() {
        let as_named = Path::new(&reproducer).with_extension("html");
        let beside = as_named.file_name().map(|name| from.join(name));
        // a report that was carried elsewhere has its pages beside it
        let there = [Some(as_named), beside].into_iter().flatten().find(|page| is_page(page));
        if let Some(href) = there.and_then(|page| relative(from, &page)) {
            links.insert(reproducer, href);
        }
    }
    let name = file.display().to_string();
    page::campaign(&page::Campaign { name: &name, report, bugs, links: &links })
}

/// How a browser gets from a page in the folder `from` to `to`: a path, with what has a meaning in addresses escaped.
fn relative(from: &Path, to: &Path) -> Option<String> {
    // there is no absolute path of nothing
    let from = if from.as_os_str().is_empty() { Path::new(".") } else { from };
    let here = std::path::absolute(from).ok()?;
    let there = std::path::absolute(to).ok()?;
    let (here, there): (Vec<Component<'_>>, Vec<_>) =
        (here.components().collect(), there.components().collect());
    let common = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), here.len() - common);
    let down = there[common..].iter().map(|part| encoded(&part.as_os_str().to_string_lossy()));
    Some(format!("./{}", up.chain(down).collect::<Vec<_>>().join("/")))
}

/// A name as a part of an address.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Whether there is a page of ours at `path`.
fn is_page(path: &Path) -> bool {
    let mut head = Vec::new();
    let is_file = fs::metadata(path).is_ok_and(|about| about.is_file());
    let opened = is_file.then(|| fs::File::open(path));
    let read = opened.and_then(Result::ok).map(|file| file.take(256).read_to_end(&mut head));
    read.is_some_and(|read| read.is_ok()) && page::is_page(&head)
}

/// Writes a page: whole or not at all, and in no other file's place than an older page's.
fn write(path: &Path, page: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| refused(path, &error);
    if path.exists() && !is_page(path) {
        return Err(refused(
            path,
            &"there is something else of this name; say with --out where the page goes",
        ));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".onceproof-").suffix(".unfinished");
    #[cfg(unix)]
    {
        // as any other file: for whom, the umask says
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(page.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_from_the_page_to_the_other() {
        for (from, to, expected) in [
            ("", "out/a.html", "./out/a.html"),
            ("out", "out/a b#%.html", "./a%20b%23%25.html"),
            ("x/y", "out/a.html", "./../../out/a.html"),
            ("out", "out/javascript:alert(1).html", "./javascript%3Aalert%281%29.html"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_page_takes_the_place_of_an_older_page_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/a.html");
        let page = page::campaign(&page::Campaign {
            name: "r",
            report: None,
            bugs: None,
            links: &BTreeMap::new(),
        });
        for _ in 0..2 {
            write(&path, &page).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("a page"), page);
        }
        let other = folder.path().join("notes.html");
        fs::write(&other, "mine").expect("a file");
        let Failure(why) = write(&other, &page).expect_err("refused");
        assert!(why.contains("something else of this name"), "{why}");
        assert_eq!(fs::read_to_string(&other).expect("as it was"), "mine");
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("a folder").count(), 1);
    }
}
