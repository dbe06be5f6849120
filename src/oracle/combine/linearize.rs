//! Is there an order of an object's operations that a sequential model explains?
//!
//! The search of Wing and Gong with memoization of what was already tried (Lowe): operations are placed one by one;
//! one can be next if no other that is still to be placed ended before it began.
//!
//! Must not know: histories, services.

use std::collections::BTreeSet;

use super::Model;

/// Most operations that may be in progress around one that is still to be placed.
pub const CONCURRENT_MAX: usize = 64;
/// Most configurations that one search visits.
pub const CONFIGURATIONS_MAX: usize = 20_000;

/// An operation and the time it took, in records: both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub struct Timed<Op> {
    /// The operation.
    pub op: Op,
    /// The record of its beginning.
    pub from: usize,
    /// The record of its end; `usize::MAX` if it has none.
    pub to: usize,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// An order exists.
    Explained,
    /// None does; the index of the operation at which the longest attempt got stuck.
    Stuck(usize),
    /// Too many operations at once, or too many orders: no answer.
    TooLarge,
}

/// Searches for an order of `ops`, which are sorted by `from`, that leads on from `opening`.
#[must_use]
pub fn linearize<'h, M: Model>(opening: M::State, ops: &[Timed<M::Op<'h>>]) -> Search {
    // A configuration: all before `first` are placed, and of those from it on the set bits.
    let mut seen: BTreeSet<(usize, u64, M::State)> = BTreeSet::new();
    let mut open = vec![(0_usize, 0_u64, opening)];
    let mut next = Vec::new();
    let mut deepest = (0, 0);
    let mut too_wide = false;
    while let Some((first, placed, state)) = open.pop() {
        if first == ops.len() {
            return Search::Explained;
        }
        let depth = first + placed.count_ones() as usize;
        let candidates = candidates(&ops[first..], placed);
        too_wide |= candidates.is_none();
        let Some((candidates, urgent)) = candidates else { continue };
        if depth >= deepest.0 {
            deepest = (depth, first + urgent);
        }
        // Pushed in reverse, so that the order of beginning is tried first.
        for i in (0..CONCURRENT_MAX).rev().filter(|i| candidates & (1 << i) != 0) {
            next.clear();
            M::step(&state, &ops[first + i].op, &mut next);
            for state in next.drain(..) {
                let placed = placed | (1 << i);
                let shift = placed.trailing_ones();
                let rest = placed.checked_shr(shift).unwrap_or(0);
                let configuration = (first + shift as usize, rest, state);
                // With one way on there is nothing to remember.
                if candidates.count_ones() == 1 || seen.insert(configuration.clone()) {
                    open.push(configuration);
                }
            }
        }
        if seen.len() > CONFIGURATIONS_MAX {
            return Search::TooLarge;
        }
    }
    if too_wide { Search::TooLarge } else { Search::Stuck(deepest.1) }
}

/// The operations that can be next, as bits, and the one of them that ends first; none if there are too many at once.
/// The first of `ops` is not placed.
fn candidates<Op>(ops: &[Timed<Op>], placed: u64) -> Option<(u64, usize)> {
    let mut candidates = 0;
    let mut urgent = 0;
    for (i, op) in ops.iter().enumerate() {
        if op.from > ops[urgent].to {
            break;
        }
        if i == CONCURRENT_MAX {
            return None;
        }
        if placed & (1 << i) == 0 {
            candidates |= 1 << i;
            if op.to < ops[urgent].to {
                urgent = i;
            }
        }
    }
    Some((candidates, urgent))
}
