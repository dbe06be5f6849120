//! Runs services in process: processes, attempts, and how they die.
//!
//! An attempt is an HTTP exchange without HTTP: the request body is a queue, the response body is
//! polled in place, and polling it *is* running the handler. Dropping the body is the crash.
//!
//! Must not know: invariants, faults, the engine.

mod attempt;
mod discover;
mod endpoint;
mod idle;
mod machines;
mod process;
mod runs;
mod waker;
pub(crate) mod watch;

pub(crate) use attempt::Step;
pub use discover::{DiscoveryError, discover};
pub use endpoint::{Endpoint, RequestBody};
pub(crate) use machines::{Machines, THREADS_MS_MAX};
pub(crate) use process::{Polled, Unopened, attempt_of};
#[cfg(feature = "serve")]
pub(crate) use runs::OpenRuns;

use std::sync::Arc;

use crate::system::World;

/// Builds the services of a new process, with empty memory, around the outside world of its run.
pub type Factory = Arc<dyn Fn(&World) -> Endpoint + Send + Sync>;
