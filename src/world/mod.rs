//! The outside world: what services ask of it, and simulated systems with ground-truth ledgers.
//!
//! The traits are what a production service would have; the reference services know nothing else of
//! this crate. The simulated systems are plain state machines: a request in, an effect and an answer out.
//!
//! Must not know: faults, Restate.

pub(crate) mod carrier;
pub(crate) mod catalogue;
pub(crate) mod desks;
pub(crate) mod gateway;
pub(crate) mod line;
pub(crate) mod mailer;
pub mod signature;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::base::Cents;

/// The secret that the simulated sender of webhooks signs with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_simulated";

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
    /// What whoever sends webhooks signs them with; see [`signature`].
    pub webhook_secret: Arc<str>,
}

impl fmt::Debug for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Systems").finish_non_exhaustive()
    }
}

/// What a call to the outside world returns.
pub type WorldFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a call to the outside world gave no answer, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// Nothing happened: connection refused, service down. Worth another try.
    #[error("{0} is unavailable")]
    Unavailable(String),
    /// Nothing happened: there were too many requests. Worth another try, later.
    #[error("{0} takes no more requests for now")]
    RateLimited(String),
    /// No answer came; whether it happened is unknown. Worth another try with the same idempotency key.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The request is understood and will never be done.
    #[error("{0}")]
    Rejected(String),
}

/// A request to take money.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// How much.
    pub amount: Cents,
    /// ISO 4217 code.
    pub currency: String,
    /// Whose money.
    pub customer: String,
    /// Repeating a request with the same key gives the first answer and takes no more money.
    pub idempotency_key: Option<String>,
}

/// The gateway's answer to a [`ChargeRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeAnswer {
    /// The money was taken; the charge's id: `ch_...`.
    Captured {
        /// The charge's id.
        charge_id: String,
    },
    /// The customer's bank said no.
    Declined {
        /// Why.
        reason: String,
    },
}

/// A request to give money back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefundRequest {
    /// Of which charge.
    pub charge_id: String,
    /// How much.
    pub amount: Cents,
    /// Repeating a request with the same key gives the first answer and gives back no more.
    pub idempotency_key: Option<String>,
}

/// A payment gateway, in the manner of Stripe.
pub trait PaymentGateway: Send + Sync {
    /// Takes money.
    ///
    /// # Errors
    /// [`WorldError::Rejected`] if the key was used with other parameters, or was voided.
    fn charge(&self, request: ChargeRequest) -> WorldFuture<'_, Result<ChargeAnswer, WorldError>>;

    /// Gives money back; answers with the refund's id: `re_...`.
    ///
    /// # Errors
    /// [`WorldError::Rejected`] if the charge is unknown or less is left of it.
    fn refund(&self, request: RefundRequest) -> WorldFuture<'_, Result<String, WorldError>>;

    /// Undoes whatever was charged under `idempotency_key`, and makes the key unusable: a charge
    /// under it that arrives later is rejected. Doing it twice does it once. Adyen calls it a technical
    /// cancel. Answers with the refund's id if money had been taken.
    ///
    /// # Errors
    /// None but those of the connection.
    fn void(&self, idempotency_key: String) -> WorldFuture<'_, Result<Option<String>, WorldError>>;
}

/// An email to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Email {
    /// To whom.
    pub recipient: String,
    /// The subject line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Repeating a request with the same key sends nothing more and gives the first message id.
    pub idempotency_key: Option<String>,
}

/// A mail provider.
pub trait Mailer: Send + Sync {
    /// Sends an email; answers with the message's id: `msg_...`.
    ///
    /// # Errors
    /// [`WorldError::Timeout`] says nothing about whether it was sent.
    fn send(&self, email: Email) -> WorldFuture<'_, Result<String, WorldError>>;
}

/// A request for a shipping label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LabelRequest {
    /// What is shipped, as the sender calls it.
    pub parcel: String,
    /// To whom.
    pub recipient: String,
    /// Repeating a request with the same key gives the first label.
    pub idempotency_key: Option<String>,
}

/// A carrier that ships parcels.
pub trait Carrier: Send + Sync {
    /// Makes a shipping label; answers with its id: `lbl_...`.
    ///
    /// # Errors
    /// [`WorldError::Rejected`] if the carrier does not deliver there, or if the key was used with other
    /// parameters, or was voided.
    fn label(&self, request: LabelRequest) -> WorldFuture<'_, Result<String, WorldError>>;

    /// Cancels a label.
    ///
    /// # Errors
    /// [`WorldError::Rejected`] if there is no such label, or if it is cancelled already.
    fn cancel_label(&self, label_id: String) -> WorldFuture<'_, Result<(), WorldError>>;

    /// Cancels whatever was made under `idempotency_key`, and makes the key unusable: a request under it that
    /// arrives later is rejected. Doing it twice does it once. Answers with the label, if there was one.
    ///
    /// # Errors
    /// None but those of the connection.
    fn void_label(
        &self,
        idempotency_key: String,
    ) -> WorldFuture<'_, Result<Option<String>, WorldError>>;
}

/// How often a subscription is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BillingCycle {
    /// Every month.
    Monthly,
    /// Every year.
    Yearly,
}

/// A plan that customers can subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Its id.
    pub plan_id: String,
    /// What customers call it.
    pub name: String,
    /// What it costs per period.
    pub price: Cents,
    /// The period.
    pub billing_cycle: BillingCycle,
}

/// The catalogue of plans.
pub trait PlanCatalogue: Send + Sync {
    /// The plan with this id, as it is today; none if there is no such plan.
    ///
    /// # Errors
    /// None but those of the connection.
    fn plan(&self, plan_id: String) -> WorldFuture<'_, Result<Option<Plan>, WorldError>>;
}
