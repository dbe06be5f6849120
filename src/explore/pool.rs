//! Spreads runs over threads, and gives every run a thread on which nothing is left of another.
//!
//! Code under test may keep generators in thread-local storage (`rand::rng` does), seeded once per
//! thread. So a thread on which entropy was drawn is retired; where std's hash keys cannot be reset,
//! every run gets a fresh thread.

use std::{
    ops::Range,
    panic::resume_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use crate::entropy;

/// Runs `each` for every number of `range` on `jobs` threads at a time, until `stop` says so.
///
/// Every thread folds into an accumulator of its own; the order in which they are returned, and
/// which numbers each of them saw, depends on timing. Merge them commutatively.
///
/// # Panics
/// If `each` panics.
pub(super) fn spread<A, N, E, S>(range: Range<u64>, jobs: usize, stop: S, new: N, each: E) -> Vec<A>
where
    A: Send,
    N: Fn() -> A + Sync,
    E: Fn(&mut A, u64) + Sync,
    S: Fn() -> bool + Sync,
{
    let next = AtomicU64::new(range.start);
    let take = || {
        if stop() {
            return None;
        }
        // never beyond the end: the number after the last one may be 0
        let following = |i: u64| (i < range.end).then(|| i + 1);
        next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, following).ok()
    };
    // one job after another on a thread, until the thread is used up
    let serve = |mut all: A| {
        while let Some(i) = take() {
            each(&mut all, i);
            if entropy::drawn() || !entropy::hash_keys_controlled() {
                return (all, true);
            }
        }
        (all, false)
    };
    thread::scope(|scope| {
        let supervise = || {
            let mut all = new();
            loop {
                let worker = thread::scope(|inner| inner.spawn(|| serve(all)).join());
                let (folded, retired) = worker.unwrap_or_else(|panic| resume_unwind(panic));
                all = folded;
                if !retired {
                    return all;
                }
            }
        };
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(supervise)).collect();
        workers.into_iter().map(|w| w.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// Runs `f` on a thread of its own.
///
/// # Panics
/// If `f` panics.
pub(super) fn alone<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(f).join().unwrap_or_else(|panic| resume_unwind(panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_run_once_whatever_the_number_of_jobs() {
        for jobs in [1, 2, 7] {
            let parts =
                spread(5..1_005, jobs, || false, Vec::new, |all: &mut Vec<u64>, i| all.push(i));
            let mut all: Vec<u64> = parts.into_iter().flatten().collect();
            all.sort_unstable();
            assert_eq!(all, (5..1_005).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_largest_numbers_are_run_once_too() {
        let range = u64::MAX - 3..u64::MAX;
        let parts =
            spread(range.clone(), 4, || false, Vec::new, |all: &mut Vec<u64>, i| all.push(i));
        let mut all: Vec<u64> = parts.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, range.collect::<Vec<_>>());
    }

    #[test]
    fn stopping_ends_the_spread_early() {
        let seen = AtomicU64::new(0);
        let stop = || seen.load(Ordering::Relaxed) >= 10;
        spread(
            0..u64::MAX,
            2,
            stop,
            || (),
            |(), _| {
                seen.fetch_add(1, Ordering::Relaxed);
            },
        );
        assert!((10..20).contains(&seen.load(Ordering::Relaxed)));
    }

    #[test]
    fn a_thread_on_which_entropy_was_drawn_serves_no_other_run() {
        let draw = |ids: &mut Vec<thread::ThreadId>, i: u64| {
            let _scope = entropy::enter(i);
            #[expect(clippy::disallowed_methods, reason = "the draw is what is tested")]
            let _: u64 = rand::random();
            ids.push(thread::current().id());
        };
        let mut ids = spread(0..20, 1, || false, Vec::new, draw).concat();
        ids.dedup();
        assert_eq!(ids.len(), 20);
    }
}
