//! Planted bugs of `WebhookService`.
