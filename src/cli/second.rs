//! A second process of this program, that makes a sample of the runs again: what differs from process to process (where
//! things lie in memory, what a process draws once, its number) is noticed although nothing was violated.
//!
//! It is this program, started with the same arguments and a mark in its environment; it is told scenarios and seeds on
//! stdin, and answers on stdout, a line of JSON each.
//!
//! Must not know: what is reported of a difference.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    exit::Exit,
    terminal::{now, since},
};
use crate::{
    base::{Digest, Seed},
    choice::Tape,
    explore::{Campaign, Strategy},
    report::explain::{EventText, events},
    scenario::plan::Scenario,
    subject::Subject,
};

/// The mark: a process that finds it in its environment is a second one, and asks for none itself.
const MARK: &str = "ONCEPROOF_SECOND_PROCESS";
/// What an answer begins with: other code may print lines of its own before the command line is reached.
const ANSWER: &str = "onceproof-answer ";
/// How long an answer may take beyond a run's own limit.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may take to end whose pipes are closed.
const ENDS: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// From now on it is about this scenario.
    Begin { name: String, scenario: Box<Scenario>, strategy: String, run_limit_ms: u64 },
    /// The fingerprints of the sample of these seeds.
    Sample { seeds: Range<u64> },
    /// All events of one run, from its seed, or by its tape.
    Events { seed: Seed, tape: Option<Tape> },
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// One run of the sample.
    Run { seed: Seed, digest: Digest },
    /// The sample is done.
    Done,
    /// All events of one run.
    Events(Events),
    /// It cannot be answered: why, as the end of a sentence.
    Cannot(String),
}

/// One run in the other process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Events {
    pub(super) events: Vec<EventText>,
    /// The oracles that it violated.
    pub(super) violated: Vec<String>,
}

/// The second process, seen from the first.
pub(super) struct Second {
    running: Result<Running, String>,
    patience: Duration,
}

struct Running {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Answer>,
}

impl Second {
    /// Starts it. If that cannot be done, each question is answered with the reason.
    pub(super) fn start() -> Self {
        let running =
            Running::start().map_err(|e| format!("a second process cannot be started: {e}"));
        Self { running, patience: PATIENCE }
    }

    /// From now on it is about this campaign.
    pub(super) fn begin(&mut self, campaign: &Campaign<'_>) {
        self.patience = campaign.run_limit.saturating_add(PATIENCE);
        let run_limit_ms = u64::try_from(campaign.run_limit.as_millis()).unwrap_or(u64::MAX);
        let scenario = Box::new(campaign.scenario.clone());
        let (name, strategy) = (campaign.name.to_owned(), campaign.strategy.to_string());
        self.ask(&Request::Begin { name, scenario, strategy, run_limit_ms });
    }

    /// Has it make the sample of these seeds again, while others do other things.
    pub(super) fn ask_for_sample(&mut self, seeds: Range<u64>) {
        self.ask(&Request::Sample { seeds });
    }

    /// Has it run one seed again.
    pub(super) fn ask_for_events(&mut self, seed: Seed, tape: Option<&Tape>) {
        self.ask(&Request::Events { seed, tape: tape.cloned() });
    }

    fn ask(&mut self, request: &Request) {
        let Ok(running) = &mut self.running else { return };
        let mut line = serde_json::to_vec(request).expect("a request is plain data");
        line.push(b'\n');
        if let Err(error) = running.requests.write_all(&line) {
            self.running = Err(running.end(&error.to_string(), ENDS));
        }
    }

    /// What it made of the sample; waits for it.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) fn sample(&mut self) -> Result<BTreeMap<Seed, Digest>, String> {
        let mut sample = BTreeMap::new();
        loop {
            match self.answer()? {
                Answer::Run { seed, digest } => drop(sample.insert(seed, digest)),
                Answer::Done => return Ok(sample),
                Answer::Cannot(why) => return Err(why),
                Answer::Events(_) => {
                    return Err(self.give_up("it answers what nobody asked", Duration::ZERO));
                }
            }
        }
    }

    /// The run that was asked for; waits for it.
    ///
    /// # Errors
    /// Why it is not known.
    pub(super) fn events(&mut self) -> Result<Events, String> {
        match self.answer()? {
            Answer::Events(events) => Ok(events),
            Answer::Cannot(why) => Err(why),
            Answer::Run { .. } | Answer::Done => {
                Err(self.give_up("it answers what nobody asked", Duration::ZERO))
            }
        }
    }

    fn answer(&mut self) -> Result<Answer, String> {
        let running = self.running.as_mut().map_err(|why| why.clone())?;
        running.answers.recv_timeout(self.patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => self.give_up("it takes too long", Duration::ZERO),
            RecvTimeoutError::Disconnected => self.give_up("its answers cannot be read", ENDS),
        })
    }

    fn give_up(&mut self, why: &str, patience: Duration) -> String {
        if let Ok(running) = &mut self.running {
            self.running = Err(running.end(why, patience));
        }
        self.running.as_ref().err().cloned().unwrap_or_default()
    }
}

impl Running {
    fn start() -> std::io::Result<Self> {
        // this very program, also if another one has taken its place in the meantime
        let program = match cfg!(target_os = "linux") {
            true => "/proc/self/exe".into(),
            false => std::env::current_exe()?,
        };
        let mut command = Command::new(program);
        command
            .args(std::env::args_os().skip(1))
            .env(MARK, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // Ctrl-C is for the first process, which ends this one
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let requests = child.stdin.take().expect("it is piped");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (tell, answers) = mpsc::channel();
        // read as they come, or the other process would wait for room in the pipe
        thread::Builder::new().spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some(answer) = line.strip_prefix(ANSWER) else { continue };
                let Ok(answer) = serde_json::from_str(answer) else { return };
                if tell.send(answer).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { child, requests, answers })
    }

    /// Ends it, and says how it ended. Its pipes are closed a moment before it has ended by itself: so long that is waited
    /// for.
    fn end(&mut self, why: &str, patience: Duration) -> String {
        let started = now();
        let mut ended = self.child.try_wait().ok().flatten();
        while ended.is_none() && since(started) < patience {
            thread::park_timeout(Duration::from_millis(1));
            ended = self.child.try_wait().ok().flatten();
        }
        drop(self.child.kill());
        drop(self.child.wait());
        match ended {
            Some(status) => format!("the second process ended by itself ({status})"),
            None => format!("the second process does not answer ({why})"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether this is a second process.
#[expect(clippy::disallowed_methods, reason = "the mark of a second process; no run sees it")]
pub(super) fn is_second() -> bool {
    std::env::var_os(MARK).is_some()
}

/// What a second process does: answers until nobody asks any more.
pub(super) fn answer_all(subject: &Subject, say: &(dyn Fn(&str) -> bool + Sync)) -> Exit {
    // the first one is what a person waits for
    #[cfg(target_os = "linux")]
    // SAFETY: changes the priority of this process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 10)
    };
    let say = |answer: &Answer| {
        let line = serde_json::to_string(answer).expect("an answer is plain data");
        say(&format!("{ANSWER}{line}\n"))
    };
    let mut about = None;
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let request: Request = match parse(&line) {
            Ok(request) => request,
            Err(answer) => {
                say(&answer);
                return Exit::Usage;
            }
        };
        let heard = match request {
            Request::Begin { name, scenario, strategy, run_limit_ms } => {
                // this very program named it
                let strategy = strategy.parse().unwrap_or_default();
                about = Some((name, *scenario, strategy, Duration::from_millis(run_limit_ms)));
                true
            }
            question => match &about {
                Some(about) => answer(subject, about, question, &say),
                None => say(&Answer::Cannot("no scenario was named".to_owned())),
            },
        };
        if !heard {
            break;
        }
    }
    Exit::Held
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, Answer> {
    serde_json::from_str(line)
        .map_err(|e| Answer::Cannot(format!("the second process got no request: {e}")))
}

/// Answers one question; false if nobody listens any more.
fn answer(
    subject: &Subject,
    (name, scenario, strategy, run_limit): &(String, Scenario, Strategy, Duration),
    question: Request,
    say: &(impl Fn(&Answer) -> bool + Sync),
) -> bool {
    let cannot = |why: String| say(&Answer::Cannot(format!("the second process {why}")));
    let deployment = match subject.deployment_of(scenario) {
        Ok(deployment) => deployment,
        Err(e) => return cannot(format!("cannot use the scenario: {e}")),
    };
    let campaign = Campaign {
        run_limit: *run_limit,
        strategy: *strategy,
        ..Campaign::new(name, subject, &deployment, scenario)
    };
    let no_end = |seed: Seed| cannot(format!("came to no end with seed {seed}"));
    match question {
        Request::Sample { seeds } => {
            let campaign = Campaign { seeds, ..campaign };
            match campaign.run_sample(&|seed, digest| say(&Answer::Run { seed, digest })) {
                Ok(()) => say(&Answer::Done),
                Err(run) => no_end(run.seed),
            }
        }
        Request::Events { seed, tape } => {
            let replayed = match tape {
                Some(tape) => campaign.replay(seed, &tape),
                None => campaign.replay_seed(seed),
            };
            match replayed {
                Ok(replayed) => say(&Answer::Events(Events {
                    events: events(&replayed.history),
                    violated: replayed.violations.into_iter().map(|v| v.oracle).collect(),
                })),
                Err(run) => no_end(run.seed),
            }
        }
        Request::Begin { .. } => true,
    }
}
