//! The catalogue of subscription plans: what services ask of it, and the simulated one.
//!
//! Must not know: services.

use std::collections::BTreeMap;

use onceproof::{
    base::Name,
    history::Effect,
    system::{Connection, Context, Rejected, System},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiFuture;
use crate::money::Cents;

/// How often a subscription is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BillingCycle {
    /// Every month.
    Monthly,
    /// Every year.
    Yearly,
}

/// A plan that customers can subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Its id.
    pub plan_id: String,
    /// What customers call it.
    pub name: String,
    /// What it costs per period.
    pub price: Cents,
    /// The period.
    pub billing_cycle: BillingCycle,
}

/// The catalogue of plans.
pub trait PlanCatalogue: Send + Sync {
    /// The plan with this id, as it is today; none if there is no such plan.
    ///
    /// # Errors
    /// None but those of the connection.
    fn plan(&self, plan_id: String) -> ApiFuture<'_, Option<Plan>>;
}

/// What the simulated catalogue can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The plan of this id.
    Plan(String),
}

impl PlanCatalogue for Connection<Catalogue> {
    fn plan(&self, plan_id: String) -> ApiFuture<'_, Option<Plan>> {
        let call = self.call(Request::Plan(plan_id));
        Box::pin(async { Ok(call.await?) })
    }
}

/// The catalogue said what a plan costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quoted {
    /// The plan.
    pub plan: Name,
    /// Its price per period; none if there is no such plan.
    pub price: Option<Cents>,
}

impl Effect for Quoted {
    const KIND: &'static str = "quoted";

    fn text(&self) -> String {
        match self.price {
            Some(price) => format!("plan {} costs {price}", self.plan),
            None => format!("there is no plan {}", self.plan),
        }
    }
}

/// What plans there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueConfig {
    /// The plans by id.
    pub plans: BTreeMap<String, PlanConfig>,
}

/// A plan in a scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanConfig {
    /// What customers call it; its id, if that is left out.
    #[serde(default)]
    pub name: Option<String>,
    /// In cents per period.
    pub price: u64,
    /// The period.
    pub billing_cycle: BillingCycle,
}

/// The simulated catalogue.
#[derive(Clone, Debug)]
pub struct Catalogue(BTreeMap<String, Plan>);

impl System for Catalogue {
    const NAME: &'static str = "catalogue";
    const SUMMARY: &'static str = "the subscription plans";
    const EFFECTS: &'static [&'static str] = &["quoted"];
    type Config = CatalogueConfig;
    type Request = Request;
    type Response = Option<Plan>;

    fn new(config: &CatalogueConfig) -> Self {
        let plan = |(id, plan): (&String, &PlanConfig)| {
            let plan = Plan {
                plan_id: id.clone(),
                name: plan.name.clone().unwrap_or_else(|| id.clone()),
                price: Cents(i64::try_from(plan.price).unwrap_or(i64::MAX)),
                billing_cycle: plan.billing_cycle,
            };
            (id.clone(), plan)
        };
        Self(config.plans.iter().map(plan).collect())
    }

    fn handle(
        &mut self,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<Option<Plan>, Rejected> {
        let Request::Plan(id) = request;
        let plan = self.0.get(id).cloned();
        cx.note(Quoted { plan: id.as_str().into(), price: plan.as_ref().map(|plan| plan.price) });
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use onceproof::system::Standalone;

    use super::*;

    #[test]
    fn a_plan_is_as_its_scenario_says() {
        let basic = r#"{ "plans": { "basic": { "price": 1000, "billing_cycle": "monthly" } } }"#;
        let config = serde_json::from_str(basic).expect("a catalogue");
        let mut catalogue = Standalone::<Catalogue>::new(&config);
        let plan = catalogue.call(Request::Plan("basic".into())).expect("it answers");
        let plan = plan.expect("there is one");
        assert_eq!((plan.name.as_str(), plan.price), ("basic", Cents(1_000)));
        assert_eq!(catalogue.call(Request::Plan("gold".into())), Ok(None));
        assert_eq!(catalogue.reported(), ["plan basic costs 1000", "there is no plan gold"]);
    }
}
