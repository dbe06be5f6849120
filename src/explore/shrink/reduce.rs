//! Takes things away from a failing run, many at once and then fewer, as long as it goes on failing: delta debugging,
//! from Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.
//!
//! Must not know: what is taken away.

use super::{
    case::{Case, Failing},
    trials::Trials,
};

/// Takes away as many of `items` as can be done without; true if there were any. `without` gives the candidates without
/// some items, the first one first.
pub(super) fn reduce(
    trials: &mut Trials<'_>,
    failing: &mut Failing,
    items: impl Fn(&Case) -> Vec<String>,
    without: impl Fn(&Failing, &[String]) -> Vec<Case>,
) -> bool {
    let mut is_smaller = false;
    let mut size = items(&failing.case).len();
    while size > 0 {
        let mut at = 0;
        loop {
            let all = items(&failing.case);
            if at >= all.len() || trials.is_over() {
                break;
            }
            let some = &all[at..all.len().min(at + size)];
            let cases = without(failing, some);
            match cases.iter().find_map(|case| trials.fails(case)) {
                Some(smaller) => {
                    *failing = smaller;
                    is_smaller = true;
                }
                None => at += size,
            }
        }
        size = size.min(items(&failing.case).len().max(1)) / 2;
    }
    is_smaller
}
