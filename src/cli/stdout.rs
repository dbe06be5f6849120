//! Whether the process was started with a closed stdout. Rust's runtime opens `/dev/null` in its place before `main`,
//! so that results would vanish without an error: this looks before the runtime does.
//!
//! Must not know: what is written.

use std::io;

/// # Errors
/// If stdout was closed from the start.
pub(super) fn open() -> io::Result<()> {
    if started_closed() {
        return Err(io::Error::other("it was closed when the command began"));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn started_closed() -> bool {
    false
}

#[cfg(target_os = "linux")]
use linux::started_closed;

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::atomic::{AtomicBool, Ordering};

    static CLOSED: AtomicBool = AtomicBool::new(false);

    /// Called by the loader, before the runtime and `main`.
    #[used]
    // SAFETY: `look` is a function of the type that the loader calls; it allocates nothing and needs no runtime.
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: asks for the flags of a descriptor, which may be closed.
        let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
        CLOSED.store(flags == -1, Ordering::Relaxed);
    }

    pub(super) fn started_closed() -> bool {
        // reading `LOOK` keeps the linker from leaving it out
        std::hint::black_box(LOOK as usize) != 0 && CLOSED.load(Ordering::Relaxed)
    }
}
