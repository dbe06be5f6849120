//! Planted bugs of `EmailService` and `NotificationService`.
