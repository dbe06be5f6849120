//! The last words of a process that code under test takes down: an abort, a stack overflow, an `exit` name what was
//! running, and results that were there are not lost.
//!
//! Signal handlers and one for the end of the process, put in place once; a run costs nothing for it. What is said is
//! made of what each thread publishes in [`watch`](crate::host::watch). In a signal handler nothing may be allocated or
//! waited for, so all that can be said stands ready before.
//!
//! Must not know: how results look.

use std::sync::{
    Arc, Once,
    atomic::{AtomicI32, AtomicPtr, Ordering},
};

/// What is written if the process is taken down: before and after the words that name why.
#[derive(Debug, Default)]
pub(crate) struct LastResults {
    pub(crate) before: String,
    /// In parts: most of them are those of the results before.
    pub(crate) after: Vec<Arc<str>>,
}

static RESULTS: AtomicPtr<LastResults> = AtomicPtr::new(std::ptr::null_mut());
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);
/// The thread that says them: 0 for none, [`SAID`] if they were said, or if there is nothing to say.
static SAYS: AtomicI32 = AtomicI32::new(0);
/// No thread has this number.
const SAID: i32 = -1;

/// From now on, whatever takes the process down is named, where the system allows it.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(platform::install);
}

/// What is to be written to this descriptor if the process is taken down.
pub(crate) fn keep(descriptor: i32, results: LastResults) {
    DESCRIPTOR.store(descriptor, Ordering::Release);
    let former = RESULTS.swap(Box::into_raw(Box::new(results)), Ordering::AcqRel);
    if !former.is_null() {
        // SAFETY: it came from a box, and who swaps it out is its owner.
        drop(unsafe { Box::from_raw(former) });
    }
}

/// The process ends because this command wants it to.
pub(crate) fn be_silent() {
    SAYS.store(SAID, Ordering::Release);
}

/// Ends the process before the system does so without a word.
pub(super) fn out_of_memory(bytes: u64) {
    let mib = bytes >> 20;
    platform::out_of_memory(&format!(
        "it has {mib} MiB of memory, more than half of what there is"
    ));
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn install() {}
    pub(super) fn out_of_memory(_what: &str) {}
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        ffi::{c_int, c_void},
        mem, ptr,
        sync::atomic::{AtomicPtr, Ordering},
    };

    use super::{DESCRIPTOR, RESULTS, SAID, SAYS};
    use crate::host::watch;

    /// The exit code then, instead of what the code under test wanted.
    const EXIT_CODE: c_int = 1;

    /// What ends a process that did not ask for it, and how it is told.
    const SIGNALS: &[(c_int, &str)] = &[
        (libc::SIGABRT, "it aborted (SIGABRT): `abort`, or a panic while another one unwinds"),
        (libc::SIGSEGV, "SIGSEGV: a stack overflow, or a wild pointer"),
        (libc::SIGBUS, "SIGBUS: a stack overflow, or a wild pointer"),
        (libc::SIGILL, "SIGILL: an illegal instruction, or `abort`"),
        (libc::SIGFPE, "SIGFPE: a division by zero in foreign code"),
        (libc::SIGTRAP, "SIGTRAP: a trap"),
    ];

    const LEFT_BEHIND: &str = "what a run that has no end has left behind";

    /// The handlers that were there before, in the order of `SIGNALS`.
    static FORMER: [AtomicPtr<libc::sigaction>; SIGNALS.len()] =
        [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS.len()];

    pub(super) fn install() {
        for ((signal, _), former) in SIGNALS.iter().zip(&FORMER) {
            // SAFETY: all zeros is a valid `sigaction`; the handler is a function of the type that the flags announce, and
            // does what a signal handler may.
            unsafe {
                let mut action: libc::sigaction = mem::zeroed();
                let mut before: libc::sigaction = mem::zeroed();
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                if libc::sigaction(*signal, &raw const action, &raw mut before) == 0 {
                    former.store(Box::into_raw(Box::new(before)), Ordering::Release);
                }
            }
        }
        // SAFETY: the function stays in memory, for this crate is part of the program.
        unsafe { libc::atexit(on_exit) };
    }

    extern "C" fn on_signal(signal: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
        let known = SIGNALS.iter().zip(&FORMER).find(|((number, _), _)| *number == signal);
        let Some(((_, what), former)) = known else { return };
        let said = say(what, false);
        if signal == libc::SIGABRT && said && has_results() {
            end();
        }
        // std's handler tells of a stack overflow, and aborts
        let former = former.load(Ordering::Acquire);
        // SAFETY: null, or a box that is never freed; and both calls are allowed in a signal handler.
        unsafe {
            match former.as_ref() {
                Some(former) => libc::sigaction(signal, former, ptr::null_mut()),
                None => libc::signal(signal, libc::SIG_DFL) as c_int,
            };
        }
    }

    pub(super) fn out_of_memory(what: &str) {
        say(what, true);
        end();
    }

    extern "C" fn on_exit() {
        if say("it ended the process (`exit`)", false) {
            end();
        }
    }

    fn has_results() -> bool {
        DESCRIPTOR.load(Ordering::Acquire) >= 0
    }

    fn end() -> ! {
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(EXIT_CODE) }
    }

    /// Says once what took the process down; true if it was code under test. Memory is taken by nothing else.
    fn say(what: &str, memory: bool) -> bool {
        // SAFETY: asks for this thread's number.
        let this = unsafe { libc::gettid() };
        match SAYS.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) if watch::describe(&mut |_| ()) => {}
            // what a run left behind that did not end
            Ok(_) if memory => {}
            Ok(_) => {
                SAYS.store(0, Ordering::Release);
                return false;
            }
            Err(SAID) => return has_results(),
            // what is said here went wrong
            Err(other) if other == this => return true,
            // two threads at once: the other one ends the process
            Err(_) => loop {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() };
            },
        }
        write(libc::STDERR_FILENO, "\nerror: code under test took the process down: ");
        write(libc::STDERR_FILENO, what);
        write(libc::STDERR_FILENO, "; running was ");
        if !watch::describe(&mut |part| write(libc::STDERR_FILENO, part)) {
            write(libc::STDERR_FILENO, LEFT_BEHIND);
        }
        write(libc::STDERR_FILENO, "\n");
        let results = RESULTS.swap(ptr::null_mut(), Ordering::AcqRel);
        let descriptor = DESCRIPTOR.load(Ordering::Acquire);
        // SAFETY: null, or a box that is nobody else's since the swap.
        if let Some(results) = unsafe { results.as_ref() } {
            write(descriptor, &results.before);
            write_in_json(descriptor, what);
            write(descriptor, "; running was ");
            if !watch::describe(&mut |part| write_in_json(descriptor, part)) {
                write(descriptor, LEFT_BEHIND);
            }
            results.after.iter().for_each(|part| write(descriptor, part));
        }
        SAYS.store(SAID, Ordering::Release);
        true
    }

    fn write(descriptor: c_int, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the bytes are there. Allowed in a signal handler.
            let n = unsafe { libc::write(descriptor, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(n) {
                Ok(n) if n > 0 => rest = &rest[n..],
                _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
                _ => return,
            }
        }
    }

    /// What would end a string of JSON is left out.
    fn write_in_json(descriptor: c_int, text: &str) {
        let special = |c: char| c == '"' || c == '\\' || c.is_control();
        for part in text.split(special) {
            write(descriptor, part);
        }
    }
}
