//! The sender of webhooks: it signs as Stripe does and sends again until it is answered with success.
//! And what others send in its name.

use super::{
    client::Signing,
    faults::between,
    run::{Sim, Todo, Whom},
};
use crate::{
    history::Event,
    scenario::plan::Fault,
    world::{WEBHOOK_SECRET, signature},
};

/// What somebody signs with who does not know the secret.
const WRONG_SECRET: &str = "whsec_guessed";
/// After how many milliseconds a webhook is sent again: three days of tries, as Stripe's documentation has it.
const AGAIN_MS: &[u64] = {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    &[
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        12 * HOUR,
        12 * HOUR,
        12 * HOUR,
        18 * HOUR,
    ]
};
/// How late a delayed webhook is at most, in milliseconds.
const LATE_MS: u64 = 2 * 24 * 3_600_000;
/// How much later a webhook is sent once more at most, in milliseconds.
const REPEAT_MS: u64 = 3 * 24 * 3_600_000;
/// How much later an old copy arrives, in minutes: an hour to three years.
const STALE_MINUTES: (u64, u64) = (60, 3 * 365 * 24 * 60);
/// How far apart a forged copy and the webhook arrive at most, in milliseconds.
const FORGED_WITHIN_MS: u64 = 2_000;

impl Sim<'_> {
    /// True if the webhook is late: it will be sent at another time.
    pub(super) fn webhook_is_late(&mut self, index: usize, name: &str) -> bool {
        if self.decide(Fault::WebhookDelayed, Whom::Request(index), 1, |_| name.to_owned()) == 0 {
            return false;
        }
        let late_ms = between(self.source, "webhook_late_ms", || name.to_owned(), 1, LATE_MS);
        self.fault(Fault::WebhookDelayed, name.to_owned(), true);
        self.agenda.plan(self.later_ms(late_ms), Todo::Send(index));
        true
    }

    /// Copies of the webhook that is being sent, by its sender and by others; says by how much it comes
    /// later itself.
    pub(super) fn webhook_copies(&mut self, index: usize, attempt: u32, place: &str) -> u64 {
        let mut delay_ms = 0;
        match self.decide(Fault::WebhookForged, Whom::Request(index), 2, |_| place.to_owned()) {
            0 => {}
            form => {
                self.fault(Fault::WebhookForged, place.to_owned(), true);
                let within = between(
                    self.source,
                    "webhook_forged_ms",
                    || place.to_owned(),
                    1,
                    FORGED_WITHIN_MS,
                );
                let (copy_ms, own_ms) = if form == 1 { (within, 0) } else { (0, within) };
                delay_ms = own_ms;
                self.plan_copy(index, attempt, copy_ms, Signing::Forged);
            }
        }
        if self.decide(Fault::WebhookStale, Whom::Request(index), 1, |_| place.to_owned()) != 0 {
            self.fault(Fault::WebhookStale, place.to_owned(), true);
            let (from, to) = STALE_MINUTES;
            let minutes =
                between(self.source, "webhook_stale_minutes", || place.to_owned(), from, to);
            let signed_at = self.unix_seconds();
            self.plan_copy(index, attempt, minutes * 60_000, Signing::Old(signed_at));
        }
        if self.decide(Fault::WebhookDuplicated, Whom::Request(index), 1, |_| place.to_owned()) != 0
        {
            self.fault(Fault::WebhookDuplicated, place.to_owned(), true);
            let ms = between(self.source, "webhook_repeat_ms", || place.to_owned(), 1, REPEAT_MS);
            self.plan_copy(index, attempt, ms, Signing::Fresh);
        }
        delay_ms
    }

    /// When a webhook is sent again after its try `attempt`; none if the sender gives up.
    pub(super) fn webhook_again_ms(attempt: u32) -> Option<u64> {
        AGAIN_MS.get(attempt as usize - 1).copied()
    }

    /// The value of the signature's header for a delivery that arrives now.
    pub(super) fn sign_webhook(
        &mut self,
        request: &str,
        attempt: u32,
        body: &[u8],
        signing: Signing,
    ) -> String {
        let now = self.unix_seconds();
        let (secret, signed_at) = match signing {
            Signing::Fresh => (WEBHOOK_SECRET, now),
            Signing::Old(at) => (WEBHOOK_SECRET, at),
            Signing::Forged => (WRONG_SECRET, now),
        };
        self.record(Event::WebhookSent {
            request: request.into(),
            attempt,
            authentic: signing == Signing::Fresh,
            signed_at,
        });
        signature::sign(secret, body, signed_at)
    }

    fn unix_seconds(&self) -> i64 {
        i64::try_from(self.now.as_unix_millis() / 1000).expect("virtual time is bounded")
    }
}
