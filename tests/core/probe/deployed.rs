//! The deployments of the probe.

use std::time::Duration;

use restate_sdk::{
    endpoint::{Builder, HandlerOptions, ServiceOptions},
    prelude::*,
};

use super::{Flow, Probe};

/// Which deployment it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    #[default]
    First,
    /// Its handlers are tried again after 200 ms, and killed after their second failure.
    Second,
    Third,
    /// The workflow, without the object.
    FlowOnly,
}

impl Version {
    /// Those that a step can register, by the names that it gives them.
    pub(crate) const LATER: [(&'static str, Self); 3] =
        [("second", Self::Second), ("third", Self::Third), ("flow_only", Self::FlowOnly)];
}

/// An endpoint with both, as in this deployment: one second before the first retry, and paused after the third
/// failure, if that does not say otherwise.
pub(crate) fn endpoint_of(version: Version) -> Endpoint {
    bind(Endpoint::builder(), version).build()
}

/// The probe, with its flow, in an endpoint with others.
pub(crate) fn bind(builder: Builder, version: Version) -> Builder {
    let options = || {
        let options = ServiceOptions::new();
        match version {
            Version::Second => options
                .retry_policy_initial_interval(Duration::from_millis(200))
                .retry_policy_max_attempts(2)
                .retry_policy_kill_on_max_attempts(),
            _ => options
                .retry_policy_initial_interval(Duration::from_secs(1))
                .retry_policy_max_attempts(3)
                .retry_policy_pause_on_max_attempts(),
        }
    };
    let probe = || Probe { version, ..Probe::default() };
    let flow = Flow { probe: probe() }.into_service_definition().options(options());
    let builder = builder.bind(flow);
    if version == Version::FlowOnly {
        return builder;
    }
    let probe = probe().into_service_definition().options(
        options()
            .handler("lazy", HandlerOptions::new().enable_lazy_state(true))
            .handler("hasty", HandlerOptions::new().inactivity_timeout(Duration::ZERO))
            .handler(
                "brittle",
                HandlerOptions::new()
                    .retry_policy_initial_interval(Duration::from_millis(300))
                    .retry_policy_kill_on_max_attempts(),
            )
            .handler(
                "stubborn",
                HandlerOptions::new()
                    .retry_policy_initial_interval(Duration::from_millis(300))
                    .retry_policy_max_attempts(6),
            )
            .handler(
                "restless",
                HandlerOptions::new()
                    .retry_policy_initial_interval(Duration::from_millis(300))
                    .inactivity_timeout(Duration::ZERO),
            )
            .handler(
                "brief",
                HandlerOptions::new()
                    .idempotency_retention(Duration::from_secs(1))
                    .journal_retention(Duration::from_secs(1)),
            )
            .handler(
                "rash",
                HandlerOptions::new()
                    .inactivity_timeout(Duration::from_secs(1))
                    .abort_timeout(Duration::from_secs(1)),
            ),
    );
    builder.bind(probe)
}
