//! What is to happen, in order of virtual time; ties in the order of scheduling.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::base::VirtualTime;

#[derive(Debug)]
struct Item<T> {
    at: VirtualTime,
    scheduled: u64,
    event: T,
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // a BinaryHeap gives the greatest first
        (other.at, other.scheduled).cmp(&(self.at, self.scheduled))
    }
}

#[derive(Debug)]
pub(super) struct EventQueue<T> {
    items: BinaryHeap<Item<T>>,
    scheduled: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self { items: BinaryHeap::new(), scheduled: 0 }
    }
}

impl<T> EventQueue<T> {
    pub(super) fn schedule(&mut self, at: VirtualTime, event: T) {
        self.scheduled += 1;
        self.items.push(Item { at, scheduled: self.scheduled, event });
    }

    pub(super) fn next_at(&self) -> Option<VirtualTime> {
        self.items.peek().map(|i| i.at)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop().map(|i| i.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_comes_first_and_ties_keep_their_order() {
        let mut queue = EventQueue::default();
        for (at, event) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            queue.schedule(VirtualTime::from_millis(at), event);
        }
        assert_eq!(queue.next_at(), Some(VirtualTime::from_millis(1)));
        let order: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, "abcd");
    }
}
