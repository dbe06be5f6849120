//! Stories of one product, `widget`, as tables.
//!
//! Must not know: what ought to hold.

use onceproof::oracle::{
    Rule,
    testing::{Story, check as judge},
};

/// A handler that is asked about 2 of reservation `r`, and leaves the stock like this: when, the handler (killed
/// after that if it ends in `!`), total, available, reserved and sold, and the reservations as `id quantity status`.
pub(super) type Turn<'a> = (u64, &'a str, [i64; 4], &'a str);

/// At 1 s, 2 of 5 are set aside for `r`.
pub(super) const RESERVED: Turn<'_> = (1_000, "ReserveStock", [5, 3, 2, 0], "r 2 active");

/// Asserts what an oracle finds of a product that opens with 5, does this, and comes to rest.
#[track_caller]
pub(super) fn check(rule: &Rule, expect: &[&str], turns: &[Turn<'_>]) {
    judge(rule, expect, |s| {
        opens(s, 5);
        plays(s, turns);
        s.quiet();
    });
}

/// What the product opens with.
pub(super) fn opens(s: &mut Story, quantity: i64) {
    s.opens("InventoryService", "widget", "stock_level", &stock([quantity, quantity, 0, 0], ""));
}

/// The stock of 5 with 2 set aside for `r`, at 1 s.
pub(super) fn reserved(s: &mut Story) {
    opens(s, 5);
    plays(s, &[RESERVED]);
}

/// One turn after the other.
pub(super) fn plays(s: &mut Story, turns: &[Turn<'_>]) {
    for (at, handler, counts, reservations) in turns {
        let to = format!("InventoryService/widget/{}", handler.trim_end_matches('!'));
        let inv = s.at(*at).begin(&to, r#"{"reservationId":"r","quantity":2}"#);
        s.set(inv, "stock_level", &stock(*counts, reservations));
        if handler.ends_with('!') {
            s.kill(inv);
        } else {
            s.done(inv, r#"{"reservationId":"r"}"#);
        }
    }
}

/// The state: total, available, reserved, sold, and the reservations as `id quantity status`.
pub(super) fn stock([total, available, reserved, sold]: [i64; 4], reservations: &str) -> String {
    let each = reservations.split(", ").filter(|text| !text.is_empty()).map(|text| {
        let [id, quantity, status] = *text.split(' ').collect::<Vec<_>>() else {
            panic!("`{text}` is no reservation: write `id quantity status`")
        };
        format!(r#""{id}":{{"quantity":{quantity},"status":"{status}"}}"#)
    });
    let each = each.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"totalStock":{total},"availableStock":{available},"reservedStock":{reserved},"soldStock":{sold},"reservations":{{{each}}}}}"#
    )
}
