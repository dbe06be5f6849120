//! What each message of a handler does.
//!
//! Must not know: when attempts start and how invocations retry.

use bytes::Bytes;

use super::{
    AttemptId, Engine, Output,
    content::{self, content_of},
    invocation::{Request, Status},
    journal::{Awaited, Pending},
    object::ObjectId,
    refusal::{CannotResolve, Refusal, already_invoked},
    timers::Timer,
    waiter::Waiter,
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Content, Event, Inv, Origin, Outcome, Payload},
    protocol::{
        Frame, MessageType,
        messages::{
            AwaitingOn, CallCommand, ClearStateCommand, Error, GetEagerStateCommand,
            GetLazyStateCommand, GetLazyStateKeysCommand, Header, Notification, NotificationId,
            NotificationResult, OneWayCallCommand, OutputCommand, OutputResult,
            ProposeRunCompletion, ProposeRunCompletionAck, ProposedResult, RunCommand,
            SetStateCommand, SleepCommand, StateKeys, Suspension, Value, Void,
        },
    },
};

/// The code of an attempt that broke the service protocol.
const PROTOCOL_VIOLATION: u32 = 571;

/// The code of an attempt that failed for any other reason.
const INTERNAL: u32 = 500;

impl Engine {
    /// One message from a handler; they come in the order in which it sent them. What an attempt sends
    /// that is not running any more is void.
    pub fn message(&mut self, now: VirtualTime, attempt: AttemptId, frame: Frame) {
        if !self.is_running(attempt) {
            return;
        }
        let inv = attempt.inv;
        if self.get(inv).unheard {
            use MessageType as T;
            if matches!(frame.ty, T::End | T::Suspension | T::Error) {
                self.fail_unheard(now, inv);
            }
            return;
        }
        self.get_mut(inv).heard = now;
        let known = self.get(inv).journal.entries().len();
        let refusal = match self.obey(now, inv, frame) {
            Ok(()) => {
                // What the attempt stores counts, not what others tell it; its own attempts stay used up.
                let invocation = self.get_mut(inv);
                if invocation.journal.entries().len() > known {
                    invocation.failures_since_stored = 0;
                    invocation.pinned = true;
                }
                return;
            }
            Err(refusal) => refusal,
        };
        self.output(Output::Abort { attempt });
        let (code, message) = match refusal {
            Refusal::Violation(reason) => (PROTOCOL_VIOLATION, reason),
            Refusal::CannotCall(reason) => (INTERNAL, reason),
        };
        self.fail_attempt(now, inv, Error { code, message, ..Error::default() });
    }

    fn obey(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        use MessageType as T;
        match frame.ty {
            T::RunCommand => self.run(now, inv, frame),
            T::ProposeRunCompletion => self.run_result(now, inv, &frame),
            T::GetEagerStateCommand => {
                let GetEagerStateCommand { key, result, .. } = frame.decode()?;
                self.append(now, inv, frame, text(&key)?, content::of_eager(result));
                Ok(())
            }
            T::GetEagerStateKeysCommand => self.plain(now, inv, frame),
            T::GetLazyStateCommand => self.get_lazy_state(now, inv, frame),
            T::GetLazyStateKeysCommand => self.get_lazy_state_keys(now, inv, frame),
            T::SetStateCommand => self.set_state(now, inv, frame),
            T::ClearStateCommand => self.clear_state(now, inv, frame),
            T::ClearAllStateCommand => self.clear_all_state(now, inv, frame),
            T::SleepCommand => self.sleep(now, inv, frame),
            T::CallCommand => self.call(now, inv, frame),
            T::OneWayCallCommand => self.one_way_call(now, inv, frame),
            T::SendSignalCommand => self.send_signal(now, inv, frame),
            T::OutputCommand => {
                let content = content::of_output(frame.decode::<OutputCommand>()?.result);
                self.append(now, inv, frame, self.no_name.clone(), content);
                Ok(())
            }
            T::End => self.end(now, inv),
            T::Suspension => {
                let awaiting = frame.decode::<Suspension>()?.into();
                self.suspended(now, inv, awaiting);
                Ok(())
            }
            T::Error => {
                let error = frame.decode::<Error>()?;
                self.close_input(inv);
                self.fail_attempt(now, inv, error);
                Ok(())
            }
            T::AwaitingOn => Ok(frame.decode::<AwaitingOn>().map(|_| ())?),
            T::GetPromiseCommand => self.get_promise(now, inv, frame),
            T::PeekPromiseCommand => self.peek_promise(now, inv, frame),
            T::CompletePromiseCommand => self.complete_promise(now, inv, frame),
            T::CompleteAwakeableCommand => self.complete_awakeable(now, inv, frame),
            T::AttachInvocationCommand => self.attach_handler(now, inv, frame),
            T::GetInvocationOutputCommand => self.tell_output(now, inv, frame),
            ty => Err(Refusal::Violation(format!("unexpected {ty} message from a handler"))),
        }
    }

    /// A command that is stored, and no more.
    pub(super) fn plain(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        self.append(now, inv, frame, self.no_name.clone(), Content::Nothing);
        Ok(())
    }

    // ---- run ------------------------------------------------------------------------------------

    fn run(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let RunCommand { result_completion_id, name } = frame.decode()?;
        let name = Name::from(name);
        self.append(now, inv, frame, name.clone(), Content::Nothing);
        self.expect(inv, result_completion_id, name, Awaited::Run);
        Ok(())
    }

    fn run_result(&mut self, now: VirtualTime, inv: Inv, frame: &Frame) -> Result<(), Refusal> {
        let ProposeRunCompletion { result_completion_id: id, result } = frame.decode()?;
        if self.get(inv).journal.pending(id).map(|pending| pending.on) != Some(Awaited::Run) {
            return Err(Refusal::Violation(format!("no run waits for completion {id}")));
        }
        let result = match result {
            Some(ProposedResult::Value(content)) => NotificationResult::Value(Value { content }),
            Some(ProposedResult::Failure(failure)) => NotificationResult::Failure(failure),
            None => return Err(Refusal::Violation("a run's result is missing".to_owned())),
        };
        let ty = MessageType::RunCompletionNotification;
        if !frame.requested_ack {
            self.complete_command(now, inv, ty, id, result);
            return Ok(());
        }
        // The attempt knows the result. It gets the acknowledgement in the place of the notification.
        let pending = self.get_mut(inv).journal.settle(id).expect("checked above");
        let content = content_of(&result);
        let notification =
            Notification { id: Some(NotificationId::Completion(id)), result: Some(result) };
        self.append(now, inv, Frame::new(ty, &notification), pending.name, content);
        if let Status::Running { closed: false, .. } = self.get(inv).status {
            let ack = ProposeRunCompletionAck { completion_id: id };
            let attempt = self.get(inv).attempt(inv);
            let frame = Frame::new(MessageType::ProposeRunCompletionAck, &ack);
            self.output(Output::Send { attempt, frame });
        }
        Ok(())
    }

    // ---- state ----------------------------------------------------------------------------------

    fn set_state(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let SetStateCommand { key, value, .. } = frame.decode()?;
        let (object, name) = (self.writable(inv)?, text(&key)?);
        let value = value.unwrap_or_default().content;
        let content = Content::Value(Payload(value.clone()));
        self.append(now, inv, frame, name.clone(), content);
        self.objects.get_mut(object).state.insert(name.clone(), value.clone());
        self.state_changed(inv, name, Some(value));
        Ok(())
    }

    fn clear_state(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let ClearStateCommand { key, .. } = frame.decode()?;
        let (object, name) = (self.writable(inv)?, text(&key)?);
        self.append(now, inv, frame, name.clone(), Content::Nothing);
        if self.objects.get_mut(object).state.remove(&name).is_some() {
            self.state_changed(inv, name, None);
        }
        Ok(())
    }

    fn clear_all_state(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let object = self.writable(inv)?;
        self.plain(now, inv, frame)?;
        let state = std::mem::take(&mut self.objects.get_mut(object).state);
        for name in state.into_keys() {
            self.state_changed(inv, name, None);
        }
        Ok(())
    }

    fn get_lazy_state(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let GetLazyStateCommand { key, result_completion_id, .. } = frame.decode()?;
        let (object, name) = (self.readable(inv)?, text(&key)?);
        self.append(now, inv, frame, name.clone(), Content::Nothing);
        let result = match self.objects.get(object).state.get(&name) {
            Some(value) => NotificationResult::Value(Value { content: value.clone() }),
            None => NotificationResult::Void(Void {}),
        };
        let id = NotificationId::Completion(result_completion_id);
        self.notify(now, inv, MessageType::GetLazyStateCompletionNotification, id, result, name);
        Ok(())
    }

    fn get_lazy_state_keys(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let GetLazyStateKeysCommand { result_completion_id, .. } = frame.decode()?;
        let object = self.readable(inv)?;
        self.plain(now, inv, frame)?;
        let names = self.objects.get(object).state.keys();
        let keys = names.map(|name| Bytes::copy_from_slice(name.as_bytes())).collect();
        let result = NotificationResult::StateKeys(StateKeys { keys });
        let id = NotificationId::Completion(result_completion_id);
        let ty = MessageType::GetLazyStateKeysCompletionNotification;
        self.notify(now, inv, ty, id, result, self.no_name.clone());
        Ok(())
    }

    pub(super) fn readable(&self, inv: Inv) -> Result<ObjectId, Refusal> {
        let object = self.get(inv).object;
        object.ok_or_else(|| Refusal::Violation("a service without keys has no state".to_owned()))
    }

    fn writable(&self, inv: Inv) -> Result<ObjectId, Refusal> {
        if !self.get(inv).rules.exclusive {
            return Err(Refusal::Violation("a shared handler cannot write state".to_owned()));
        }
        self.readable(inv)
    }

    fn state_changed(&mut self, inv: Inv, name: Name, value: Option<Bytes>) {
        let Target { service, key, .. } = self.get(inv).target.clone();
        let value = value.map(Payload);
        self.record(Event::StateChanged { inv, service, key, name, value });
    }

    // ---- sleep, calls, signals ------------------------------------------------------------------

    fn sleep(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let SleepCommand { wake_up_time, result_completion_id, name } = frame.decode()?;
        let name = Name::from(name);
        let at = VirtualTime::from_unix_millis(wake_up_time).max(now);
        self.append(now, inv, frame, name.clone(), Content::Until(at));
        let timer = self.timers.set(at, 0, Timer::Sleep(inv, result_completion_id));
        self.expect(inv, result_completion_id, name, Awaited::Timer(timer));
        Ok(())
    }

    fn call(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let call: CallCommand = frame.decode()?;
        let callee = Callee {
            target: Target::new(&call.service_name, &call.key, &call.handler_name),
            origin: Origin::Call(inv),
            idempotency_key: call.idempotency_key.map(Name::from),
            headers: call.headers,
            body: call.parameter,
            due: None,
            id_completion: call.invocation_id_notification_idx,
        };
        let waiter = Waiter::Call(inv, call.result_completion_id);
        self.invoke(now, inv, frame, callee, Some(waiter))
    }

    fn one_way_call(&mut self, now: VirtualTime, inv: Inv, frame: Frame) -> Result<(), Refusal> {
        let send: OneWayCallCommand = frame.decode()?;
        let due = VirtualTime::from_unix_millis(send.invoke_time);
        let callee = Callee {
            target: Target::new(&send.service_name, &send.key, &send.handler_name),
            origin: Origin::Send(inv),
            idempotency_key: send.idempotency_key.map(Name::from),
            headers: send.headers,
            body: send.parameter,
            due: (due > now).then_some(due),
            id_completion: send.invocation_id_notification_idx,
        };
        self.invoke(now, inv, frame, callee, None)
    }

    /// Stores a call or a send, creates its invocation or finds the one that its idempotency key has,
    /// tells the caller the id, and only then lets it start.
    fn invoke(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
        callee: Callee,
        waiter: Option<Waiter>,
    ) -> Result<(), Refusal> {
        let Callee { target, origin, idempotency_key, headers, body, due, id_completion } = callee;
        let rules = self
            .resolve(&target)
            .map_err(|reason| self.cannot_call(inv, &frame, &target, &reason))?;
        let name: Name = format!("{}/{}", target.service, target.handler).into();
        let content = Content::Value(Payload(body.clone()));
        self.append(now, inv, frame, name.clone(), content);
        let known = self.known(now, &target, rules, idempotency_key.as_ref());
        let scheduled = due.is_some();
        let callee = known.unwrap_or_else(|| {
            let request = Request { target, origin, idempotency_key, headers, body, due };
            self.create(now, rules, request)
        });
        let id = NotificationResult::InvocationId(self.get(callee).id.to_string());
        self.notify(
            now,
            inv,
            MessageType::CallInvocationIdCompletionNotification,
            NotificationId::Completion(id_completion),
            id,
            name.clone(),
        );
        if let Some(waiter @ Waiter::Call(_, completion)) = waiter {
            self.expect(inv, completion, name, Awaited::Invocation(callee));
            match &self.get(callee).status {
                _ if known.is_some() && rules.workflow_run => {
                    self.tell(now, waiter, already_invoked());
                }
                Status::Completed { outcome, .. } => {
                    let outcome = outcome.clone();
                    self.tell(now, waiter, outcome);
                }
                _ => self.get_mut(callee).waiters.push(waiter),
            }
        }
        if known.is_none() && !scheduled {
            self.admit(now, callee);
        }
        Ok(())
    }

    /// The text is the server's.
    fn cannot_call(
        &self,
        inv: Inv,
        frame: &Frame,
        target: &Target,
        reason: &CannotResolve,
    ) -> Refusal {
        let command = frame.ty.journal_name();
        let index = self.get(inv).journal.commands();
        let why = match reason {
            CannotResolve::NoService { .. } | CannotResolve::NoHandler { .. } => {
                format!("the service handler {}/{} was not found", target.service, target.handler)
            }
            CannotResolve::BadPath | CannotResolve::KeyOfWorkflow | CannotResolve::Input(_) => {
                reason.to_string()
            }
        };
        Refusal::CannotCall(format!(
            "cannot process command {command} (command index {index}) because of a failed \
             precondition: {why}"
        ))
    }

    // ---- end ------------------------------------------------------------------------------------

    fn end(&mut self, now: VirtualTime, inv: Inv) -> Result<(), Refusal> {
        let is_output = |entry: &&Frame| entry.ty == MessageType::OutputCommand;
        let Some(output) = self.get(inv).journal.entries().iter().rfind(is_output) else {
            return Err(Refusal::Violation("the attempt ended without an output".to_owned()));
        };
        let outcome = match output.decode::<OutputCommand>()?.result {
            Some(OutputResult::Value(value)) => Outcome::Success(Payload(value.content)),
            Some(OutputResult::Failure(f)) => Outcome::Failure { code: f.code, message: f.message },
            None => Outcome::Success(Payload::default()),
        };
        self.close_input(inv);
        self.complete(now, inv, outcome);
        Ok(())
    }

    pub(super) fn expect(&mut self, inv: Inv, id: u32, name: Name, on: Awaited) {
        self.get_mut(inv).journal.expect(id, Pending { name, on });
    }
}

/// What a call or a send asks for.
struct Callee {
    target: Target,
    origin: Origin,
    idempotency_key: Option<Name>,
    headers: Vec<Header>,
    body: Bytes,
    due: Option<VirtualTime>,
    /// The id of the completion that brings the invocation's id.
    id_completion: u32,
}

fn text(key: &[u8]) -> Result<Name, Refusal> {
    let key = std::str::from_utf8(key)
        .map_err(|_| Refusal::Violation("the name of a state is not UTF-8".to_owned()))?;
    Ok(key.into())
}
