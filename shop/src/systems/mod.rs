//! The outside world of the shop: one file for each external system, with what services ask of it and how it is
//! simulated.
//!
//! The traits are what a production service would have; the reference services know nothing else of this module.
//!
//! Must not know: services, faults.

mod api;
pub mod carrier;
pub mod catalogue;
pub mod gateway;
pub mod mailer;
pub mod signature;
pub mod stripe;

use std::{collections::BTreeMap, fmt, sync::Arc};

use onceproof::system::{OpeningState, World};

pub use self::{
    api::{ApiError, ApiFuture},
    carrier::{Carrier, LabelRequest},
    catalogue::{BillingCycle, Plan, PlanCatalogue},
    gateway::{ChargeAnswer, ChargeRequest, PaymentGateway, RefundRequest},
    mailer::{Email, Mailer},
};
use crate::money::Cents;

/// The systems of the outside world that services are built with.
#[derive(Clone)]
pub struct Systems {
    /// The payment gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// The mail provider.
    pub mailer: Arc<dyn Mailer>,
    /// The carrier.
    pub carrier: Arc<dyn Carrier>,
    /// The subscription plans.
    pub catalogue: Arc<dyn PlanCatalogue>,
    /// What webhooks are signed with; see [`signature`].
    pub webhook_secret: Arc<str>,
    /// What bank accounts hold before anything was paid from them or to them; one that is not here holds nothing.
    /// Empty in the simulation, where a scenario's accounts are open before the run begins.
    pub accounts: Arc<BTreeMap<String, Cents>>,
}

impl fmt::Debug for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Systems").finish_non_exhaustive()
    }
}

impl Systems {
    /// The simulated systems of a run.
    #[must_use]
    pub fn of(world: &World) -> Self {
        Self {
            gateway: Arc::new(world.connect::<gateway::Gateway>()),
            mailer: Arc::new(world.connect::<mailer::MailServer>()),
            carrier: Arc::new(world.connect::<carrier::ParcelCarrier>()),
            catalogue: Arc::new(world.connect::<catalogue::Catalogue>()),
            webhook_secret: stripe::SECRET.into(),
            accounts: Arc::new(accounts(world)),
        }
    }
}

/// The balances of accounts in a process that is hosted for a real server.
fn accounts(world: &World) -> BTreeMap<String, Cents> {
    let of_accounts = world.opening_states().iter().filter(|state| state.service == "Account");
    let balance = |state: &OpeningState| {
        let cents = state.value.get("balance")?.as_i64()?;
        Some((state.key.clone(), Cents(cents)))
    };
    of_accounts.filter_map(balance).collect()
}
