//! What the email services stored and answered, and what left the mail server for them.
//!
//! Must not know: what ought to hold.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

use crate::{
    history::{Event, Inv, Payload},
    invariants::{Business, Facts, Mail},
};

/// The object that sends one email.
pub(in crate::invariants) const EMAIL: &str = "EmailService";
/// The object that has one email sent.
const NOTIFICATION: &str = "NotificationService";

/// What was said of an email at one time.
#[derive(Debug)]
pub(super) struct Told<'h> {
    pub(super) record: usize,
    pub(super) status: Cow<'h, str>,
    pub(super) message: Option<Cow<'h, str>>,
    /// True if it is stored, false if it was answered.
    pub(super) stored: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    message_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    record: Fields<'a>,
}

/// Everything that was said of each email, by service and key, in order of time.
pub(super) fn told<'h>(facts: &Facts<'h>) -> BTreeMap<(&'h str, &'h str), Vec<Told<'h>>> {
    let mut objects: BTreeMap<_, Vec<Told<'h>>> = BTreeMap::new();
    for change in facts.states_of(EMAIL, "email") {
        let stored = change.value.and_then(read::<Stored<'h>>);
        let told = stored.map(|stored| stored.record.told(change.record, true));
        objects.entry((change.service, change.key)).or_default().extend(told);
    }
    for invocation in facts.invocations_of(EMAIL).chain(facts.invocations_of(NOTIFICATION)) {
        let Some((record, answer)) = invocation.answer() else { continue };
        let told = read::<Fields<'h>>(answer).map(|fields| fields.told(record, false));
        objects.entry(invocation.object()).or_default().extend(told);
    }
    for told in objects.values_mut() {
        told.sort_by_key(|told| told.record);
    }
    objects
}

impl<'a> Fields<'a> {
    fn told(self, record: usize, stored: bool) -> Told<'a> {
        let message = Some(self.message_id).filter(|id| !id.is_empty());
        Told { record, status: self.status, message, stored }
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a Payload) -> Option<T> {
    serde_json::from_slice(&payload.0).ok()
}

/// What left the mail server under this email's id, in order of time.
pub(in crate::invariants) fn mails_of<'f, 'h>(
    facts: &'f Facts<'h>,
    key: &'f str,
) -> impl Iterator<Item = &'f Mail<'h>> {
    facts.mails().iter().filter(move |mail| mail.by == Business::object(EMAIL, key))
}

/// The invocation that sent it.
pub(super) fn sender(facts: &Facts<'_>, mail: &Mail<'_>) -> Option<Inv> {
    let Event::WorldEffect { call, .. } = facts.history().records()[mail.record].event else {
        return None;
    };
    facts.calls().iter().find(|known| known.call == call).map(|known| known.inv)
}
