//! Captures what handlers log with `tracing`, without a trace in the run itself.
//!
//! Lines that a handler logs again while it replays its journal are left out: the SDK marks its
//! span with `restate.sdk.is_replaying`.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::Mutex,
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber, dispatcher,
    field::{Field, Visit},
    span,
};

use crate::{
    base::VirtualTime,
    history::{History, LogLine},
    restate::AttemptId,
};

/// Whether handlers' `tracing` events are kept beside the history. They never change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// They go nowhere.
    Discard,
    /// They are kept.
    Keep,
}

const SDK: &str = "restate_sdk";
const REPLAYING: &str = "restate.sdk.is_replaying";

thread_local! {
    static CAPTURED: RefCell<Vec<LogLine>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with or without capturing this thread's `tracing` events.
pub(super) fn during<T>(logs: Logs, f: impl FnOnce() -> T) -> T {
    match logs {
        Logs::Keep => dispatcher::with_default(&Dispatch::new(Capture::default()), f),
        // a global subscriber of the user's must not see, or pay for, thousands of runs
        Logs::Discard if dispatcher::has_been_set() => {
            dispatcher::with_default(&Dispatch::none(), f)
        }
        Logs::Discard => f(),
    }
}

/// Moves what was captured since the last call into `history`, as said by `attempt` at `now`.
pub(super) fn collect(history: &mut History, attempt: Option<AttemptId>, now: VirtualTime) {
    let captured = CAPTURED.with_borrow_mut(std::mem::take);
    for mut line in captured {
        line.at = now;
        line.attempt = attempt.map(|a| (a.inv, a.number));
        history.log(line);
    }
}

#[derive(Debug, Default)]
struct Capture {
    spans: Mutex<Spans>,
}

#[derive(Debug, Default)]
struct Spans {
    next: u64,
    replaying: BTreeMap<u64, bool>,
    entered: Vec<u64>,
}

impl Capture {
    fn spans(&self) -> std::sync::MutexGuard<'_, Spans> {
        self.spans.lock().expect("nothing panics while it holds the spans")
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.target().starts_with(SDK) {
            return metadata.is_span() && metadata.fields().field(REPLAYING).is_some();
        }
        *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut flag = Replaying(None);
        attributes.record(&mut flag);
        let mut spans = self.spans();
        spans.next += 1;
        let id = spans.next;
        spans.replaying.insert(id, flag.0.unwrap_or(false));
        span::Id::from_u64(id)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let mut flag = Replaying(None);
        values.record(&mut flag);
        if let Some(flag) = flag.0 {
            self.spans().replaying.insert(span.into_u64(), flag);
        }
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        {
            let spans = self.spans();
            if spans.entered.iter().any(|id| spans.replaying.get(id).copied().unwrap_or(false)) {
                return;
            }
        }
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        CAPTURED.with_borrow_mut(|captured| {
            captured.push(LogLine {
                after: 0,
                at: VirtualTime::ZERO,
                attempt: None,
                level: metadata.level().as_str(),
                module: metadata.target().to_owned(),
                message: text.message + &text.fields,
            });
        });
    }

    fn enter(&self, span: &span::Id) {
        self.spans().entered.push(span.into_u64());
    }

    fn exit(&self, span: &span::Id) {
        let mut spans = self.spans();
        if let Some(at) = spans.entered.iter().rposition(|id| *id == span.into_u64()) {
            spans.entered.remove(at);
        }
    }

    fn try_close(&self, span: span::Id) -> bool {
        self.spans().replaying.remove(&span.into_u64());
        true
    }
}

struct Replaying(Option<bool>);

impl Visit for Replaying {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == REPLAYING {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            write!(self.fields, " {}={value}", field.name())
                .expect("writing to a String cannot fail");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.message, "{value:?}").expect("writing to a String cannot fail");
        } else {
            write!(self.fields, " {}={value:?}", field.name())
                .expect("writing to a String cannot fail");
        }
    }
}
