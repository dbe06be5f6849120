//! The waker that an attempt is polled with. It counts: a copy that is still held after a
//! poll, and that the host cannot account for, waits on something else: tokio's clock, or a task.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// Wakes the loop that waits for tokio, if there is one.
#[derive(Debug, Default)]
pub(super) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    pub(super) fn listen(&self, waker: &Waker) {
        *self.0.lock().expect("nothing panics while it holds the bell") = Some(waker.clone());
    }

    fn ring(&self) {
        let waker = self.0.lock().expect("nothing panics while it holds the bell").take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[derive(Debug)]
pub(super) struct AttemptWaker {
    woken: AtomicBool,
    bell: Arc<Bell>,
}

impl Wake for AttemptWaker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.bell.ring();
    }
}

/// An attempt's waker, seen from the host.
#[derive(Debug)]
pub(super) struct Woken {
    shared: Arc<AttemptWaker>,
    waker: Waker,
}

impl Woken {
    pub(super) fn new(bell: &Arc<Bell>) -> Self {
        let shared = Arc::new(AttemptWaker { woken: AtomicBool::new(false), bell: bell.clone() });
        let waker = Waker::from(shared.clone());
        Self { shared, waker }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether anybody woke the attempt since the last call.
    pub(super) fn take(&self) -> bool {
        self.shared.woken.swap(false, Ordering::Relaxed)
    }

    /// Whether the attempt was woken and not polled since.
    pub(super) fn is_set(&self) -> bool {
        self.shared.woken.load(Ordering::Relaxed)
    }

    /// How many copies others hold.
    pub(super) fn held_by_others(&self) -> usize {
        // `shared` and `waker` are two references of ours
        Arc::strong_count(&self.shared) - 2
    }
}
