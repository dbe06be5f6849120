//! The sender of webhooks: it signs as Stripe does, and sends again for three days until it is answered with
//! success. And what others send in its name.
//!
//! Must not know: services.

use onceproof::system::{Context, Delivery, OwnFault, Rejected, Schedule, Sending, System};

use super::signature;

/// The secret that it signs with.
pub const SECRET: &str = "whsec_simulated";
/// What is signed with by those who do not know the secret.
const WRONG_SECRET: &str = "whsec_guessed";
/// How far apart a forged copy and the webhook arrive at most, in milliseconds.
const FORGED_WITHIN_MS: u64 = 2_000;
/// How much later an old copy arrives, in minutes: an hour to three years.
const STALE_MINUTES: (u64, u64) = (60, 3 * 365 * 24 * 60);

/// The simulated sender.
#[derive(Clone, Copy, Debug)]
pub struct Stripe;

impl System for Stripe {
    const NAME: &'static str = "stripe";
    const SUMMARY: &'static str =
        "the sender of webhooks: signs them, and sends again for three days";
    const FAULTS: &'static [OwnFault] = &[
        OwnFault { name: "forged", summary: "a copy of a webhook, signed with another secret" },
        OwnFault { name: "stale", summary: "an old signed webhook again, up to three years later" },
    ];
    /// Three days of tries, as Stripe's documentation has it: <https://docs.stripe.com/webhooks#retries>.
    const RETRIES: Schedule = {
        const MINUTE: u64 = 60_000;
        const HOUR: u64 = 60 * MINUTE;
        Schedule(&[
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            12 * HOUR,
            12 * HOUR,
            12 * HOUR,
            18 * HOUR,
        ])
    };
    type Config = ();
    type Request = ();
    type Response = ();

    fn new(_: &()) -> Self {
        Self
    }

    fn handle(&mut self, _: &(), _: &mut Context<'_>) -> Result<(), Rejected> {
        Err(Rejected::new("it takes no requests"))
    }

    fn sending(&mut self, delivery: &Delivery, cx: &mut Sending<'_>) {
        let now = cx.unix_ms();
        match cx.fault_form("forged", 2) {
            0 => {}
            form => {
                let within = cx.between("forged_ms", 1, FORGED_WITHIN_MS);
                let copy_ms = if form == 1 { within } else { 0 };
                cx.delay(within - copy_ms);
                cx.copy("forged", copy_ms, signed(WRONG_SECRET, &delivery.body, now));
            }
        }
        if cx.fault("stale") {
            let minutes = cx.between("stale_minutes", STALE_MINUTES.0, STALE_MINUTES.1);
            cx.copy("stale", minutes * 60_000, signed(SECRET, &delivery.body, now));
        }
    }

    fn headers(&self, delivery: &Delivery, unix_ms: u64) -> Vec<(String, String)> {
        signed(SECRET, &delivery.body, unix_ms)
    }
}

fn signed(secret: &str, body: &[u8], unix_ms: u64) -> Vec<(String, String)> {
    let at = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    vec![(signature::HEADER.to_owned(), signature::sign(secret, body, at))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_signed_when_it_arrives() {
        let delivery =
            Delivery::to("WebhookService/evt/ProcessWebhook").expect("a handler").body(&1);
        let [(name, value)] = &Stripe.headers(&delivery, 1_700_000_000_999)[..] else {
            panic!("one header")
        };
        assert_eq!(name, signature::HEADER);
        assert!(value.starts_with("t=1700000000,v1="), "{value}");
        let verified = signature::verify(SECRET, Some(value), b"1", 1_700_000_000);
        assert_eq!(verified, Ok(()));
    }
}
