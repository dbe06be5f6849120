//! What is to happen, in order of virtual time; ties in the order of scheduling.

use std::collections::BTreeMap;

use crate::base::VirtualTime;

#[derive(Debug)]
pub(super) struct EventQueue<T> {
    items: BTreeMap<(VirtualTime, u64), T>,
    scheduled: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), scheduled: 0 }
    }
}

impl<T> EventQueue<T> {
    pub(super) fn schedule(&mut self, at: VirtualTime, event: T) {
        self.scheduled += 1;
        self.items.insert((at, self.scheduled), event);
    }

    pub(super) fn next_at(&self) -> Option<VirtualTime> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop_first().map(|(_, event)| event)
    }

    /// What is due at the very time at which the next is, each with a number of its own.
    pub(super) fn next(&self) -> impl Iterator<Item = (u64, &T)> {
        let first = self.next_at();
        let all = self.items.iter().take_while(move |((at, _), _)| Some(*at) == first);
        all.map(|((_, number), event)| (*number, event))
    }

    /// Takes what is due at `at` and has this number.
    pub(super) fn take(&mut self, at: VirtualTime, number: u64) -> Option<T> {
        self.items.remove(&(at, number))
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

    #[test]
    fn what_is_due_at_one_time_can_be_taken_in_any_order() {
        let mut queue = EventQueue::default();
        for (at, event) in [(2, 'c'), (1, 'a'), (1, 'b')] {
            queue.schedule(VirtualTime::from_millis(at), event);
        }
        let next: Vec<(u64, char)> = queue.next().map(|(n, event)| (n, *event)).collect();
        assert_eq!(next, [(2, 'a'), (3, 'b')]);
        assert_eq!(queue.take(VirtualTime::from_millis(1), 3), Some('b'));
        assert_eq!(queue.take(VirtualTime::from_millis(1), 1), None, "it is due later");
        assert_eq!(queue.pop(), Some('a'));
        assert_eq!(queue.take(VirtualTime::from_millis(2), 1), Some('c'));
    }
}
