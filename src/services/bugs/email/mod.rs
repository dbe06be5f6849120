//! Planted bugs of `EmailService` and `NotificationService`.

mod email_without_key;
mod notified_anew;
mod refused_is_sent;
mod resend_sends_again;

pub(in crate::services) use self::{
    email_without_key::EMAIL_WITHOUT_KEY, notified_anew::NOTIFIED_ANEW,
    refused_is_sent::REFUSED_IS_SENT, resend_sends_again::RESEND_SENDS_AGAIN,
};
