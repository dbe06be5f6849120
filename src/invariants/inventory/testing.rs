//! Stories of one product, `widget`.

use super::super::testing::Story;

/// The state: the counts, then the reservations as `id quantity status`.
pub(super) fn stock(counts: [i64; 4], reservations: &[&str]) -> String {
    let [total, available, reserved, sold] = counts;
    let each: Vec<_> = reservations
        .iter()
        .map(|text| {
            let [id, quantity, status] = text.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{text} is no reservation")
            };
            format!(
                r#""{id}":{{"reservationId":"{id}","quantity":{quantity},"status":"{status}"}}"#
            )
        })
        .collect();
    format!(
        r#"{{"totalStock":{total},"availableStock":{available},"reservedStock":{reserved},"soldStock":{sold},"reservations":{{{}}}}}"#,
        each.join(",")
    )
}

/// What the product opens with.
pub(super) fn opens(s: &mut Story, quantity: i64) {
    s.seed("InventoryService", "widget", "stock_level", &stock([quantity, quantity, 0, 0], &[]));
}

/// A handler that is asked about reservation `r` and leaves the stock like this.
pub(super) fn turns(s: &mut Story, handler: &str, state: &str) {
    let to = format!("InventoryService/widget/{handler}");
    let inv = s.begin(&to, r#"{"reservationId":"r","quantity":2}"#);
    s.set(inv, "stock_level", state);
    s.done(inv, r#"{"reservationId":"r"}"#);
}

/// The stock of 5 with 2 set aside for `r`, at 1 s.
pub(super) fn reserved(s: &mut Story) {
    opens(s, 5);
    turns(s.at(1_000), "ReserveStock", &stock([5, 3, 2, 0], &["r 2 active"]));
}
