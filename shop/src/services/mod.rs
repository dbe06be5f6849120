//! The reference services: `restate_sdk` handlers over the [`systems`](crate::systems) traits, and what scenarios
//! need to know of them.
//!
//! The services are written to be read: each is a model of how such a handler survives crashes, retries
//! and cancels. Each also ships with planted bugs, to see that the invariants catch them.
//!
//! Must not know: the simulation.

mod account;
mod bugs;
mod calendar;
mod durable;
mod email_service;
mod email_templates;
mod inventory_book;
mod inventory_service;
mod notification_service;
mod order_bodies;
mod order_orchestrator;
mod order_request;
mod order_service;
mod order_steps;
mod payment_processor;
mod payment_record;
mod payment_service;
mod payments;
mod registry;
mod rfc3339;
mod saga;
mod service;
mod shipping_service;
mod subscription_record;
mod subscription_service;
mod subscription_terms;
mod webhook_service;

pub use self::{
    account::opening_state,
    inventory_service::opening_stock,
    payment_service::PaymentService,
    registry::{SHIPPED, Shipped, endpoint},
    service::{CheckInput, Handler, Input, REFERENCE, Service, Variant},
};
