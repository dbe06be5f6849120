//! Keeps what several oracles derive from one run, so that it is built once.
//!
//! Must not know: what is derived, and from what.

use std::{
    any::{Any, TypeId},
    cell::OnceCell,
    fmt,
};

/// The views of one run: a list that only grows, so that references into it stay good.
#[derive(Default)]
pub(super) struct Views(OnceCell<Box<Node<dyn Any>>>);

struct Node<V: ?Sized> {
    id: TypeId,
    next: Views,
    view: V,
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Views")
    }
}

impl Views {
    /// The view of this type; `derive` makes it if there is none yet, and may ask for others.
    pub(super) fn get<T: 'static>(&self, derive: impl FnOnce() -> T) -> &T {
        let id = TypeId::of::<T>();
        if self.find(id).is_none() {
            // it may add others, so the end of the list is looked for afterwards
            let view = derive();
            let mut end = self;
            while let Some(node) = end.0.get() {
                end = &node.next;
            }
            end.0.get_or_init(|| Box::new(Node { id, next: Views::default(), view }));
        }
        let found = self.find(id).and_then(|view| view.downcast_ref());
        found.expect("a view is listed under its type")
    }

    fn find(&self, id: TypeId) -> Option<&dyn Any> {
        let mut at = self.0.get();
        while let Some(node) = at {
            if node.id == id {
                return Some(&node.view);
            }
            at = node.next.0.get();
        }
        None
    }
}
