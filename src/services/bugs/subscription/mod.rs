//! Planted bugs of `SubscriptionService`.

mod renewal_key_with_time;

pub(in crate::services) use self::renewal_key_with_time::RENEWAL_KEY_WITH_TIME;
