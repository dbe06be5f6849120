//! Where results go: what stdout was when the command began. Code under test that prints does so on stderr, or JSON would
//! be no JSON.
//!
//! Whether stdout was closed is looked at before Rust's runtime opens `/dev/null` in its place, so that results would
//! vanish without an error.
//!
//! Must not know: what is written.

use std::{fs::File, io};

/// While this lives, what the process prints to stdout goes to stderr.
#[must_use = "stdout is given back when this is dropped"]
pub(super) struct Claimed(());

/// Keeps stdout for results.
pub(super) fn claim() -> Claimed {
    platform::claim();
    Claimed(())
}

impl Drop for Claimed {
    fn drop(&mut self) {
        platform::give_back();
    }
}

/// Results are written here.
///
/// # Errors
/// If stdout was closed from the start.
pub(super) fn results() -> io::Result<Results> {
    if platform::started_closed() {
        return Err(io::Error::other("it was closed when the command began"));
    }
    Ok(platform::claimed().map_or_else(|| Results::Stdout(io::stdout()), Results::Claimed))
}

/// The descriptor of what stdout was, if it is kept.
pub(super) fn descriptor() -> Option<i32> {
    #[cfg(unix)]
    return platform::claimed().map(std::os::fd::AsRawFd::as_raw_fd);
    #[cfg(not(unix))]
    return None;
}

/// What stdout was.
#[derive(Debug)]
pub(super) enum Results {
    Stdout(io::Stdout),
    Claimed(&'static File),
}

impl io::Write for Results {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Claimed(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Claimed(file) => file.flush(),
        }
    }
}

/// Whether results reach a terminal, and how they may look there.
pub(super) fn choice() -> anstream::ColorChoice {
    match platform::claimed() {
        Some(file) => anstream::AutoStream::choice(file),
        None => anstream::AutoStream::choice(&io::stdout()),
    }
}

/// The size of the terminal that results reach, if it is one.
pub(super) fn size() -> Option<(terminal_size::Width, terminal_size::Height)> {
    match platform::claimed() {
        Some(file) => terminal_size::terminal_size_of(file),
        None => terminal_size::terminal_size_of(io::stdout()),
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn claim() {}
    pub(super) fn give_back() {}
    pub(super) fn claimed() -> Option<&'static std::fs::File> {
        None
    }
    pub(super) fn started_closed() -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        fs::File,
        io::{self, Write as _},
        os::fd::{AsRawFd as _, FromRawFd as _},
        sync::{
            OnceLock,
            atomic::{AtomicBool, Ordering},
        },
    };

    /// What stdout was, from the first claim on.
    static CLAIMED: OnceLock<Option<File>> = OnceLock::new();
    static CLOSED: AtomicBool = AtomicBool::new(false);

    pub(super) fn claim() {
        let was = CLAIMED.get_or_init(|| {
            // SAFETY: makes a new descriptor, which nothing else has; it is not handed on to other programs.
            let copy = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3) };
            // SAFETY: it is open, and this is its only owner.
            (copy >= 0).then(|| unsafe { File::from_raw_fd(copy) })
        });
        if was.is_some() {
            // SAFETY: both are open; stdout is replaced as a whole.
            unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) };
        }
    }

    pub(super) fn give_back() {
        // what other code printed last belongs where the rest of it went
        drop(io::stdout().flush());
        if let Some(file) = claimed() {
            // SAFETY: both are open; stdout is replaced as a whole.
            unsafe { libc::dup2(file.as_raw_fd(), libc::STDOUT_FILENO) };
        }
    }

    pub(super) fn claimed() -> Option<&'static File> {
        CLAIMED.get()?.as_ref()
    }

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
