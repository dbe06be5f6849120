//! The arguments.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use super::shard::ShardArg;
use crate::explore::{Bound, SHRINK_RUNS, Strategy, UnknownStrategy};
#[cfg(feature = "serve")]
use crate::live::IdentityKey;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Deterministic simulation testing for durable services on Restate.
#[derive(Debug, Parser)]
#[command(name = "onceproof", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 all held, 1 violated or ineffective, 2 bad scenario or usage or unwritable results, \
                  3 nondeterminism found, 4 inconclusive or interrupted."
)]
pub(super) struct Args {
    /// When to use colours; NO_COLOR is obeyed too.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
    /// Columns that lines are cut to, at least 40; 0: lines are whole [default: the terminal's; else COLUMNS; else whole].
    #[arg(long, global = true, value_name = "N", value_parser = columns)]
    pub(super) width: Option<usize>,
    #[command(subcommand)]
    pub(super) command: Command,
}

fn columns(text: &str) -> Result<usize, &'static str> {
    let hint = "expected a number of columns of at least 40, or 0 for whole lines";
    text.parse().ok().filter(|columns| *columns == 0 || *columns >= 40).ok_or(hint)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenario files and folders.
    Run(Run),
    /// Put the JSON results of all shards together, or show one result in another format.
    Merge(Merge),
    /// Run one failure again, event by event.
    Replay(Replay),
    /// Make a page for a browser: of one run, or of what `run --format json` printed.
    Show(Show),
    /// Make one failure as small as it can be, and say why it fails.
    Minimize(Minimize),
    /// Validate scenario files; run nothing.
    Check(Check),
    /// Host the services for a real Restate server.
    #[cfg(feature = "serve")]
    Serve(Serve),
    /// Write a first scenario for a service, ready to run.
    New(New),
    /// Print the JSON schema of scenario files, with which editors complete them; or the same as a page to read.
    Schema(Schema),
    /// List what scenarios can name: services and handlers, systems, effects, faults, oracles, planted bugs.
    List(List),
    /// Hunt every planted bug of the services, and say how soon each was found.
    Bugs(Bugs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Bugs {
    /// Only these classes, by number.
    #[arg(value_name = "CLASS")]
    pub(super) classes: Vec<u16>,
    /// Scenario files and folders in which planted bugs are looked for [default: those of the services].
    #[arg(long, value_name = "PATH")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Which order, and which of the faults, seeds try: some of `list`'s strategies, or `all` [default: portfolio].
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = strategies)]
    pub(super) strategy: Vec<Strategies>,
    /// In how many ranges of seeds, far from each other, each is hunted: the table has medians then [default: 1, or 5
    /// for several strategies].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) ranges: Option<u64>,
    /// Hunt with nothing but the twin: no oracle, and only faults that Restate hides.
    #[arg(long)]
    pub(super) twin: bool,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t = BugFormat::Text)]
    pub(super) format: BugFormat,
    /// Also put the table into this file, between its marks.
    #[arg(long, value_name = "FILE", conflicts_with = "classes")]
    pub(super) write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BugFormat {
    Text,
    Markdown,
    Json,
}

/// What one name stands for.
#[derive(Clone, Debug)]
pub(super) struct Strategies(pub(super) Vec<Strategy>);

fn strategies(name: &str) -> Result<Strategies, UnknownStrategy> {
    Ok(Strategies(match name {
        "all" => Strategy::all().map(|(strategy, _)| strategy).collect(),
        one => vec![one.parse()?],
    }))
}

#[derive(Debug, ClapArgs)]
pub(super) struct Run {
    /// Scenario files, and folders of them.
    #[arg(default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
    /// Seeds to run per scenario, from 0 [default: the scenario's own `runs`].
    #[arg(long, value_name = "N", conflicts_with = "seed")]
    pub(super) seeds: Option<NonZeroU64>,
    /// Run exactly this seed.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(..u64::MAX))]
    pub(super) seed: Option<u64>,
    /// Explore for about this long, in real time, instead of a number of seeds: `60s`, `10m`. Half of the time goes to all
    /// scenarios alike, half to those that show new things. The report says how many seeds each got.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["seed", "seeds", "exhaustive"])]
    pub(super) time: Option<Duration>,
    /// Run one of several parts of each scenario's seeds: `2/4` is the second of four; `auto`: as the variables of GitLab,
    /// CircleCI or Buildkite say; `auto/4`: of four, as `JOB_COMPLETION_INDEX` of a Kubernetes Indexed Job says too. `merge`
    /// puts the JSON results together.
    #[arg(long, value_name = "I/N", conflicts_with_all = ["seed", "time", "exhaustive", "buckets"])]
    pub(super) shard: Option<ShardArg>,
    /// Say which places in handlers the runs reached, and how likely more runs show anything new; `--time` does too.
    #[arg(long)]
    pub(super) coverage: bool,
    /// Which order, and which of the faults, seeds try: one of `list`'s strategies.
    #[arg(long, value_name = "NAME", default_value_t = Strategy::default())]
    pub(super) strategy: Strategy,
    /// Threads to use, at most 256 [default: one per core]. The result is the same for any number.
    #[arg(long, value_name = "J")]
    pub(super) jobs: Option<std::num::NonZeroUsize>,
    /// Have every await suspend and every resume replay the journal, whatever the scenarios say.
    #[arg(long)]
    pub(super) always_replay: bool,
    /// Try every place at which a fault can strike, each in a history of its own with at most so many faults: 1, 2, or
    /// kinds of which each may strike once: `crash,request_duplicated,cancel`. Everything else is as `--seed` has it [of
    /// the scenario's kinds of faults; if it has none, of the usual ones].
    #[arg(long, value_name = "FAULTS", conflicts_with_all = ["seeds", "strategy", "coverage", "buckets"])]
    pub(super) exhaustive: Option<Bound>,
    /// Compare each run in which only faults struck that Restate hides with runs without faults, whatever the scenarios say.
    #[arg(long)]
    pub(super) twin: bool,
    /// After how many seconds a scenario that still runs is named on stderr.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..1_000_000))]
    pub(super) slow_after: u64,
    /// How long one run may take, in real time: `500ms`, `10s`, `2m` [default: 10s]. The handler that does not come back is
    /// named then.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) run_limit: Option<Duration>,
    /// How many smaller runs are tried for each failure; 0: it is shown as it was found.
    #[arg(long, value_name = "N", default_value_t = SHRINK_RUNS)]
    pub(super) shrink_runs: u64,
    /// Make a few more failing seeds of each oracle smaller, and show one failure for each cause.
    #[arg(long)]
    pub(super) buckets: bool,
    /// Run the sample of runs that is compared within this process only, and start no second one.
    #[arg(long)]
    pub(super) one_process: bool,
    /// Say what a green is worth: run each scenario against every planted bug of the services that it reaches, and list
    /// which it catches. Planted bugs that it has itself are left out.
    #[arg(long, conflicts_with_all = ["seed", "time", "exhaustive", "coverage", "buckets"])]
    pub(super) mutants: bool,
    /// How to print the results.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Also write pages for a browser into the folder of reproducers: one beside each reproducer that is reported, and
    /// `index.html`.
    #[arg(long)]
    pub(super) html: bool,
    /// Also write the results to this file, whatever is printed: `json=result.json`, `junit=result.xml`; can be given several
    /// times.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_file)]
    pub(super) report: Vec<ReportFile>,
    /// Folder for reproducers.
    #[arg(long, value_name = "DIR", default_value = "onceproof-out")]
    pub(super) out: PathBuf,
    /// What to run on.
    #[cfg(feature = "serve")]
    #[command(flatten)]
    pub(super) live: Live,
}

/// What `run` needs for a real server.
#[cfg(feature = "serve")]
#[derive(Debug, ClapArgs)]
pub(super) struct Live {
    /// The runtime: the simulation, or a real Restate server, compared with it.
    #[arg(long, value_enum, default_value_t = On::Simulation)]
    pub(super) on: On,
    /// The ingress of the real server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(super) ingress: String,
    /// The admin API of the real server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9070")]
    pub(super) admin: String,
    /// The port on which to host the services for the real server [default: any that is free].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) serve_port: u16,
    /// Use the real server though others deployed services of the same names there: until the run ends, new requests
    /// for them come to this run, and what they start ends with it.
    #[arg(long)]
    pub(super) take_over: bool,
    /// How many seconds a scenario may take on the real server.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(super) patience: u64,
}

/// The runtimes.
#[cfg(feature = "serve")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum On {
    Simulation,
    Restate,
}

#[cfg(feature = "serve")]
#[derive(Debug, ClapArgs)]
pub(super) struct Serve {
    /// The port to listen on, at 127.0.0.1.
    #[arg(long, value_name = "N", default_value_t = 9080)]
    pub(super) port: u16,
    /// Host this variant of a service instead of its reference; can be given several times.
    #[arg(long, value_name = "SERVICE=NAME", value_parser = variant)]
    pub(super) variant: Vec<(String, String)>,
    /// The outside world, as a scenario has it under `world`: '{ "hotel": { "rooms": 3 } }' [default: the services'
    /// own].
    #[arg(long, value_name = "JSON")]
    pub(super) world: Option<String>,
    /// How long each system of the outside world takes to answer, in milliseconds, unless the world says.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(super) latency_ms: u64,
    /// Write what the outside world is asked and does to this file, and begin with what stands there.
    #[arg(long, value_name = "FILE")]
    pub(super) ledger: Option<PathBuf>,
    /// Say that each attempt is a request and a response: the server then has every await suspend, and replays.
    #[arg(long)]
    pub(super) always_replay: bool,
    /// Answer only requests that a Restate server with this public key signed; can be given several times.
    #[arg(long, value_name = "publickeyv1_...")]
    pub(super) identity_key: Vec<IdentityKey>,
    /// The most mebibytes that a request may bring.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..1_000_000))]
    pub(super) max_body_mib: u64,
}

#[cfg(feature = "serve")]
fn variant(text: &str) -> Result<(String, String), String> {
    let (service, variant) = text.split_once('=').ok_or("expected SERVICE=NAME")?;
    Ok((service.to_owned(), variant.to_owned()))
}

fn time(text: &str) -> Result<Duration, String> {
    let hint = || "expected a time of at least 1ms, such as 500ms, 10s or 2m".to_owned();
    let time: jiff::SignedDuration = text.parse().map_err(|_| hint())?;
    Duration::try_from(time).ok().filter(|time| time.as_millis() > 0).ok_or_else(hint)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    /// JUnit XML.
    Junit,
    /// Text, then annotations of GitHub Actions.
    Github,
}

/// A file, and how the results stand in it.
#[derive(Clone, Debug)]
pub(super) struct ReportFile {
    pub(super) format: Format,
    pub(super) file: PathBuf,
}

fn report_file(text: &str) -> Result<ReportFile, String> {
    let hint = "expected a format and a file, such as json=result.json; formats are text, json, junit, github";
    let (format, file) = text.split_once('=').ok_or(hint)?;
    let format = Format::from_str(format, false).map_err(|_| hint)?;
    if file.is_empty() {
        return Err(hint.to_owned());
    }
    Ok(ReportFile { format, file: file.into() })
}

/// One run: a reproducer's, or a seed of a scenario.
#[derive(Debug, ClapArgs)]
pub(super) struct OneRun {
    /// How long the run may take, in real time: `500ms`, `10s`, `2m`.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) run_limit: Duration,
    /// A reproducer, as `run` wrote it.
    #[arg(required_unless_present = "scenario", conflicts_with = "scenario")]
    pub(super) file: Option<PathBuf>,
    /// A scenario, to run one seed of it.
    #[arg(long, value_name = "FILE", requires = "seed")]
    pub(super) scenario: Option<PathBuf>,
    /// The seed.
    #[arg(long, value_name = "S", requires = "scenario")]
    pub(super) seed: Option<u64>,
    /// Which order, and which of the faults, the seed tries; a reproducer says itself how it ran.
    #[arg(long, value_name = "NAME", default_value_t = Strategy::default(), requires = "scenario")]
    pub(super) strategy: Strategy,
    /// Have every await suspend and every resume replay the journal; a reproducer says itself how it ran.
    #[arg(long, requires = "scenario")]
    pub(super) always_replay: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Replay {
    /// The run to show.
    #[command(flatten)]
    pub(super) run: OneRun,
    /// Only events of this: a kind (`fault`, `state`, `request`, ...), a system, a service, an object or its key, a handler,
    /// a step, a fault; or several words that must all fit: 'order-1 state'. Given several times, each adds events. A `*`
    /// at the end stands for anything.
    #[arg(long, value_name = "EXPR", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) filter: Vec<String>,
    /// Show every event; else those that add little are a number at their place.
    #[arg(long, conflicts_with = "filter")]
    pub(super) full: bool,
    /// How to print the run; JSON has every event with all that it holds.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub(super) format: ReplayFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayFormat {
    Text,
    Json,
}

/// Results, and how to show them.
#[derive(Debug, ClapArgs)]
pub(super) struct Merge {
    /// JSON results: of every shard, or one that is whole. Of a folder, those in it at any depth.
    #[arg(required = true, value_name = "FILE")]
    pub(super) results: Vec<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Write it to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Show {
    /// The run to show. In the place of a reproducer there may also be what `run --format json` or `bugs --format json`
    /// printed.
    #[command(flatten)]
    pub(super) run: OneRun,
    /// What `bugs --format json` printed: the page of a campaign shows it too.
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub(super) bugs: Option<PathBuf>,
    /// The page; `-` is stdout [default: beside the file, with the ending .html].
    #[arg(long, short, value_name = "PATH")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Minimize {
    /// The run to make smaller.
    #[command(flatten)]
    pub(super) run: OneRun,
    /// The oracle whose violation is meant [default: the reproducer's, or the first one that is violated].
    #[arg(long, value_name = "NAME")]
    pub(super) oracle: Option<String>,
    /// How many smaller runs are tried.
    #[arg(long, value_name = "N", default_value_t = 10 * SHRINK_RUNS, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) shrink_runs: u64,
    /// Also write a scenario that does the same in every run, if it still fails so: a file, or a folder for it.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "scenarios/regressions")]
    pub(super) save: Option<PathBuf>,
    /// Folder for the smaller reproducer.
    #[arg(long, value_name = "DIR", default_value = "onceproof-out")]
    pub(super) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(super) struct List {
    /// Only what contains this.
    pub(super) filter: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Check {
    /// Scenario files, and folders of them.
    #[arg(default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
    /// How to print what is wrong: JSON is for editors.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(super) format: CheckFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    Text,
    Json,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Schema {
    /// How to print it: for editors, or for people.
    #[arg(long, value_enum, default_value_t = SchemaFormat::Json)]
    pub(super) format: SchemaFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaFormat {
    /// JSON schema, 2020-12.
    Json,
    /// A page of Markdown: the reference of the scenario language.
    Markdown,
}

#[derive(Debug, ClapArgs)]
pub(super) struct New {
    /// The service, or one of its handlers: `Bookings`, `Bookings/book`.
    #[arg(value_name = "SERVICE[/HANDLER]")]
    pub(super) target: String,
    /// The file to write; one that is there already is left as it is [default: the scenario goes to stdout].
    pub(super) file: Option<PathBuf>,
}
