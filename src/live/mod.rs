//! What meets a real Restate server: hosts services for it, runs a scenario's steps against it, and says
//! where it differs from the simulated one.
//!
//! Both runtimes leave a [`History`](crate::history::History); the same oracles judge it, and the same code reads
//! from it what is compared. Time is real here, and nothing is a function of a seed.
//!
//! Must not know: any domain, any SDK, arguments of the command line.

mod client;
mod clock;
mod compare;
mod deliveries;
mod host;
mod ledger;
mod log;
mod names;
mod observed;
mod run;
mod server;
#[cfg(test)]
mod tests;
mod world;

use std::{io, time::Duration};

pub use self::{
    compare::{Difference, compare},
    host::{Hosted, serve},
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
    /// The server was there and did not do what it was asked in time.
    #[error("{what} did not come within {} s", waited.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
    },
    /// The scenario waits longer than the run may take.
    #[error("step `{step}` comes after {} s, and a real server's time cannot be skipped; give more time with --patience", at.as_secs())]
    TooLong {
        /// The step.
        step: String,
        /// When it may come.
        at: Duration,
    },
    /// The step is one that only the simulation can do.
    #[error(
        "step `{step}` sends, attaches or completes an awakeable, which is not done on a real server yet"
    )]
    Unsupported {
        /// The step.
        step: String,
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
