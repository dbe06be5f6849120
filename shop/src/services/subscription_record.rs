//! A subscription as it is stored: the terms in force, the charges that paid for them, and at most one bill
//! under way with the terms that it buys.
//!
//! Must not know: handlers, the gateway, the simulation.

use restate_sdk::prelude::TerminalError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{calendar::Date, durable::invalid, subscription_terms::Terms};
use crate::{
    money::Cents,
    systems::{BillingCycle, Plan},
};

/// The last date that a subscription may begin or end on, so that its periods have dates too.
const LAST_YEAR: &str = "9000-01-01";

/// The body of `CreateSubscription`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["customerId", "planId", "startDate"]), extend("examples" = [{
    "customerId": "cust-1", "planId": "basic", "startDate": "{date}", "endDate": "{date+3mo}"
}]))]
pub(super) struct SubscriptionRequest {
    #[schemars(length(min = 1))]
    pub(super) customer_id: String,
    #[schemars(length(min = 1))]
    pub(super) plan_id: String,
    /// `2026-01-31`: the first day of the first period.
    #[schemars(length(min = 1))]
    pub(super) start_date: String,
    /// The first day that is not paid for; without one, it goes on until it is cancelled.
    pub(super) end_date: Option<String>,
}

impl SubscriptionRequest {
    /// The request, if it keeps the rules that need no catalogue.
    ///
    /// # Errors
    /// 400, naming the field, if not.
    pub(super) fn checked(self) -> Result<Self, TerminalError> {
        if self.customer_id.trim().is_empty() {
            return Err(invalid("customerId", "must not be empty"));
        }
        if self.plan_id.is_empty() {
            return Err(invalid("planId", "must not be empty"));
        }
        self.dates()?;
        Ok(self)
    }

    /// The first day, and the first after the last if there is one.
    ///
    /// # Errors
    /// 400, naming the field, if there is no such date or they are in the wrong order.
    pub(super) fn dates(&self) -> Result<(Date, Option<Date>), TerminalError> {
        let read = |field: &str, text: &str| -> Result<Date, TerminalError> {
            let date = text.parse::<Date>();
            let date = date.map_err(|problem| invalid(field, &problem.to_string()))?;
            if date.to_string().as_str() > LAST_YEAR {
                return Err(invalid(field, "lies too far ahead"));
            }
            Ok(date)
        };
        let start = read("startDate", &self.start_date)?;
        let end = self.end_date.as_deref().map(|text| read("endDate", text)).transpose()?;
        if end.is_some_and(|end| end <= start) {
            return Err(invalid("endDate", "must be after startDate"));
        }
        Ok((start, end))
    }
}

/// How often a renewal is tried before the subscription expires.
const RENEWAL_TRIES: u32 = 3;

/// How far a subscription has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Status {
    /// The first charge is under way.
    Pending,
    Active,
    /// A renewal was declined, and will be tried again.
    PastDue,
    Cancelled,
    /// Its end has come, or nobody pays for it.
    Expired,
}

/// The subscription, as every handler answers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    pub(super) subscription_id: String,
    pub(super) customer_id: String,
    pub(super) plan_id: String,
    pub(super) status: Status,
    pub(super) start_date: Date,
    /// The first day that is not paid for, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_date: Option<Date>,
    pub(super) created_at: String,
    pub(super) price: Cents,
    pub(super) billing_cycle: BillingCycle,
    pub(super) period_start: Date,
    pub(super) period_end: Date,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
}

/// A charge, and what was not given back of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paid {
    pub(super) charge_id: String,
    pub(super) amount: Cents,
}

/// What a bill is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Purpose {
    First,
    Renewal,
    Change,
    Cancellation,
}

/// Money that moves, and what it moves for. It is stored before anything of it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bill {
    /// Names the bill for good: the gateway's idempotency key.
    pub(super) key: String,
    pub(super) purpose: Purpose,
    /// What is taken; zero for nothing.
    pub(super) charge: Cents,
    /// What is given back of which charge.
    pub(super) refunds: Vec<Paid>,
    /// What holds once it is paid.
    pub(super) terms: Terms,
    pub(super) end_date: Option<Date>,
}

/// The subscription, as it is stored: one value, so that it changes as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) subscription_id: String,
    pub(super) customer_id: String,
    pub(super) status: Status,
    pub(super) start_date: Date,
    pub(super) end_date: Option<Date>,
    pub(super) created_at: String,
    pub(super) message: String,
    pub(super) terms: Terms,
    /// The charges that paid for the terms in force.
    pub(super) paid: Vec<Paid>,
    /// How many times the plan was to be changed.
    changes: u32,
    /// How many times the next period was declined.
    declines: u32,
    pub(super) bill: Option<Bill>,
}

impl Record {
    /// A pending subscription with its first bill.
    ///
    /// # Errors
    /// 400, naming the field, if the request breaks a rule.
    pub(super) fn begin(
        id: &str,
        request: SubscriptionRequest,
        plan: Option<Plan>,
        today: Date,
        created_at: String,
    ) -> Result<Self, TerminalError> {
        let (start, end) = request.dates()?;
        let plan = known(plan)?;
        let terms = Terms::begin(plan, start, end);
        if terms.period_end <= today {
            return Err(invalid("startDate", "lies more than a period back"));
        }
        let bill = Bill {
            key: format!("{id}-{start}"),
            purpose: Purpose::First,
            charge: terms.cost(),
            refunds: Vec::new(),
            terms: terms.clone(),
            end_date: end,
        };
        Ok(Self {
            subscription_id: id.into(),
            customer_id: request.customer_id,
            status: Status::Pending,
            start_date: start,
            end_date: end,
            created_at,
            message: String::new(),
            terms,
            paid: Vec::new(),
            changes: 0,
            declines: 0,
            bill: Some(bill),
        })
    }

    /// True if the subscription goes on, and its period is over.
    pub(super) fn is_due(&self, today: Date) -> bool {
        matches!(self.status, Status::Active | Status::PastDue) && today >= self.terms.period_end
    }

    /// True if there is no day left to pay for.
    pub(super) fn has_ended(&self) -> bool {
        self.end_date.is_some_and(|end| end <= self.terms.period_end)
    }

    /// The bill for the next period. A bank's no is kept for its key, so another try has another key.
    pub(super) fn renewal(&self) -> Bill {
        let terms = self.terms.next(self.end_date);
        let mut key = format!("{}-{}", self.subscription_id, terms.period_start);
        if self.declines > 0 {
            key.push_str(&format!("-try-{}", self.declines + 1));
        }
        let charge = terms.cost();
        let refunds = Vec::new();
        Bill { key, purpose: Purpose::Renewal, charge, refunds, terms, end_date: self.end_date }
    }

    /// The bill for another plan: the difference between what is left of the one and of the other.
    pub(super) fn change(&mut self, plan: Plan, today: Date) -> Bill {
        self.changes += 1;
        let terms = self.terms.change(plan, today, self.end_date);
        let difference = terms.rest(today).0 - self.terms.rest(today).0;
        let (period, n) = (self.terms.period_start, self.changes);
        Bill {
            key: format!("{}-{period}-change-{n}", self.subscription_id),
            purpose: Purpose::Change,
            charge: Cents(difference.max(0)),
            refunds: self.give_back(Cents((-difference).max(0))),
            terms,
            end_date: self.end_date,
        }
    }

    /// The bill that gives back what is left of the period.
    pub(super) fn cancellation(&self, today: Date) -> Bill {
        let last = today.clamp(self.terms.period_start, self.terms.period_end);
        Bill {
            key: format!("{}-cancel", self.subscription_id),
            purpose: Purpose::Cancellation,
            charge: Cents(0),
            refunds: self.give_back(self.terms.rest(today)),
            terms: self.terms.clone(),
            end_date: Some(last),
        }
    }

    /// Which charges `amount` is given back from: the latest first.
    pub(super) fn give_back(&self, amount: Cents) -> Vec<Paid> {
        let mut left = amount.0;
        let mut refunds = Vec::new();
        for paid in self.paid.iter().rev() {
            let part = left.min(paid.amount.0);
            if part > 0 {
                refunds.push(Paid { charge_id: paid.charge_id.clone(), amount: Cents(part) });
                left -= part;
            }
        }
        refunds
    }

    /// Takes over what the bill has bought.
    pub(super) fn paid(&mut self, bill: Bill, charge_id: Option<String>) {
        if bill.purpose == Purpose::Renewal {
            self.paid.clear();
        }
        for refund in &bill.refunds {
            for paid in self.paid.iter_mut().filter(|paid| paid.charge_id == refund.charge_id) {
                paid.amount.0 -= refund.amount.0;
            }
        }
        self.paid.extend(charge_id.map(|charge_id| Paid { charge_id, amount: bill.charge }));
        self.status = match bill.purpose {
            Purpose::Cancellation => Status::Cancelled,
            Purpose::First | Purpose::Renewal | Purpose::Change => Status::Active,
        };
        (self.terms, self.end_date) = (bill.terms, bill.end_date);
        self.message.clear();
        self.declines = 0;
        self.bill = None;
    }

    /// Notes that the bank said no: nobody has a subscription that was never paid, a renewal is tried again
    /// for some days, and a change is not made.
    pub(super) fn declined(&mut self, purpose: Purpose, reason: &str) {
        self.bill = None;
        self.message = reason.into();
        match purpose {
            Purpose::First => self.status = Status::Expired,
            Purpose::Renewal => {
                self.declines += 1;
                self.status =
                    if self.declines < RENEWAL_TRIES { Status::PastDue } else { Status::Expired };
            }
            Purpose::Change | Purpose::Cancellation => {}
        }
    }

    /// The answer of every handler.
    pub(super) fn answer(&self) -> Subscription {
        let Terms { plan_id, price, billing_cycle, period_start, period_end, .. } = &self.terms;
        Subscription {
            subscription_id: self.subscription_id.clone(),
            customer_id: self.customer_id.clone(),
            plan_id: plan_id.clone(),
            status: self.status,
            start_date: self.start_date,
            end_date: self.end_date,
            created_at: self.created_at.clone(),
            price: *price,
            billing_cycle: *billing_cycle,
            period_start: *period_start,
            period_end: *period_end,
            message: self.message.clone(),
        }
    }
}

/// The plan.
///
/// # Errors
/// 400 if the catalogue does not know it.
pub(super) fn known(plan: Option<Plan>) -> Result<Plan, TerminalError> {
    plan.ok_or_else(|| invalid("planId", "unknown plan"))
}
