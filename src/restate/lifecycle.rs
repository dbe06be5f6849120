//! From creation to completion: how an invocation starts, waits, fails, retries and ends.
//!
//! Must not know: what single commands do.

use std::{mem, time::Duration};

use bytes::Bytes;

use super::{
    AttemptId, Engine, OnMaxAttempts, Output,
    deployments::FIRST,
    invocation::{Invocation, Request, Rules, Status},
    journal::{Awaited, Awaiting, Journal},
    timers::Timer,
    waiter::Waiter,
};
use crate::{
    base::{Name, Seed, Target, VirtualTime},
    history::{Content, Event, Inv, Origin, Outcome, Payload},
    protocol::{
        Frame, MessageType,
        messages::{
            Error, ErrorBehavior, Failure, InputCommand, NotificationResult, Start, StateEntry,
            Value, Void,
        },
    },
};

/// The code of an attempt's failure that brought none: the connection broke.
const NO_CODE: u32 = 500;

/// What an invocation's id and its random seed are made of. What is known by a key is the same whenever that
/// key runs again; all others are told apart by which one of their target they are.
fn identity(target: &Target, rules: Rules, key: &Option<Name>, label: &Name) -> String {
    match key {
        _ if rules.workflow_run => format!("{target} run"),
        Some(key) => format!("{target} key {key}"),
        None => label.to_string(),
    }
}

impl Engine {
    /// An attempt's stream is over, and the attempt had not said how it ended: a crash. `code` is 0 for
    /// a broken connection, or the HTTP status of the endpoint's refusal.
    pub fn disconnected(&mut self, now: VirtualTime, attempt: AttemptId, code: u32, message: &str) {
        if self.is_running(attempt) && self.get(attempt.inv).unheard {
            self.fail_unheard(now, attempt.inv);
        } else if self.is_running(attempt) {
            self.fail_attempt(
                now,
                attempt.inv,
                Error { code, message: message.to_owned(), ..Error::default() },
            );
        }
    }

    /// Nothing was heard from an attempt for too long: it is asked to suspend.
    pub fn suspend(&mut self, _now: VirtualTime, attempt: AttemptId) {
        if self.is_running(attempt) {
            self.close_input(attempt.inv);
        }
    }

    /// Does what is due at or before `now`.
    pub fn fire_timers(&mut self, now: VirtualTime) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Retry(inv) => self.begin_attempt(now, inv),
                Timer::Due(inv) => self.admit(now, inv),
                Timer::Silent(inv) => self.look_after(now, inv),
                Timer::Abort(inv) => self.abort_silent(now, inv),
                Timer::Answer(answer) => {
                    let (waiter, outcome) = *answer;
                    self.tell(now, waiter, outcome);
                }
                Timer::Sleep(inv, id) => self.complete_command(
                    now,
                    inv,
                    MessageType::SleepCompletionNotification,
                    id,
                    NotificationResult::Void(Void {}),
                ),
            }
        }
    }

    /// Creates an invocation. It does nothing before [`Engine::admit`], so that its creator can be told
    /// its id first.
    pub(super) fn create(&mut self, now: VirtualTime, rules: Rules, request: Request) -> Inv {
        let Request { target, origin, idempotency_key, headers, body, due } = request;
        let inv = Inv(u32::try_from(self.invocations.len()).expect("fewer than 2^32 invocations"));
        let number = self.created.entry(target.clone()).or_default();
        *number += 1;
        let label: Name = format!("{target}#{number}").into();
        let random_seed =
            self.config.seed.derive(&identity(&target, rules, &idempotency_key, &label));
        let id: Name = format!("inv_{:016x}", Seed(random_seed).derive("id")).into();

        self.by_id.insert(id.clone(), inv);
        if let Some(key) = &idempotency_key {
            self.by_idempotency.insert((target.clone(), key.clone()), inv);
        }
        let by_client = matches!(origin, Origin::Client(_));
        self.record(Event::InvocationCreated {
            inv,
            id: id.clone(),
            target: target.clone(),
            exclusive: rules.exclusive,
            origin,
            idempotency_key: idempotency_key.clone(),
            input: Payload(body.clone()),
            due,
        });
        let object = rules.has_state.then(|| self.objects.intern(&target.service, &target.key));
        if let Some(object) = object.filter(|_| rules.workflow_run) {
            self.objects.get_mut(object).run = Some(inv);
        }
        let status = match due {
            Some(at) => Status::Scheduled(self.timers.set(at, random_seed, Timer::Due(inv))),
            None => Status::Inboxed,
        };
        self.invocations.push(Invocation {
            id,
            label,
            target,
            idempotency_key,
            by_client,
            rules,
            object,
            random_seed,
            journal: Journal::default(),
            status,
            deployment: FIRST,
            pinned: false,
            attempts: 0,
            failures: 0,
            failures_since_stored: 0,
            waiters: Vec::new(),
            pausing: false,
            unheard: false,
            heard: now,
            watch: None,
        });
        let content = Content::Value(Payload(body.clone()));
        let input =
            InputCommand { headers, value: Some(Value { content: body }), name: String::new() };
        let input = Frame::new(MessageType::InputCommand, &input);
        self.append(now, inv, input, self.no_name.clone(), content);
        inv
    }

    /// Lets an invocation start, if its object's lock is free; else it waits in the inbox.
    pub(super) fn admit(&mut self, now: VirtualTime, inv: Inv) {
        let Invocation { rules, object, .. } = self.get(inv);
        if rules.exclusive
            && let Some(object) = *object
            && !self.objects.get_mut(object).acquire(inv)
        {
            self.get_mut(inv).status = Status::Inboxed;
            return self.record(Event::Inboxed { inv });
        }
        self.begin_attempt(now, inv);
    }

    /// Starts the next attempt: it replays the journal as it is now.
    pub(super) fn begin_attempt(&mut self, now: VirtualTime, inv: Inv) {
        self.choose_deployment(inv);
        let start = Frame::new(MessageType::Start, &self.start_message(now, inv));
        self.stop_watching(inv);
        let invocation = self.get_mut(inv);
        invocation.attempts += 1;
        invocation.pausing = false;
        invocation.unheard = false;
        let entries = invocation.journal.entries();
        let mut frames = Vec::with_capacity(1 + entries.len());
        frames.push(start);
        frames.extend_from_slice(entries);
        invocation.status = Status::Running { seen: entries.len(), closed: false };
        let (attempt, deployment) = (invocation.attempt(inv), invocation.deployment);
        self.record(Event::AttemptStarted {
            inv,
            deployment,
            attempt: attempt.number,
            replayed: u32::try_from(frames.len() - 1).expect("a journal's indexes are u32"),
        });
        self.output(Output::Start { attempt, deployment, frames });
        self.watch(now, inv);
    }

    fn start_message(&self, now: VirtualTime, inv: Inv) -> Start {
        let invocation = self.get(inv);
        let state_map = match invocation.object {
            Some(object) if !invocation.rules.lazy_state => {
                let state = self.objects.get(object).state.iter();
                state
                    .map(|(name, value)| StateEntry {
                        key: Bytes::copy_from_slice(name.as_bytes()),
                        value: value.clone(),
                    })
                    .collect()
            }
            _ => Vec::new(),
        };
        let journal = &invocation.journal;
        let silence = now.since(journal.stored_at()).as_millis();
        Start {
            id: invocation.raw_id(),
            debug_id: invocation.id.to_string(),
            known_entries: u32::try_from(journal.entries().len()).expect("indexes are u32"),
            state_map,
            partial_state: invocation.rules.lazy_state,
            key: invocation.target.key.to_string(),
            retry_count_since_last_stored_entry: invocation.failures_since_stored,
            duration_since_last_stored_entry: u64::try_from(silence).unwrap_or(u64::MAX),
            random_seed: invocation.random_seed,
            scope: None,
            limit_key: None,
            idempotency_key: match self.spoken(inv).version {
                0..=6 => None,
                _ => invocation.idempotency_key.as_ref().map(ToString::to_string),
            },
        }
    }

    /// The attempt ended and waits. If what it waits for is there already, it goes on at once.
    pub(super) fn suspended(&mut self, now: VirtualTime, inv: Inv, awaiting: Awaiting) {
        self.close_input(inv);
        self.stop_watching(inv);
        let invocation = self.get_mut(inv);
        let Status::Running { seen, .. } = invocation.status else { return };
        let attempt = invocation.attempts;
        let is_there = invocation.journal.has_any(seen, &awaiting);
        let pausing = invocation.pausing;
        invocation.forget_failures();
        invocation.status = Status::Suspended(awaiting);
        self.record(Event::Suspended { inv, attempt });
        if pausing {
            self.pause_at_once(inv);
        } else if is_there {
            self.begin_attempt(now, inv);
        }
    }

    /// The running attempt failed: schedules a retry, unless there are to be no more.
    pub(super) fn fail_attempt(&mut self, now: VirtualTime, inv: Inv, error: Error) {
        self.stop_watching(inv);
        let behavior = error.behavior();
        let Error { code, message, next_retry_delay, .. } = error;
        let random = || {
            self.config.seed.derive(&format!(
                "{} retry {}",
                self.get(inv).label,
                self.get(inv).attempts
            ))
        };
        let invocation = self.get(inv);
        let attempt = invocation.attempts;
        let (retry, pausing) = (invocation.rules.retry, invocation.pausing);
        // A run's own policy counts its own tries: they use up none of the handler's attempts, and give none
        // back.
        let failures = invocation.failures + u32::from(next_retry_delay.is_none());
        let used_up = next_retry_delay.is_none() && retry.is_used_up(failures);
        let delay = match next_retry_delay {
            Some(ms) => Duration::from_millis(ms),
            None => retry.delay(failures, random()),
        };
        let invocation = self.get_mut(inv);
        invocation.failures = failures;
        invocation.failures_since_stored += 1;
        self.record(Event::AttemptFailed { inv, attempt, code, message: message.clone() });
        match behavior {
            ErrorBehavior::Fail => self.complete(now, inv, Outcome::Failure { code, message }),
            ErrorBehavior::Pause => self.give_up(inv),
            ErrorBehavior::Retry if pausing => self.pause_at_once(inv),
            ErrorBehavior::Retry if !used_up => {
                let at = now.after(delay);
                let timer = self.timers.set(at, 0, Timer::Retry(inv));
                self.get_mut(inv).status = Status::BackingOff(timer);
                self.record(Event::RetryScheduled { inv, at });
            }
            // No operator's kill: what it called or sent lives on, and callers see the last error.
            ErrorBehavior::Retry if retry.on_max_attempts == OnMaxAttempts::Kill => {
                let code = if code == 0 { NO_CODE } else { code };
                self.complete(now, inv, Outcome::Failure { code, message });
            }
            ErrorBehavior::Retry => self.give_up(inv),
        }
    }

    /// Pauses what cannot be retried.
    fn give_up(&mut self, inv: Inv) {
        self.get_mut(inv).status = Status::Paused;
        self.record(Event::Paused { inv });
    }

    /// Ends an invocation, tells those who wait for it, and passes its lock on. One that never ran
    /// leaves no record: its idempotency key is free again.
    pub(super) fn complete(&mut self, now: VirtualTime, inv: Inv, outcome: Outcome) {
        self.stop_watching(inv);
        let invocation = self.get_mut(inv);
        let status = Status::Completed { at: now, outcome: outcome.clone() };
        let before = mem::replace(&mut invocation.status, status);
        let waiters = mem::take(&mut invocation.waiters);
        let object = invocation.object.filter(|_| invocation.rules.exclusive);
        if matches!(before, Status::Scheduled(_) | Status::Inboxed) {
            self.free_names(inv);
            self.free_id(inv);
        }
        if let Status::Scheduled(timer) | Status::BackingOff(timer) = before {
            self.timers.clear(timer);
        }
        for awaited in self.invocations[inv.0 as usize].journal.all_pending() {
            if let Awaited::Timer(timer) = awaited {
                self.timers.clear(timer);
            }
        }
        self.record(Event::Completed { inv, outcome: outcome.clone() });
        for waiter in waiters {
            self.tell(now, waiter, outcome.clone());
        }
        let next = object.and_then(|object| self.objects.get_mut(object).release(inv));
        if let Some(next) = next {
            self.begin_attempt(now, next);
        }
    }

    /// Tells one who waited for an invocation how it ended.
    pub(super) fn tell(&mut self, now: VirtualTime, waiter: Waiter, outcome: Outcome) {
        match waiter {
            Waiter::Client(ticket) => self.output(Output::Reply { ticket, outcome }),
            Waiter::Cancelled(caller, id) => {
                let answer = Box::new((Waiter::Call(caller, id), outcome));
                self.timers.set(now, 0, Timer::Answer(answer));
            }
            Waiter::Call(caller, id) | Waiter::Attached(caller, id) => {
                let result = match outcome {
                    Outcome::Success(Payload(content)) => {
                        NotificationResult::Value(Value { content })
                    }
                    Outcome::Failure { code, message } => {
                        NotificationResult::Failure(Failure { code, message, metadata: Vec::new() })
                    }
                };
                if !matches!(self.get(caller).status, Status::Completed { .. }) {
                    let ty = match waiter {
                        Waiter::Attached(..) => MessageType::AttachInvocationCompletionNotification,
                        _ => MessageType::CallCompletionNotification,
                    };
                    self.complete_command(now, caller, ty, id, result);
                }
            }
        }
    }

    /// Closes the input of the running attempt, if that is still open.
    pub(super) fn close_input(&mut self, inv: Inv) {
        let invocation = self.get_mut(inv);
        if let Status::Running { seen, closed } = &mut invocation.status
            && !*closed
        {
            *closed = true;
            *seen = invocation.journal.entries().len();
            let attempt = invocation.attempt(inv);
            self.output(Output::CloseInput { attempt });
        }
    }
}
