//! Planted bugs of `SubscriptionService`.
