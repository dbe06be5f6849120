//! Runs a `restate_sdk` endpoint in process: processes, attempts, and how they die.
//!
//! An attempt is an HTTP exchange without HTTP: the request body is a queue, the response body is
//! polled in place, and polling it *is* running the handler. Dropping the body is the crash.
//!
//! Must not know: invariants, faults, the engine.

mod attempt;
mod discover;
mod panics;
mod process;
mod runs;
mod waker;

pub(crate) use attempt::Step;
pub use discover::{DiscoveryError, discover};
pub(crate) use process::Host;
#[cfg(feature = "serve")]
pub(crate) use runs::OpenRuns;

use std::sync::Arc;

use restate_sdk::prelude::Endpoint;

use crate::world::Systems;

/// Builds the services of a new process, with empty memory, around the systems they call.
pub type Factory = Arc<dyn Fn(&Systems) -> Endpoint + Send + Sync>;
