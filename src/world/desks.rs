//! Every simulated system, as one: whoever holds it decides when a request arrives.

use super::{
    carrier::CarrierDesk,
    catalogue::Plans,
    gateway::Gateway,
    line::{Answer, Request},
    mailer::MailServer,
};
use crate::history::{Effect, History};

/// The systems and their ledgers.
#[derive(Clone, Debug)]
pub(crate) struct Desks {
    pub(crate) gateway: Gateway,
    pub(crate) mailer: MailServer,
    pub(crate) carrier: CarrierDesk,
    pub(crate) catalogue: Plans,
}

impl Desks {
    /// Does what `request` asks; `decline` is the customer's bank's word on a new charge.
    ///
    /// Returns what really happened, and the answer to give.
    pub(crate) fn apply(&mut self, request: &Request, decline: bool) -> (Vec<Effect>, Answer) {
        match request {
            Request::Charge(_) | Request::Refund(_) | Request::Void(_) => {
                self.gateway.apply(request, decline)
            }
            Request::Send(email) => self.mailer.apply(email),
            Request::Label(_) | Request::CancelLabel(_) | Request::VoidLabel(_) => {
                self.carrier.apply(request)
            }
            Request::Plan(plan) => self.catalogue.apply(plan),
        }
    }

    /// The second set of books: each ledger must equal the fold of the history's effects.
    ///
    /// # Errors
    /// Says on what they differ; that is a bug of this crate.
    pub(crate) fn balances_with(&self, history: &History) -> Result<(), String> {
        self.gateway.balances_with(history)?;
        self.mailer.balances_with(history)?;
        self.carrier.balances_with(history)?;
        self.catalogue.balances_with(history)
    }
}
