//! Planted bugs of `EmailService` and `NotificationService`.

mod email_without_key;

pub(in crate::services) use self::email_without_key::EMAIL_WITHOUT_KEY;
