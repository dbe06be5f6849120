//! The simulated catalogue of plans, and the list of what it told.

use std::collections::BTreeMap;

use super::{
    Plan,
    line::{Answer, Reply},
};
use crate::{
    base::{Cents, Name},
    history::{Effect, Event, History},
};

/// The catalogue: plans by id.
#[derive(Clone, Debug)]
pub(crate) struct Plans {
    plans: BTreeMap<String, Plan>,
    told: Vec<(Name, Option<Cents>)>,
}

impl Plans {
    /// A catalogue of these plans.
    pub(crate) fn new(plans: impl IntoIterator<Item = Plan>) -> Self {
        let plans = plans.into_iter().map(|plan| (plan.plan_id.clone(), plan)).collect();
        Self { plans, told: Vec::new() }
    }

    /// Tells what the plan is. Returns what really happened, and the answer to give.
    pub(crate) fn apply(&mut self, plan_id: &str) -> (Vec<Effect>, Answer) {
        let plan = self.plans.get(plan_id);
        let (name, price): (Name, _) = (plan_id.into(), plan.map(|plan| plan.price));
        self.told.push((name.clone(), price));
        (vec![Effect::Quoted { plan: name, price }], Ok(Reply::Plan(plan.cloned())))
    }

    /// The second set of books: what was told must equal the fold of the history's effects.
    ///
    /// # Errors
    /// Says that they differ; that is a bug of this crate.
    pub(crate) fn balances_with(&self, history: &History) -> Result<(), String> {
        let fold = history.records().iter().filter_map(|r| match &r.event {
            Event::WorldEffect { effect: Effect::Quoted { plan, price }, .. } => {
                Some((plan, price))
            }
            _ => None,
        });
        let told = self.told.iter().map(|(plan, price)| (plan, price));
        if fold.eq(told) { Ok(()) } else { Err("what the catalogue told differs".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::BillingCycle;

    #[test]
    fn a_plan_is_told_as_it_is_and_every_answer_is_kept() {
        let basic = Plan {
            plan_id: "basic".into(),
            name: "Basic".into(),
            price: Cents(1_000),
            billing_cycle: BillingCycle::Monthly,
        };
        let mut plans = Plans::new([basic.clone()]);
        assert_eq!(plans.apply("basic").1, Ok(Reply::Plan(Some(basic))));
        assert_eq!(plans.apply("gold").1, Ok(Reply::Plan(None)));
        assert_eq!(plans.told, [("basic".into(), Some(Cents(1_000))), ("gold".into(), None)]);
        assert!(plans.balances_with(&History::new()).is_err());
    }
}
