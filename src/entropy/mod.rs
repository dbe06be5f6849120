//! A virtual clock and seeded entropy for code that asks the operating system directly.
//!
//! `SystemTime::now`, `Instant::now`, `Uuid::new_v4`, `rand::rng` and the order of a std `HashMap`
//! all end in a few C functions. This module defines those functions: on a thread inside a
//! [`Scope`] they answer from the scope, on every other thread they are the plain system call.
//! Where the answers come from a scope they depend on its seed and clock and on nothing else.
//!
//! Not controlled, on any system: blocking with a timeout (`recv_timeout`, `thread::sleep`: the
//! kernel waits in real time, and compares with its own clock), reading `/dev/urandom`, system calls
//! that do not pass the C functions, the
//! processor's time stamp counter, addresses in memory (the default hasher of `hashbrown`), threads
//! that code inside a scope starts, and values that a process draws once and keeps for all threads.
//! What is controlled on the system at hand: [`capabilities`].
//!
//! Must not know: the simulation.

use std::{
    cell::Cell,
    marker::PhantomData,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use crate::base::VirtualTime;

#[cfg_attr(all(target_os = "linux", target_pointer_width = "64"), path = "linux.rs")]
#[cfg_attr(not(all(target_os = "linux", target_pointer_width = "64")), path = "other.rs")]
mod platform;

/// While this guard lives, its thread sees the virtual clock and the seeded entropy.
///
/// Dropping it gives the thread the real ones back.
#[derive(Debug)]
#[must_use = "the scope ends when its guard is dropped"]
pub struct Scope {
    /// The hash keys the thread had before, to be put back.
    hash_keys_outside: Option<[u64; 2]>,
    /// The state of `tokio::select!` that the thread had before, to be put back.
    select_rng_outside: Option<[u32; 2]>,
    /// A scope belongs to its thread: neither `Send` nor `Sync`.
    _of_this_thread: PhantomData<*const ()>,
}

/// Begins a scope on this thread: the clock at [`VirtualTime::ZERO`] and without skew, the entropy
/// and the std hash keys from `seed`.
///
/// The first scope of a thread also looks for the std hash keys of that thread, which takes a few
/// microseconds; later ones take nanoseconds.
///
/// # Panics
///
/// If this thread is in a scope already.
pub fn enter(seed: u64) -> Scope {
    THREAD.with(|t| {
        assert!(!t.active.get(), "entropy: this thread is in a scope already");
        t.active.set(true);
        t.now_ns.set(0);
        t.skew_ms.set(0);
        t.threads.set(None);
        // Std draws the keys of a thread when the thread makes its first hash map. That happens in
        // the next line at the latest, from this seed in case the keys cannot be replaced later,
        // and must neither shift the stream nor count as a draw.
        let drawn = t.drawn.get();
        t.stream.set(stream_start(seed));
        t.selects.set(select_rngs(seed));
        // Tokio seeds its generator by a hash map's keys, so it is looked for before they are replaced.
        let select_rng_outside = platform::replace_select_rng(next_select_rng(t));
        let hash_keys_outside = platform::replace_hash_keys(hash_keys(seed));
        t.stream.set(stream_start(seed));
        t.drawn.set(drawn);
        Scope { hash_keys_outside, select_rng_outside, _of_this_thread: PhantomData }
    })
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(keys) = self.hash_keys_outside {
            platform::replace_hash_keys(keys);
        }
        if let Some(state) = self.select_rng_outside {
            platform::replace_select_rng(state);
        }
        THREAD.with(|t| t.active.set(false));
    }
}

/// Moves this thread's clock forward to `now`. An earlier time than the clock shows is ignored:
/// the clock never goes back.
///
/// # Panics
///
/// If this thread is not in a scope.
pub fn set_clock(now: VirtualTime) {
    in_scope(|t| t.now_ns.set(t.now_ns.get().max(now.as_nanos())));
}

/// Lets this thread's wall clock show `ms` milliseconds more than the virtual time (less, if
/// negative), as on a machine whose clock is wrong. The monotonic clock is not affected, so the wall
/// clock is the one that can go back.
///
/// # Panics
///
/// If this thread is not in a scope.
pub fn set_skew_ms(ms: i64) {
    in_scope(|t| t.skew_ms.set(ms));
}

/// Starts the entropy, the std hash keys and the choices of `tokio::select!` of this thread anew from `seed`; the clock stays.
///
/// Called at the start of each attempt, so that what an attempt draws differs from what the one
/// before it drew.
///
/// # Panics
///
/// If this thread is not in a scope.
pub fn reseed(seed: u64) {
    in_scope(|t| {
        t.stream.set(stream_start(seed));
        t.selects.set(select_rngs(seed));
        platform::replace_select_rng(next_select_rng(t));
    });
    platform::replace_hash_keys(hash_keys(seed));
}

/// Lets the next `tokio::select!` of this thread choose by the seed again. Tokio itself seeds its generator anew when
/// a runtime begins to run, so this is called on the runtime.
///
/// # Panics
///
/// If this thread is not in a scope.
pub fn reseed_selects() {
    in_scope(|t| {
        platform::replace_select_rng(next_select_rng(t));
    });
}

/// Whether entropy was drawn in any scope of this thread since the thread began.
///
/// Generators that live as long as the thread, such as `rand::rng()`, may then carry state from one
/// scope into the next, and the thread should not serve another run.
#[must_use]
pub fn drawn() -> bool {
    THREAD.with(|t| t.drawn.get())
}

/// Whether the std hash keys of this thread were found, so that [`enter`] and [`reseed`] set them.
///
/// If not, std draws them from the first scope of the thread and counts on from there: a run whose
/// outcome depends on the order of a `HashMap` then needs a fresh thread.
#[must_use]
pub fn hash_keys_controlled() -> bool {
    platform::hash_keys_found()
}

/// How many threads that were started in this scope have not ended; 0 where that cannot be counted.
#[must_use]
pub fn threads() -> u32 {
    THREAD.with(|t| t.threads.get().map_or(0, |threads| threads.alive.load(Ordering::Relaxed)))
}

/// How many threads were started in this scope, those of tokio that run what blocks among them.
#[must_use]
pub fn threads_started() -> u32 {
    THREAD.with(|t| t.threads.get().map_or(0, |threads| threads.started.load(Ordering::Relaxed)))
}

/// This thread belongs to a runtime, which knows itself what its threads do.
pub(crate) fn thread_of_the_runtime() {
    if let Some(threads) = THREAD.with(|t| t.started_by.take()) {
        threads.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The threads that were started in one scope.
#[derive(Debug, Default)]
struct Threads {
    alive: AtomicU32,
    started: AtomicU32,
}

/// What a [`Scope`] controls here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `SystemTime::now` and `Instant::now` show the virtual clock.
    pub clock: bool,
    /// Random numbers that come from the operating system come from the seed.
    pub entropy: bool,
    /// The order of a std `HashMap` follows from the seed, on a thread that is used again too.
    pub hash_keys: bool,
    /// The branch that `tokio::select!` without `biased` tries first follows from the seed.
    pub selects: bool,
}

impl Capabilities {
    /// What is not controlled, in words for a warning: `"the clock"`; none if all is well.
    pub fn uncontrolled(self) -> impl Iterator<Item = &'static str> {
        [
            (self.clock, "the clock"),
            (self.entropy, "random numbers"),
            (self.hash_keys, "the order of hash maps"),
            (self.selects, "tokio::select!"),
        ]
        .into_iter()
        .filter_map(|(controlled, what)| (!controlled).then_some(what))
    }
}

/// What a [`Scope`] controls in this process, found out by trying it once on a thread of its own.
#[must_use]
pub fn capabilities() -> Capabilities {
    static FOUND: OnceLock<Capabilities> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let tried = thread::Builder::new().spawn(try_out).map(thread::JoinHandle::join);
        match tried {
            Ok(Ok(found)) => found,
            _ => Capabilities { clock: false, entropy: false, hash_keys: false, selects: false },
        }
    })
}

/// Observes on this, a fresh thread what std gets to see in a scope.
#[expect(clippy::disallowed_methods, reason = "what std sees is what is tried out")]
fn try_out() -> Capabilities {
    // Before `enter`, which asks for the hash keys without counting it.
    let entropy = THREAD.with(|t| {
        t.active.set(true);
        drop(std::hash::RandomState::new());
        t.active.set(false);
        t.drawn.get()
    }) && platform::entropy_symbol_is_ours();
    let _scope = enter(0);
    let start = (std::time::SystemTime::now(), std::time::Instant::now());
    let step = Duration::from_nanos(1_000_000_007);
    set_clock(VirtualTime::ZERO.after(step));
    let clock = start.0
        == std::time::UNIX_EPOCH + Duration::from_millis(VirtualTime::EPOCH_UNIX_MS)
        && start.0.elapsed().ok() == Some(step)
        && start.1.elapsed() == step;
    let selects = platform::select_rng_found();
    Capabilities { clock, entropy, hash_keys: hash_keys_controlled(), selects }
}

/// What one thread sees. Plain cells without a destructor: the C functions may be called while
/// the thread is being set up or torn down, and must not allocate.
struct Thread {
    active: Cell<bool>,
    now_ns: Cell<u64>,
    skew_ms: Cell<i64>,
    /// The state of a SplitMix64 generator.
    stream: Cell<u64>,
    /// The same for the states of tokio's generator.
    selects: Cell<u64>,
    drawn: Cell<bool>,
    /// What was started in this scope; none if nothing was.
    threads: Cell<Option<&'static Threads>>,
    /// Among which threads this one counts.
    started_by: Cell<Option<&'static Threads>>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            active: Cell::new(false),
            now_ns: Cell::new(0),
            skew_ms: Cell::new(0),
            stream: Cell::new(0),
            selects: Cell::new(0),
            drawn: Cell::new(false),
            threads: Cell::new(None),
            started_by: Cell::new(None),
        }
    };
}

fn in_scope(change: impl FnOnce(&Thread)) {
    THREAD.with(|t| {
        assert!(t.active.get(), "entropy: this thread is not in a scope");
        change(t);
    });
}

/// SplitMix64's increment: the odd number nearest to 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function (Steele, Lea, Flood 2014, with Stafford's constants): a bijection
/// that spreads every bit. Good statistics, no secrecy.
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Where the stream of `seed` begins; mixed, so that close seeds begin far apart.
const fn stream_start(seed: u64) -> u64 {
    mix(seed.wrapping_add(GOLDEN))
}

/// The std hash keys of `seed`, apart from its stream.
const fn hash_keys(seed: u64) -> [u64; 2] {
    let at = mix(seed ^ 0x6861_7368_206b_6579);
    [mix(at.wrapping_add(GOLDEN)), mix(at.wrapping_add(GOLDEN.wrapping_mul(2)))]
}

/// Where the states of tokio's generator begin, apart from the stream and the hash keys of `seed`.
const fn select_rngs(seed: u64) -> u64 {
    mix(seed ^ 0x7365_6c65_6374_2021)
}

fn next_select_rng(t: &Thread) -> [u32; 2] {
    t.selects.set(t.selects.get().wrapping_add(GOLDEN));
    let bits = mix(t.selects.get());
    [(bits >> 32) as u32, bits as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "in a scope already")]
    fn a_scope_in_a_scope_panics() {
        let _outer = enter(1);
        let _inner = enter(2);
    }

    #[test]
    fn changes_outside_a_scope_panic() {
        let check = |what: &str, change: fn()| {
            assert!(std::panic::catch_unwind(change).is_err(), "{what} outside a scope");
        };
        check("set_clock", || set_clock(VirtualTime::ZERO));
        check("set_skew_ms", || set_skew_ms(0));
        check("reseed", || reseed(0));
    }

    #[test]
    fn a_scope_ends_when_a_panic_unwinds_it() {
        let unwound = std::panic::catch_unwind(|| {
            let _scope = enter(1);
            panic!("a handler's panic");
        });
        assert!(unwound.is_err());
        drop(enter(2));
    }

    #[test]
    fn uncontrolled_parts_are_named() {
        let check = |clock, entropy, hash_keys, expected: &[&str]| {
            let all = Capabilities { clock, entropy, hash_keys, selects: true };
            let found: Vec<_> = all.uncontrolled().collect();
            assert_eq!(found, expected);
        };
        check(true, true, true, &[]);
        check(true, true, false, &["the order of hash maps"]);
        check(false, false, true, &["the clock", "random numbers"]);
    }

    #[test]
    fn capabilities_can_be_asked_inside_a_scope_without_touching_it() {
        let _scope = enter(1);
        let _found = capabilities();
        set_clock(VirtualTime::ZERO);
        assert!(!drawn());
    }
}
