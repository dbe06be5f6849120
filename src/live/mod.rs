//! What meets a real Restate server: hosts services for it, runs a scenario's steps against it, and says
//! where it differs from the simulated one.
//!
//! Both runtimes leave a [`History`](crate::history::History); the same oracles judge it, and the same code reads
//! from it what is compared. Time is real here, and nothing is a function of a seed.
//!
//! Must not know: any domain, any SDK, arguments of the command line.

mod agenda;
mod calls;
mod client;
mod clock;
mod compare;
mod deliveries;
mod exchange;
mod guest;
mod host;
mod hosted;
mod identity;
mod ids;
mod journal;
mod ledger;
mod log;
mod mark;
mod names;
mod observed;
mod run;
mod server;
mod tasks;
#[cfg(test)]
mod tests;
mod world;

use std::{
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

pub use self::{
    compare::{Difference, compare},
    host::HostOptions,
    hosted::{Hosted, serve},
    identity::{IdentityKey, IdentityKeyError},
    ids::awakeable_id,
    observed::{Observed, SeenInvocation},
    run::{LiveOptions, LiveReport, run, simulate},
    server::{Answer, Server},
    world::WorldOptions,
};

/// Why a real server could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Nothing answers there, or something that is no Restate server.
    #[error(
        "no Restate server answers at {url} ({problem}); start one, or give its address with --{what}"
    )]
    Gone {
        /// Which of its addresses: `ingress` or `admin`.
        what: &'static str,
        /// The address.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// The scenario says something that can be said of a simulated run alone.
    #[error(
        "{what}: a real server cannot be made to do so; run the scenario in the simulation, without --on"
    )]
    Simulated {
        /// What it is.
        what: String,
    },
    /// The server was there and did not do what it was asked in time.
    #[error("{what} did not come within {} s", waited.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
    },
    /// The port on which services are to be hosted is not free.
    #[error("cannot listen on 127.0.0.1:{port}: {error}; choose another with --{option}")]
    Port {
        /// The port.
        port: u16,
        /// The argument that chooses it.
        option: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The server does not want the services.
    #[error("the Restate server refused the deployment {uri}: {problem}")]
    Refused {
        /// Where the services are.
        uri: String,
        /// What the server said.
        problem: String,
    },
    /// Somebody else's services have the same names there.
    #[error(
        "`{service}` is deployed there already, at {uri} ({deployment}), and would not be asked any more while this runs; \
         use a server of its own, or remove that deployment, or let this run have the services until it ends with \
         --take-over"
    )]
    Taken {
        /// One of them.
        service: String,
        /// Where they are.
        uri: String,
        /// Their deployment's id.
        deployment: String,
    },
    /// Another run uses services of the same names there.
    #[error(
        "another run of onceproof has `{service}` there now, at {uri}; wait until it has ended, or use a server of its own"
    )]
    Busy {
        /// One of them.
        service: String,
        /// Where they are.
        uri: String,
    },
    /// Somebody else's deployment has the address on which this run hosts its services.
    #[error(
        "the server has a deployment at {uri} ({deployment}), which is not this run's; choose another port with --serve-port"
    )]
    SamePlace {
        /// The address.
        uri: String,
        /// The deployment's id.
        deployment: String,
    },
    /// A person, or the system, ended it.
    #[error("interrupted; what it left on the server was removed")]
    Interrupted,
    /// The server said something that was not understood.
    #[error("the Restate server answered {asked} with {answer}")]
    Unexpected {
        /// What it was asked.
        asked: String,
        /// The answer.
        answer: String,
    },
    /// The ledger of the outside world cannot be kept.
    #[error("cannot use the ledger {path}: {problem}")]
    Ledger {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl LiveError {
    /// True if another try may succeed: the server is gone, slow, or not itself.
    #[must_use]
    pub const fn is_about_the_server(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Timeout { .. } | Self::Unexpected { .. })
    }
}

/// What a clock shows now, in milliseconds since the Unix epoch: when a run on a real server begins.
#[must_use]
pub fn unix_ms_now() -> u64 {
    clock::Clock::start().start_unix_ms()
}

/// Ends what waits if a person, or the system, wants it to end.
fn go_on(stop: &AtomicBool) -> Result<(), LiveError> {
    if stop.load(Ordering::Relaxed) { Err(LiveError::Interrupted) } else { Ok(()) }
}

/// Says something on stderr: what hosts services has nobody else to tell.
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}
