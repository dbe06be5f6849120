//! The C function that starts threads, defined here for the whole program: those that code in a scope starts are counted.
//!
//! With glibc as a shared library only: in a program that holds its C library there is no other definition to hand on to.
//!
//! Must not know: what threads are waited for.

use std::{
    ffi::{c_int, c_void},
    mem, ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use libc::{pthread_attr_t, pthread_t};

use super::super::{THREAD, Threads};

type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create =
    unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Start, *mut c_void) -> c_int;

/// Keeps the function in every program that links this crate.
#[used]
static LINKED: Create = pthread_create;

/// A thread that was started in a scope, and has not begun.
struct Counted {
    start: Start,
    argument: *mut c_void,
    threads: &'static Threads,
}

/// `pthread_create(3)`.
///
/// # Safety
///
/// As the C function's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(create) = original() else { return libc::EAGAIN };
    let in_scope = |t: &super::super::Thread| t.active.get().then(|| threads_of(t));
    let Some(threads) = THREAD.try_with(in_scope).ok().flatten() else {
        // SAFETY: by contract.
        return unsafe { create(thread, attributes, start, argument) };
    };
    let counted = Box::into_raw(Box::new(Counted { start, argument, threads }));
    threads.alive.fetch_add(1, Ordering::Relaxed);
    // SAFETY: by contract; `run` takes what it is given here, once.
    let result = unsafe { create(thread, attributes, run, counted.cast()) };
    if result == 0 {
        threads.started.fetch_add(1, Ordering::Relaxed);
    } else {
        threads.alive.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: no thread was started that could have it.
        drop(unsafe { Box::from_raw(counted) });
    }
    result
}

/// The threads of a scope; they may outlive it, so this is never freed.
fn threads_of(t: &super::super::Thread) -> &'static Threads {
    t.threads.get().unwrap_or_else(|| {
        let threads: &'static Threads = Box::leak(Box::default());
        t.threads.set(Some(threads));
        threads
    })
}

/// # Safety
///
/// `counted` must be a box of that type, and nobody else's.
unsafe extern "C-unwind" fn run(counted: *mut c_void) -> *mut c_void {
    // SAFETY: by contract.
    let Counted { start, argument, threads } = *unsafe { Box::from_raw(counted.cast::<Counted>()) };
    THREAD.with(|t| t.started_by.set(Some(threads)));
    // SAFETY: what the program wanted to start.
    let result = unsafe { start(argument) };
    if let Ok(Some(threads)) = THREAD.try_with(|t| t.started_by.take()) {
        threads.alive.fetch_sub(1, Ordering::Relaxed);
    }
    result
}

/// The C library's own function.
fn original() -> Option<Create> {
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    let mut found = FOUND.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: the name is a C string.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: a function of that name has that type; null is none.
    unsafe { mem::transmute::<*mut c_void, Option<Create>>(found) }
}
