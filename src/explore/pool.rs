//! Spreads runs over threads, gives every run a thread on which nothing is left of another, and watches over each.
//!
//! Code under test may keep generators in thread-local storage (`rand::rng` does), seeded once per
//! thread. So a thread on which entropy was drawn is retired; where std's hash keys cannot be reset,
//! every run gets a fresh thread.
//!
//! Code under test may never come back. Its thread is then left behind, and nothing waits for it.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{last_words, memory};
use crate::{
    base::{Seed, panics},
    entropy,
    history::History,
    host::watch::{self, Slot},
};

/// How a run is watched over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    /// The name under which last words tell of its runs.
    pub(super) scenario: &'static String,
    /// How long one run may take, in real time.
    pub(super) limit: Duration,
}

/// A run that did not end by itself.
#[derive(Debug)]
pub struct Unfinished {
    /// Its seed.
    pub seed: Seed,
    /// Why it has no end.
    pub why: Why,
    /// The code under test that was running, in words; none if none was.
    pub doing: Option<String>,
    /// What happened before; nothing if that is not known.
    pub history: History,
}

/// Why a run has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It took longer than this, in real time.
    Hung(Duration),
    /// Code under test panicked where nobody catches panics, with this message: in a destructor, while the services
    /// were built, in an oracle's own name.
    Panicked(String),
}

/// How long the watch sleeps. A run's time is counted in these, so that a machine that stood still blames no run.
const TICK: Duration = Duration::from_millis(50);

enum End {
    /// Nothing is left to run.
    Done,
    /// The thread is used up.
    Retired,
    /// A run panicked.
    Panicked(Unfinished),
}

/// A thread at work, and what it came to.
struct Worker<A> {
    slot: &'static Slot,
    all: Arc<Mutex<A>>,
    /// None once it is at its end, or left behind.
    thread: Option<JoinHandle<()>>,
    /// At which turn of its slot it was last seen, and for how many ticks since.
    seen: (u64, u32),
}

fn lock<A>(all: &Mutex<A>) -> MutexGuard<'_, A> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `each` for every number of `range` on `jobs` threads at a time, until `stop` says so, or a run has no end.
///
/// What `each` returns is folded into an accumulator of the thread's own; the order in which they are returned, and
/// which numbers each of them saw, depends on timing. Merge them commutatively.
///
/// # Panics
/// If no thread can be started.
pub(super) fn spread<A, R, N, E, F, S>(
    range: Range<u64>,
    jobs: usize,
    (watched, stop): (Watched, S),
    new: N,
    each: E,
    fold: F,
) -> (Vec<A>, Vec<Unfinished>)
where
    A: Send,
    N: Fn() -> A,
    E: Fn(u64) -> R + Sync,
    F: Fn(&mut A, R) + Sync,
    S: Fn() -> bool + Sync,
{
    last_words::prepare();
    let next = AtomicU64::new(range.start);
    let halted = AtomicBool::new(false);
    let take = || {
        if halted.load(Ordering::Relaxed) || stop() {
            return None;
        }
        // never beyond the end: the number after the last one may be 0
        let following = |i: u64| (i < range.end).then(|| i + 1);
        next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, following).ok()
    };
    // one job after another on a thread, until the thread is used up
    let serve = |all: &Mutex<A>| {
        while let Some(i) = take() {
            let folded = panics::catch(|| {
                let result = each(i);
                fold(&mut lock(all), result);
            });
            match folded {
                Ok(()) => {}
                Err(message) => {
                    let (why, doing) = (Why::Panicked(message), watch::left());
                    let seed = watch::seed();
                    return End::Panicked(Unfinished { seed, why, doing, history: History::new() });
                }
            }
            if entropy::drawn() || !entropy::hash_keys_controlled() {
                return End::Retired;
            }
        }
        End::Done
    };
    let serve = &serve;
    let (tell, told) = mpsc::channel();
    let start = |index: usize, worker: &mut Worker<A>, tell: &Sender<(usize, End)>| {
        let (slot, all, tell) = (worker.slot, Arc::clone(&worker.all), tell.clone());
        let work = move || {
            slot.adopt();
            let end = serve(&all);
            // who lent the accumulator wants it back when it hears of the end
            drop(all);
            drop(tell.send((index, end)));
        };
        // SAFETY: what the thread borrows lives until this function returns, and that is after every thread has ended but
        // those that were taken. Such a one is in code under test, which borrows nothing from here, and never comes back
        // to what does.
        worker.thread = unsafe { thread::Builder::new().spawn_unchecked(work) }.ok();
        worker.seen = (slot.turns(), 0);
    };
    let mut workers: Vec<Worker<A>> = (0..jobs.max(1))
        .map(|_| Worker {
            slot: Slot::claim(),
            all: Arc::new(Mutex::new(new())),
            thread: None,
            seen: (0, 0),
        })
        .collect();
    for (index, worker) in workers.iter_mut().enumerate() {
        start(index, worker, &tell);
    }
    let mut unfinished = Vec::new();
    while workers.iter().any(|worker| worker.thread.is_some()) {
        match told.recv_timeout(TICK) {
            Ok((index, end)) => {
                let worker = &mut workers[index];
                // it is at its end; what thread-local storage holds is gone before the next one begins
                drop(worker.thread.take().map(JoinHandle::join));
                match end {
                    End::Done => {}
                    End::Retired => start(index, worker, &tell),
                    End::Panicked(run) => {
                        halted.store(true, Ordering::Relaxed);
                        unfinished.push(run);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(bytes) = memory::scarce() {
                    last_words::out_of_memory(bytes);
                }
                for worker in workers.iter_mut().filter(|worker| worker.thread.is_some()) {
                    if let Some(run) = overrun(worker, watched.limit) {
                        halted.store(true, Ordering::Relaxed);
                        unfinished.push(run);
                        worker.thread = None;
                        // a slot of its own for whoever comes after it: this one is never given back
                        worker.slot = Slot::claim();
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept here"),
        }
    }
    // not before every thread has ended: they borrow from here
    assert!(take().is_none(), "no thread can be started");
    let all = workers.into_iter().map(|worker| {
        worker.slot.release();
        // that of a thread that was left behind is not being changed: it is locked only between two runs
        std::mem::replace(&mut *lock(&worker.all), new())
    });
    (all.collect(), unfinished)
}

/// The run of a worker, if it took too long; its thread is left behind then.
fn overrun<A>(worker: &mut Worker<A>, limit: Duration) -> Option<Unfinished> {
    let turns = worker.slot.turns();
    if turns.is_multiple_of(2) || turns != worker.seen.0 {
        worker.seen = (turns, 0);
        return None;
    }
    worker.seen.1 += 1;
    if TICK * worker.seen.1 < limit {
        return None;
    }
    // between two calls into code under test it cannot be taken: then at one of the next ticks
    let stuck = worker.slot.take()?;
    let (seed, why, doing) = (stuck.seed, Why::Hung(limit), Some(stuck.doing));
    Some(Unfinished { seed, why, doing, history: stuck.history })
}

/// Runs `f` once, on a thread of its own.
///
/// # Errors
/// If it has no end.
///
/// # Panics
/// If no thread can be started.
pub(super) fn alone<T: Send>(
    watched: Watched,
    f: impl Fn() -> T + Sync,
) -> Result<T, Box<Unfinished>> {
    let keep = |all: &mut Option<T>, result| *all = Some(result);
    let (results, unfinished) = spread(0..1, 1, (watched, || false), || None, |_| f(), keep);
    match unfinished.into_iter().next() {
        Some(unfinished) => Err(Box::new(unfinished)),
        None => Ok(results.into_iter().flatten().next().expect("it ran, or has no end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::watch::Doing;

    fn watched() -> Watched {
        Watched { scenario: watch::scenario("a test"), limit: Duration::from_secs(60) }
    }

    fn all(range: Range<u64>, jobs: usize) -> Vec<u64> {
        let (parts, unfinished) =
            spread(range, jobs, (watched(), || false), Vec::new, |i| i, Vec::push);
        assert!(unfinished.is_empty());
        let mut all: Vec<u64> = parts.into_iter().flatten().collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn every_number_is_run_once_whatever_the_number_of_jobs() {
        for jobs in [1, 2, 7] {
            assert_eq!(all(5..1_005, jobs), (5..1_005).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_largest_numbers_are_run_once_too() {
        let range = u64::MAX - 3..u64::MAX;
        assert_eq!(all(range.clone(), 4), range.collect::<Vec<_>>());
    }

    #[test]
    fn stopping_ends_the_spread_early() {
        let seen = AtomicU64::new(0);
        let stop = || seen.load(Ordering::Relaxed) >= 10;
        let count = |_| seen.fetch_add(1, Ordering::Relaxed);
        spread(0..u64::MAX, 2, (watched(), stop), || (), count, |(), _| ());
        assert!((10..20).contains(&seen.load(Ordering::Relaxed)));
    }

    #[test]
    fn a_thread_on_which_entropy_was_drawn_serves_no_other_run() {
        let draw = |i| {
            let _scope = entropy::enter(i);
            #[expect(clippy::disallowed_methods, reason = "the draw is what is tested")]
            let _: u64 = rand::random();
            thread::current().id()
        };
        let (ids, _) = spread(0..20, 1, (watched(), || false), Vec::new, draw, Vec::push);
        let mut ids = ids.concat();
        ids.dedup();
        assert_eq!(ids.len(), 20);
    }

    #[test]
    fn a_run_that_hangs_is_left_behind_and_what_was_run_before_counts() {
        let watched = Watched { limit: Duration::from_millis(200), ..watched() };
        let each = |i| {
            let _run = watch::run(watched.scenario, Seed(i));
            if i == 5 {
                watch::during(Doing::Tasks, || {
                    loop {
                        thread::park();
                    }
                });
            }
            i
        };
        let (parts, unfinished) =
            spread(0..1_000_000_000, 1, (watched, || false), Vec::new, each, Vec::push);
        assert_eq!(parts.concat(), [0, 1, 2, 3, 4]);
        let [run] = &unfinished[..] else { panic!("{unfinished:?}") };
        assert_eq!((run.seed, &run.why), (Seed(5), &Why::Hung(watched.limit)));
        assert_eq!(run.doing.as_deref(), Some("a background task"));
        // and the next one is as any other
        assert_eq!(all(0..3, 2), [0, 1, 2]);
    }

    #[test]
    fn a_run_that_panics_says_where_and_ends_the_spread() {
        let each = |i| {
            let _run = watch::run(watched().scenario, Seed(i));
            watch::during(Doing::Drop("S/k/h#1", 3), || assert!(i < 4, "boom"));
            i
        };
        let (parts, unfinished) =
            spread(0..1_000_000_000, 1, (watched(), || false), Vec::new, each, Vec::push);
        assert_eq!(parts.concat(), [0, 1, 2, 3]);
        let [run] = &unfinished[..] else { panic!("{unfinished:?}") };
        assert_eq!(
            (run.seed, run.doing.as_deref()),
            (Seed(4), Some("the end of S/k/h#1, attempt 3"))
        );
        assert!(matches!(&run.why, Why::Panicked(message) if message.starts_with("boom at ")));
    }

    #[test]
    fn adding_up_that_panics_ends_the_spread_and_hangs_nobody() {
        let each = |i| {
            let _run = watch::run(watched().scenario, Seed(i));
            i
        };
        let fold = |all: &mut Vec<u64>, i| {
            assert!(i < 4, "no room");
            all.push(i);
        };
        let (parts, unfinished) =
            spread(0..1_000_000_000, 1, (watched(), || false), Vec::new, each, fold);
        assert_eq!(parts.concat(), [0, 1, 2, 3]);
        let [run] = &unfinished[..] else { panic!("{unfinished:?}") };
        assert_eq!((run.seed, run.doing.as_deref()), (Seed(4), None));
        assert!(matches!(&run.why, Why::Panicked(message) if message.starts_with("no room at ")));
    }
}
