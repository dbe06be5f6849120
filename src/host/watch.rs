//! What each simulating thread is doing now, kept where another thread, or a signal handler, can read it: so that code
//! under test that never comes back, or takes the process down, can be named.
//!
//! It costs two atomic swaps for each call into code under test. A thread whose code does not come back can be *taken*:
//! then it never returns from that call, whatever the code does, and what it was working on can be read in peace.
//!
//! Must not know: how long is too long, what becomes of it.

use std::{
    cell::Cell,
    ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicPtr, AtomicU64, Ordering},
    },
    thread,
};

use crate::{base::Seed, history::History};

/// Code under test, from when it is called to when it returns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doing<'a> {
    /// A handler runs: its invocation by name, and the attempt.
    Handler(&'a str, u32),
    /// An attempt is dropped: what the handler owns is destroyed.
    Drop(&'a str, u32),
    /// A process is started: the services are built.
    Build,
    /// A process is ended: the services and their tasks are destroyed.
    End,
    /// Background tasks run, or tokio's timers.
    Tasks,
    /// A thread that a handler started, and that is waited for.
    Thread,
    /// A system, by its name.
    System(&'a str),
    /// Oracles judge the run.
    Oracles,
}

impl Doing<'_> {
    /// What a person reads: `Bookings/b-1/book#1, attempt 2`.
    pub(crate) fn describe(&self, write: &mut dyn FnMut(&str)) {
        let attempt = |what: &str, label: &str, number: u32, write: &mut dyn FnMut(&str)| {
            write(what);
            write(label);
            write(", attempt ");
            write(digits(number.into(), &mut [0; 20]));
        };
        match *self {
            Self::Handler(label, number) => attempt("", label, number, write),
            Self::Drop(label, number) => attempt("the end of ", label, number, write),
            Self::Build => write("the start of the services"),
            Self::End => write("the end of the services"),
            Self::Tasks => write("a background task"),
            Self::Thread => write("a thread that a handler started"),
            Self::System(name) => {
                write("the system ");
                write(name);
            }
            Self::Oracles => write("an oracle"),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.describe(&mut |part| text.push_str(part));
        text
    }
}

/// A number in digits, without allocating: a signal handler may not.
pub(crate) fn digits(number: u64, buffer: &mut [u8; 20]) -> &str {
    let mut rest = number;
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    std::str::from_utf8(&buffer[at..]).expect("digits are ASCII")
}

/// One simulating thread at a time publishes here. Never freed: another thread may look at any moment.
#[derive(Debug)]
pub(crate) struct Slot {
    /// How often a run began or ended: odd while one is on.
    turns: AtomicU64,
    seed: AtomicU64,
    scenario: AtomicPtr<String>,
    /// Code under test that runs now; null for none, [`TAKEN`] if the thread was taken.
    doing: AtomicPtr<Doing<'static>>,
    /// What happened so far; null outside of a run. Only to be read while code under test runs.
    history: AtomicPtr<History>,
}

/// In the place of what a thread is doing: it must not go on. The address belongs to nothing else.
static TAKEN: Doing<'static> = Doing::Build;

fn taken() -> *mut Doing<'static> {
    (&raw const TAKEN).cast_mut()
}

/// A thread that does not come back, and what it was at.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) seed: Seed,
    pub(crate) doing: String,
    /// What happened before, log lines that were collected included.
    pub(crate) history: History,
}

static FREE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());
static ALL: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());
static SCENARIOS: Mutex<Vec<&'static String>> = Mutex::new(Vec::new());

thread_local! {
    static SLOT: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// What code under test was running when a panic left it.
    static LEFT: Cell<Option<String>> = const { Cell::new(None) };
}

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name that lives as long as the process; the same for the same text.
pub(crate) fn scenario(name: &str) -> &'static String {
    let mut known = lock(&SCENARIOS);
    if let Some(known) = known.iter().find(|known| **known == name) {
        return known;
    }
    let name: &'static String = Box::leak(Box::new(name.to_owned()));
    known.push(name);
    name
}

impl Slot {
    /// A slot that nobody else has.
    pub(crate) fn claim() -> &'static Self {
        if let Some(free) = lock(&FREE).pop() {
            return free;
        }
        let slot: &'static Self = Box::leak(Box::new(Self {
            turns: AtomicU64::new(0),
            seed: AtomicU64::new(0),
            scenario: AtomicPtr::new(ptr::null_mut()),
            doing: AtomicPtr::new(ptr::null_mut()),
            history: AtomicPtr::new(ptr::null_mut()),
        }));
        lock(&ALL).push(slot);
        slot
    }

    /// Gives the slot back; not that of a thread that was taken.
    pub(crate) fn release(&'static self) {
        lock(&FREE).push(self);
    }

    /// From now on this thread publishes here.
    pub(crate) fn adopt(&'static self) {
        SLOT.set(Some(self));
    }

    /// How often a run began or ended here: odd while one is on.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Keeps the thread from ever coming back from the code under test that it runs now; none, and nothing done, if it
    /// runs none.
    pub(crate) fn take(&self) -> Option<Stuck> {
        let doing = self.doing.load(Ordering::Acquire);
        if doing.is_null() || doing == taken() {
            return None;
        }
        let order = Ordering::AcqRel;
        self.doing.compare_exchange(doing, taken(), order, Ordering::Acquire).ok()?;
        // SAFETY: what `doing` points to lives in the frame that published it, and that frame ends only after it has
        // swapped it back out; it will find `TAKEN` there, and wait for ever.
        let doing = unsafe { *doing };
        let history = match doing {
            // the choices of a system are noted while it runs
            Doing::System(_) => None,
            // SAFETY: the frame that owns the history waits for the one above, and changes it only between two calls into
            // code under test.
            _ => unsafe { self.history.load(Ordering::Acquire).as_ref() },
        };
        let (seed, doing) = (Seed(self.seed.load(Ordering::Relaxed)), doing.text());
        Some(Stuck { seed, doing, history: history.cloned().unwrap_or_default() })
    }

    /// Writes what runs here: `seed 7 of scenarios/a.json: Bookings/b-1/book#1, attempt 2`; false, and nothing written, if
    /// nothing does. For the thread itself, or for one that no longer cares: what is written may be of two moments.
    fn describe(&self, write: &mut dyn FnMut(&str)) -> bool {
        if self.turns().is_multiple_of(2) {
            return false;
        }
        write("seed ");
        write(digits(self.seed.load(Ordering::Relaxed), &mut [0; 20]));
        // SAFETY: null, or a name that lives as long as the process.
        if let Some(name) = unsafe { self.scenario.load(Ordering::Acquire).as_ref() } {
            write(" of ");
            write(name);
        }
        let doing = self.doing.load(Ordering::Acquire);
        if doing == taken() {
            return false;
        }
        // SAFETY: this thread's own frame, which waits for this; or the process is at its end.
        if let Some(doing) = unsafe { doing.as_ref() } {
            write(": ");
            doing.describe(write);
        }
        true
    }
}

/// Writes what this thread runs, or else what any thread runs; false, and nothing written, if none simulates. Allocates
/// nothing and waits for nothing: made for a signal handler.
pub(crate) fn describe(write: &mut dyn FnMut(&str)) -> bool {
    if let Ok(Some(own)) = SLOT.try_with(Cell::get)
        && own.describe(write)
    {
        return true;
    }
    let Ok(all) = ALL.try_lock() else { return false };
    let mut any = false;
    for slot in all.iter() {
        if slot.turns() % 2 == 1 && slot.doing.load(Ordering::Relaxed) != taken() {
            write(if any { "; or " } else { "" });
            any |= slot.describe(write);
        }
    }
    any
}

/// While this lives, its thread is at a run.
#[derive(Debug)]
pub(crate) struct Run {
    slot: Option<&'static Slot>,
}

/// This thread begins a run of a scenario, by its name as [`scenario`] gives it.
pub(crate) fn run(scenario: &'static String, seed: Seed) -> Run {
    let slot = SLOT.get();
    if let Some(slot) = slot {
        slot.seed.store(seed.0, Ordering::Relaxed);
        slot.scenario.store(ptr::from_ref(scenario).cast_mut(), Ordering::Relaxed);
        slot.turns.fetch_add(1, Ordering::Release);
    }
    Run { slot }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.turns.fetch_add(1, Ordering::Release);
        }
    }
}

/// Runs `f`; what is noted in `history` meanwhile can be read by who takes this thread.
///
/// # Safety
/// While `f` runs code under test, by way of [`during`], nothing may change what `history` points to, and it must live
/// until `f` returns.
pub(crate) unsafe fn with_history<T>(history: *const History, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<&'static Slot>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(slot) = self.0 {
                slot.history.store(ptr::null_mut(), Ordering::Release);
            }
        }
    }
    let slot = SLOT.get();
    if let Some(slot) = slot {
        slot.history.store(history.cast_mut(), Ordering::Release);
    }
    let _restore = Restore(slot);
    f()
}

/// Runs code under test. If the thread is taken meanwhile, this never returns.
pub(crate) fn during<T>(doing: Doing<'_>, f: impl FnOnce() -> T) -> T {
    let Some(slot) = SLOT.get() else { return f() };
    let outer = slot.doing.swap((&raw const doing).cast_mut().cast(), Ordering::AcqRel);
    if outer == taken() {
        slot.doing.store(outer, Ordering::Release);
        wait_for_ever();
    }
    let _restore = Restore { slot, outer, doing };
    f()
}

struct Restore<'a> {
    slot: &'static Slot,
    outer: *mut Doing<'static>,
    doing: Doing<'a>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            LEFT.set(LEFT.take().or_else(|| Some(self.doing.text())));
        }
        if self.slot.doing.swap(self.outer, Ordering::AcqRel) == taken() {
            self.slot.doing.store(taken(), Ordering::Release);
            wait_for_ever();
        }
    }
}

/// What code under test was running when a panic left it, since the last call.
pub(crate) fn left() -> Option<String> {
    LEFT.take()
}

/// The seed of the run that this thread is at, or was at last.
pub(crate) fn seed() -> Seed {
    Seed(SLOT.get().map_or(0, |slot| slot.seed.load(Ordering::Relaxed)))
}

/// What this thread owns is being read by others, and what it borrowed is gone.
fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{base::VirtualTime, history::Event};

    #[test]
    fn numbers_are_written_in_digits() {
        for number in [0, 7, 10, 987, u64::MAX] {
            assert_eq!(digits(number, &mut [0; 20]), number.to_string());
        }
    }

    #[test]
    fn who_does_not_come_back_is_taken_with_what_happened_and_never_comes_back() {
        let slot = Slot::claim();
        let (go, gone) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let back = tell.clone();
        thread::spawn(move || {
            slot.adopt();
            let _run = run(scenario("scenarios/a.json"), Seed(7));
            let mut history = History::new();
            history.push(VirtualTime::ZERO, Event::FaultsOver);
            // SAFETY: nothing changes the history below.
            unsafe {
                with_history(&raw const history, || {
                    during(Doing::Handler("S/k/h#1", 2), || {
                        tell.send("inside").unwrap();
                        let _ = gone.recv();
                    });
                });
            }
            back.send("back").unwrap();
        });
        assert_eq!(told.recv(), Ok("inside"));
        assert_eq!(slot.turns() % 2, 1);
        let mut text = String::new();
        assert!(slot.describe(&mut |part| text.push_str(part)));
        assert_eq!(text, "seed 7 of scenarios/a.json: S/k/h#1, attempt 2");
        let stuck = slot.take().expect("it is in code under test");
        assert_eq!((stuck.seed, &*stuck.doing), (Seed(7), "S/k/h#1, attempt 2"));
        assert_eq!(stuck.history.len(), 1);
        assert!(slot.take().is_none(), "once");
        drop(go);
        let late = told.recv_timeout(std::time::Duration::from_millis(200));
        assert_eq!(late, Err(mpsc::RecvTimeoutError::Timeout), "it never comes back");
    }

    #[test]
    fn who_is_between_two_calls_cannot_be_taken_and_a_panic_says_what_it_left() {
        let slot = Slot::claim();
        thread::spawn(move || {
            slot.adopt();
            let _run = run(scenario("b"), Seed(1));
            during(Doing::Build, || during(Doing::Tasks, || ()));
            assert!(slot.take().is_none());
            let panicked = std::panic::catch_unwind(|| {
                during(Doing::System("hotel"), || std::panic::resume_unwind(Box::new(())));
            });
            assert!(panicked.is_err());
            assert_eq!(left().as_deref(), Some("the system hotel"));
            assert_eq!(left(), None);
            assert!(slot.take().is_none());
        })
        .join()
        .unwrap();
        slot.release();
    }
}
