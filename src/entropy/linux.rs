//! The C functions of clock and entropy, defined here for the whole program.
//!
//! A definition in the program goes before the one in the C library, for static references (std)
//! and for `dlsym` (the `getrandom` crate) alike: linkers put a symbol that a shared library also
//! defines into the program's dynamic table. A program that holds glibc itself (`crt-static`) has no
//! such table, and that crate asks the kernel. [`super::capabilities`] checks both ways at run time.
//!
//! On 64-bit Linux only: on 32 bits std asks glibc for `__clock_gettime64`.
//!
//! Must not know: the simulation.

use std::{
    ffi::{c_int, c_long, c_uint, c_void},
    ptr,
    time::Duration,
};

use libc::{clockid_t, size_t, ssize_t, timespec, timeval};

use super::{GOLDEN, THREAD, Thread, mix};
use crate::base::VirtualTime;

mod hash_keys;
mod select_rng;
mod thread_locals;
#[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
mod threads;

pub(super) use hash_keys::{found as hash_keys_found, replace as replace_hash_keys};
pub(super) use select_rng::{found as select_rng_found, replace as replace_select_rng};

/// C's `time_t`, in seconds: 64 bits wide on every 64-bit Linux.
type Secs = i64;

/// What the monotonic clock shows at [`VirtualTime::ZERO`]: a machine that booted a while ago.
/// Small, so that the real clock is past it: std lets the kernel wait for an absolute time.
const MONOTONIC_START: Duration = Duration::from_secs(100);

/// Most bytes that one `getentropy` gives out.
const GETENTROPY_MAX: size_t = 256;

struct Symbols {
    _clock_gettime: unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int,
    _gettimeofday: unsafe extern "C" fn(*mut timeval, *mut c_void) -> c_int,
    _time: unsafe extern "C" fn(*mut Secs) -> Secs,
    getrandom: unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t,
    _getentropy: unsafe extern "C" fn(*mut c_void, size_t) -> c_int,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    _syscall: unsafe extern "C" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long,
}

/// Keeps the functions in every program that links this crate, whatever it calls.
#[used]
static LINKED: Symbols = Symbols {
    _clock_gettime: clock_gettime,
    _gettimeofday: gettimeofday,
    _time: time,
    getrandom,
    _getentropy: getentropy,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    _syscall: syscall,
};

/// Whether code that looks `getrandom` up by name, as the crate of that name does, finds ours.
/// With musl that crate links to it instead, as std does.
pub(super) fn entropy_symbol_is_ours() -> bool {
    // SAFETY: the name is a C string, and the result is only compared.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"getrandom".as_ptr()) };
    cfg!(target_env = "musl") || found == LINKED.getrandom as *mut c_void
}

/// `f` of this thread's state if the thread is in a scope.
fn if_active<T>(f: impl FnOnce(&Thread) -> T) -> Option<T> {
    THREAD.try_with(|t| t.active.get().then(|| f(t))).ok().flatten()
}

/// The virtual time since the Unix epoch, skewed; stops at the epoch.
fn wall(t: &Thread) -> Duration {
    let right = Duration::from_millis(VirtualTime::EPOCH_UNIX_MS)
        .saturating_add(Duration::from_nanos(t.now_ns.get()));
    let skew = Duration::from_millis(t.skew_ms.get().unsigned_abs());
    if t.skew_ms.get() < 0 { right.saturating_sub(skew) } else { right.saturating_add(skew) }
}

/// The virtual time since the simulated machine's start.
fn monotonic(t: &Thread) -> Duration {
    MONOTONIC_START.saturating_add(Duration::from_nanos(t.now_ns.get()))
}

/// What clock `id` shows on this thread, if that is virtual. Clocks of processor time are not.
fn virtual_clock(id: clockid_t) -> Option<Duration> {
    match id {
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => if_active(wall),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM => if_active(monotonic),
        _ => None,
    }
}

/// Whole seconds of `d` as C counts them; stops at the largest.
fn secs(d: Duration) -> Secs {
    Secs::try_from(d.as_secs()).unwrap_or(Secs::MAX)
}

/// The next eight bytes of this thread's stream.
fn draw(t: &Thread) -> [u8; 8] {
    t.drawn.set(true);
    t.stream.set(t.stream.get().wrapping_add(GOLDEN));
    mix(t.stream.get()).to_le_bytes()
}

/// Fills the buffer from this thread's stream; `None`, and nothing done, outside a scope.
///
/// # Safety
///
/// `len` bytes from `buf` must be writable.
unsafe fn fill(buf: *mut u8, len: size_t) -> Option<()> {
    if_active(|t| {
        let mut done = 0;
        while done < len {
            let bytes = draw(t);
            let n = bytes.len().min(len - done);
            // SAFETY: `done + n <= len`, within what the caller vouches for.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), buf.add(done), n) };
            done += n;
        }
    })
}

/// `clock_gettime(2)`.
///
/// # Safety
///
/// `out` must be null or writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(id: clockid_t, out: *mut timespec) -> c_int {
    match virtual_clock(id) {
        Some(d) if !out.is_null() => {
            let shown = timespec { tv_sec: secs(d), tv_nsec: d.subsec_nanos().into() };
            // SAFETY: not null, so writable by the contract.
            unsafe { out.write(shown) };
            0
        }
        // SAFETY: the kernel checks the arguments; the wrapper sets `errno`.
        _ => unsafe {
            real(libc::SYS_clock_gettime, [id as usize, out as usize, 0, 0, 0, 0]) as c_int
        },
    }
}

/// `gettimeofday(2)`.
///
/// # Safety
///
/// `out` must be null or writable; so must `zone`, for a `struct timezone`.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(out: *mut timeval, zone: *mut c_void) -> c_int {
    let Some(d) = if_active(wall).filter(|_| !out.is_null()) else {
        // SAFETY: the kernel checks the arguments; the wrapper sets `errno`.
        return unsafe {
            real(libc::SYS_gettimeofday, [out as usize, zone as usize, 0, 0, 0, 0]) as c_int
        };
    };
    // SAFETY: not null, so writable by the contract.
    unsafe { out.write(timeval { tv_sec: secs(d), tv_usec: d.subsec_micros().into() }) };
    if zone.is_null() {
        return 0;
    }
    // The kernel's zone is the machine's own, not the clock's.
    // SAFETY: the kernel checks the arguments; the wrapper sets `errno`.
    unsafe { real(libc::SYS_gettimeofday, [0, zone as usize, 0, 0, 0, 0]) as c_int }
}

/// `time(2)`.
///
/// # Safety
///
/// `out` must be null or writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(out: *mut Secs) -> Secs {
    let mut now = timespec { tv_sec: -1, tv_nsec: 0 };
    // The coarse clock is the one that the kernel's `time` shows; newer processors lack that call.
    // SAFETY: `now` is writable.
    unsafe { clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut now) };
    if !out.is_null() {
        // SAFETY: not null, so writable by the contract.
        unsafe { out.write(now.tv_sec) };
    }
    now.tv_sec
}

/// `getrandom(2)`. In a scope the flags, which choose among the kernel's sources, mean nothing.
///
/// # Safety
///
/// `len` bytes from `buf` must be writable, unless `buf` is null.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buf: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: writable by the contract, as it is not null.
    if !buf.is_null() && unsafe { fill(buf.cast(), len) }.is_some() {
        return ssize_t::try_from(len).unwrap_or(ssize_t::MAX);
    }
    // SAFETY: the kernel checks the arguments; the wrapper sets `errno`.
    unsafe { real(libc::SYS_getrandom, [buf as usize, len, flags as usize, 0, 0, 0]) as ssize_t }
}

/// `getentropy(3)`: all of `len` bytes or an error, whatever signals arrive.
///
/// # Safety
///
/// `len` bytes from `buf` must be writable, unless `buf` is null.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buf: *mut c_void, len: size_t) -> c_int {
    if len > GETENTROPY_MAX {
        return fail(libc::EIO);
    }
    let mut done = 0;
    while done < len {
        // SAFETY: `done < len`, within what the caller vouches for.
        let n = unsafe { getrandom(buf.wrapping_byte_add(done), len - done, 0) };
        match size_t::try_from(n) {
            Ok(0) => return fail(libc::EIO),
            Ok(n) => done += n,
            Err(_) if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            Err(_) => return -1,
        }
    }
    0
}

/// `syscall(2)`, for those that ask the kernel by number: `getrandom` before 0.3, and so `rand` before 0.9.
///
/// # Safety
///
/// As the system call's.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    // SAFETY: by contract; the arguments are those that the C functions take.
    unsafe {
        match number {
            libc::SYS_getrandom => getrandom(a as *mut c_void, b, c as c_uint) as c_long,
            libc::SYS_clock_gettime => clock_gettime(a as clockid_t, b as *mut timespec).into(),
            _ => real(number, [a, b, c, d, e, f]),
        }
    }
}

/// Asks the kernel, past the function above, and reports as C functions do.
///
/// # Safety
///
/// As the system call's.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
unsafe fn real(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> c_long {
    let result: c_long;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel's calling convention; by contract the arguments are right.
    unsafe {
        std::arch::asm!(
            "syscall", inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _, options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel's calling convention; by contract the arguments are right.
    unsafe {
        std::arch::asm!(
            "svc 0", in("x8") number, inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f, options(nostack),
        );
    }
    if (-4095..0).contains(&result) {
        return fail(c_int::try_from(-result).unwrap_or(libc::EINVAL)).into();
    }
    result
}

/// Asks the kernel by the C library's function, which is not replaced here.
///
/// # Safety
///
/// As the system call's.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn real(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> c_long {
    // SAFETY: by contract.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

/// Reports `errno` the way C functions do.
fn fail(errno: c_int) -> c_int {
    // SAFETY: the C library gives out the address of this thread's `errno`.
    unsafe { *libc::__errno_location() = errno };
    -1
}
