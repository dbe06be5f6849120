//! A token that has expired takes no more money: what made it safe to repeat is gone, so a late retry
//! must be refused, not executed again.

use super::{
    Facts, Invariant, Violation,
    facts::Business,
    views::{TOKEN, Token},
};

const NAME: &str = "expired_never_charges";

pub(super) struct ExpiredNeverCharges;

impl Invariant for ExpiredNeverCharges {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a token that has expired never takes money"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, token) in &facts.views().tokens {
            if let Some(expired) = expired_at(token) {
                violations.extend(check_token(facts, key, expired));
            }
        }
    }
}

/// The end of the first `expire` that left the token expired, or without the status it had.
fn expired_at(token: &Token<'_>) -> Option<usize> {
    let expiries = token.answers.iter().filter(|a| a.handler == "expire" && a.succeeded());
    expiries.map(|a| a.record).find(|&record| {
        let status = token.statuses.iter().rfind(|(set, _)| *set < record);
        status.is_some_and(|(_, s)| matches!(s.as_deref(), None | Some("EXPIRED")))
    })
}

fn check_token(facts: &Facts<'_>, key: &str, expired: usize) -> Option<Violation> {
    let transfers = facts.views().transfers_of(key).iter().filter(|t| t.delta < 0);
    let charges = facts.charges_of(Business::object(TOKEN, key)).iter();
    let mut taken: Vec<_> = transfers
        .map(|t| (t.record, format!("{} from {}", -t.delta, t.account)))
        .chain(charges.map(|c| (c.record, c.id.to_owned())))
        .collect();
    taken.sort_unstable();
    let late = taken.iter().position(|(record, _)| *record > expired)?;
    let again = if late > 0 { " again" } else { "" };
    let list: Vec<_> = taken[late..]
        .iter()
        .map(|(record, what)| format!("{what} at {}", facts.at(*record)))
        .collect();
    let message = format!(
        "{key} expired at {} and was charged{again}: {}",
        facts.at(expired),
        list.join(", ")
    );
    let records = taken.iter().map(|(record, _)| *record).chain([expired]).collect();
    Some(Violation::new(NAME, message, records))
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Story, book, check, order},
        ExpiredNeverCharges as It,
    };

    fn expires(s: &mut Story, state: Option<&str>) {
        let inv = s.at(86_400_000).begin("PaymentProcessor/t/expire", "");
        match state {
            Some(state) => s.set(inv, "status", state),
            None => s.clear(inv, "status"),
        }
        s.done(inv, "");
        s.at(90_000_000);
    }

    #[test]
    fn a_late_retry_that_charges_again_is_told() {
        for state in [None, Some(r#""EXPIRED""#)] {
            let message =
                "t expired at 86400.000s and was charged again: 100 from abc at 90000.000s";
            check(&It, &[message], |s| {
                s.seed("Account", "abc", "account", &book(1_000));
                s.pays_token("t", 100, 900);
                expires(s, state);
                s.pays_token("t", 100, 800);
            });
        }
        check(&It, &["t expired at 86400.000s and was charged: 100 from abc at 90000.000s"], |s| {
            s.seed("Account", "abc", "account", &book(1_000));
            let cancel = s.begin("PaymentProcessor/t/cancelPayment", "");
            s.set(cancel, "status", r#""CANCELLED""#);
            s.done(cancel, "");
            expires(s, None);
            s.pays_token("t", 100, 900);
        });
    }

    #[test]
    fn a_refusal_another_token_or_an_expiry_without_effect_is_right() {
        check(&It, &[], |s| {
            s.seed("Account", "abc", "account", &book(1_000));
            s.op("PaymentProcessor/t/expire", "", "");
            s.pays_token("t", 100, 900);
            expires(s, Some(r#""EXPIRED""#));
            let refused = r#"{"success":false,"reason":"token expired"}"#;
            s.op("PaymentProcessor/t/makePayment", &order(100), refused);
            s.pays_token("u", 100, 800);
        });
    }
}
