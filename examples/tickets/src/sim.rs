//! How the box office is tested: a bank, simulated; what must hold; and bugs, to see it break.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use onceproof::{
    choice::Rate,
    history::EffectRecord,
    oracle::{Changed, Facts, Happened, Rule, agrees, effects, eventually, oracle, steps},
    subject::{Subject, Variant},
    system::{
        CallError, Connection, Context, Delivery, OwnFault, Rejected, Schedule, Sending, System,
    },
};
use restate_sdk::prelude::Endpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AcquirerApi, Answer, ApiError, Order, Orders, Seat, Seats, TOKEN_HEADER, Verdict, Wish,
};

/// The token that the bank puts on its callbacks.
const TOKEN: &str = "bank-7f3a";
const MINUTE_MS: u64 = 60_000;

/// What the bank can be asked: its HTTP API.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Authorize { order: String, seat: String, cents: i64 },
    Refund { order: String },
}

/// What a scenario may say under `world.acquirer`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Config {
    /// How long it takes to decide, at most, in minutes; 1 if not given.
    minutes: Option<u64>,
}

/// An entry in an order's account at the bank.
#[derive(Debug, Serialize)]
struct Posted {
    order: String,
    cents: i64,
}

onceproof::effects! { Posted = "posted" }

struct Acquirer {
    minutes: u64,
    accounts: BTreeMap<String, i64>,
}

impl Acquirer {
    fn post(&mut self, order: &str, cents: i64, cx: &mut Context<'_>) {
        if cents != 0 {
            *self.accounts.entry(order.to_owned()).or_default() += cents;
            cx.effect(Posted { order: order.to_owned(), cents });
        }
    }

    /// Decides at once, and calls back later.
    fn decide(
        &mut self,
        order: &str,
        verdict: &Verdict,
        after_ms: u64,
        cx: &mut Context<'_>,
    ) -> Result<(), Rejected> {
        self.post(order, verdict.cents, cx);
        let callback = Delivery::to(&format!("Orders/{order}/verdict"))?
            .named(format!("{order} verdict {}", verdict.number))
            .body(verdict)
            .after(Duration::from_millis(after_ms));
        cx.deliver(callback);
        Ok(())
    }
}

impl System for Acquirer {
    const NAME: &'static str = "acquirer";
    const SUMMARY: &'static str = "a bank that collects money, and calls back when it has decided";
    const EFFECTS: &'static [&'static str] = &["posted"];
    const FAULTS: &'static [OwnFault] = &[
        OwnFault { name: "contradicted", summary: "a verdict is followed by its opposite" },
        OwnFault { name: "forged", summary: "a copy of a callback, with a guessed token" },
    ];
    const RETRIES: Schedule =
        Schedule(&[MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS, 720 * MINUTE_MS]);
    type Config = Config;
    type Request = Request;
    type Response = i64;

    fn new(config: &Config) -> Self {
        Self { minutes: config.minutes.unwrap_or(1), accounts: BTreeMap::new() }
    }

    fn handle(&mut self, ask: &Request, cx: &mut Context<'_>) -> Result<i64, Rejected> {
        match ask {
            &Request::Authorize { ref order, cents, .. } => cx.once(order.as_str(), ask, |cx| {
                if cents <= 0 {
                    return Err(Rejected::new("there is nothing to pay"));
                }
                let latest_ms = self.minutes * MINUTE_MS;
                let after_ms = cx.between("verdict_ms", 1, latest_ms);
                let is_paid = !cx.chance_of("declined", order, Rate::from_ppm(200_000));
                let first = Verdict { number: 1, cents: if is_paid { cents } else { 0 } };
                self.decide(order, &first, after_ms, cx)?;
                if cx.fault("contradicted") {
                    let after_ms = cx.between("correction_ms", 1, 2 * latest_ms);
                    let second = Verdict { number: 2, cents: if is_paid { -cents } else { cents } };
                    self.decide(order, &second, after_ms, cx)?;
                }
                Ok(0)
            }),
            Request::Refund { order } => cx.once(&*format!("refund {order}"), ask, |cx| {
                let left = self.accounts.get(order).copied().unwrap_or(0).max(0);
                self.post(order, -left, cx);
                Ok(left)
            }),
        }
    }

    fn sending(&mut self, _: &Delivery, cx: &mut Sending<'_>) {
        if cx.fault("forged") {
            let after_ms = cx.between("forged_ms", 0, MINUTE_MS);
            cx.copy("forged", after_ms, vec![(TOKEN_HEADER.into(), "a guess".into())]);
        }
    }

    fn headers(&self, _: &Delivery, _: u64) -> Vec<(String, String)> {
        vec![(TOKEN_HEADER.into(), TOKEN.into())]
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        let posted: i64 = effects.iter().filter_map(|e| Some(e.downcast::<Posted>()?.cents)).sum();
        let held: i64 = self.accounts.values().sum();
        if posted == held { Ok(()) } else { Err(format!("{posted} posted, but {held} held")) }
    }
}

/// The box office's client of the bank.
struct Client(Connection<Acquirer>);

impl AcquirerApi for Client {
    fn authorize(&self, order: String, seat: String, cents: i64) -> Answer<'_, ()> {
        let call = self.0.call(Request::Authorize { order, seat, cents });
        Box::pin(async { Ok(call.await.map(drop)?) })
    }

    fn refund(&self, order: String) -> Answer<'_, i64> {
        let call = self.0.call(Request::Refund { order });
        Box::pin(async { Ok(call.await?) })
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self { is_final: !error.is_transient(), message: error.to_string() }
    }
}

fn seat_sold_once() -> Rule {
    let given_away = |change: &Changed<'_, '_, Seat>| match (change.before, change.after) {
        (Some(Seat::Sold(owner)), Some(next)) if next.order() != owner => {
            let (key, at, next) = (change.key, change.at, next.order());
            Some(format!("seat {key} was sold to {owner}, and {next} got it at {at}"))
        }
        _ => None,
    };
    steps("Seats", "seat", given_away)
        .named("seat_sold_once")
        .summary("a seat that is sold stays its owner's until they give it back")
}

/// What the bank has of an order's money.
fn balance(facts: &Facts<'_>, order: &str) -> i64 {
    facts.effects::<Posted>().filter(|posted| posted.order == order).map(|p| p.cents).sum()
}

fn verdicts_applied_once() -> Rule {
    agrees("Orders", "order", |order: &Order| order.paid, balance)
        .say(|d| format!("{} counts {} cents, but the bank has {}", d.key, d.stated, d.actual))
        .named("verdicts_applied_once")
        .summary("what an order counts as paid is what the bank has")
}

fn seats_follow_money() -> Rule {
    let posted = effects(|posted: &Happened<'_, Posted>| posted.order.clone());
    eventually(posted, |facts, of| {
        let Order { seat, .. } = facts.last_state("Orders", &of.key, "order")?.value_as()?;
        let owner = facts.last_state("Seats", &seat, "seat").and_then(|s| s.value_as::<Seat>());
        match (balance(facts, &of.key) > 0, owner == Some(Seat::Sold(of.key.clone()))) {
            (true, false) => Some(format!("paid, without {seat}")),
            (false, true) => Some(format!("unpaid, with {seat}")),
            _ => None,
        }
    })
    .say(|u| format!("{} ends {}", u.moment.key, u.what))
    .named("seats_follow_money")
    .summary("in the end, a visitor has the seat if and only if the bank has the money")
}

fn forged_is_refused() -> Rule {
    oracle("forged_is_refused", "callbacks without the token are refused", |facts, report| {
        for forged in facts.deliveries().iter().filter(|d| d.copy == Some("forged")) {
            let made = forged.invocation.and_then(|inv| facts.invocation(inv));
            if let Some((end, _)) = made.and_then(|invocation| invocation.answer()) {
                report.violation(format!("{} was believed", forged.request), [forged.record, end]);
            }
        }
    })
}

/// The services with the bank, what must hold, and what would break it.
pub fn subject() -> Subject {
    let again = Variant::new("applies-again", "a repeated callback counts again");
    let trusts = Variant::new("trusts-everyone", "does not look at the token of a callback");
    let late = Variant::new("confirms-late", "a late payment takes another visitor's seat");
    Subject::with_variants(|variants, world| {
        let bank = Arc::new(Client(world.connect::<Acquirer>()));
        let orders = Orders { bug: variants.get("Orders"), ..Orders::new(bank, TOKEN) };
        let seats = Seats { bug: variants.get("Seats") };
        onceproof::endpoint!(Endpoint::builder().bind(orders).bind(seats).build())
    })
    .system::<Acquirer>()
    .input::<Wish>("Orders", "place")
    .input::<Verdict>("Orders", "verdict")
    .oracle(seat_sold_once())
    .oracle(verdicts_applied_once())
    .oracle(seats_follow_money())
    .oracle(forged_is_refused())
    .variant("Orders", again.caught_by("verdicts_applied_once"))
    .variant("Orders", trusts.caught_by("forged_is_refused"))
    .variant("Seats", late.caught_by("seat_sold_once"))
    .scenario("applies-again.json", include_str!("../scenarios/applies-again.json"))
    .scenario("trusts-everyone.json", include_str!("../scenarios/trusts-everyone.json"))
    .scenario("confirms-late.json", include_str!("../scenarios/confirms-late.json"))
}
