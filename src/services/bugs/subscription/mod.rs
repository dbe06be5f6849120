//! Planted bugs of `SubscriptionService`.

mod cancelled_renews;
mod daily_rate;
mod declined_goes_on;
mod renewal_key_with_time;
mod welcome_first;

pub(in crate::services) use self::{
    cancelled_renews::CANCELLED_RENEWS, daily_rate::DAILY_RATE, declined_goes_on::DECLINED_GOES_ON,
    renewal_key_with_time::RENEWAL_KEY_WITH_TIME, welcome_first::WELCOME_FIRST,
};
