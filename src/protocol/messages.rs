//! The payloads of the messages, versions 5 to 7.
//!
//! Structs and fields are named as in the protocol, without `Message`. All notifications share one
//! struct: the protocol gives them one shape, and no two of its fields the same number.
//!
//! Must not know: how messages are framed, what they do.

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

// ---- nested -------------------------------------------------------------------------------------

/// Nothing, as one of several alternatives.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Void {}

/// Bytes, almost always JSON.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Value {
    /// The bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub content: Bytes,
}

/// A terminal error.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Failure {
    /// An HTTP status code.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// What a person reads.
    #[prost(string, tag = "2")]
    pub message: String,
    /// More about it, as pairs; from version 6.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<FailureMetadata>,
}

/// One pair of a failure's metadata.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FailureMetadata {
    /// Its key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A header of a request.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The names of an object's state.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StateKeys {
    /// The names.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub keys: Vec<Bytes>,
}

/// What an await waits for: a tree of combined futures.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Future {
    /// Completions, by id.
    #[prost(uint32, repeated, tag = "1")]
    pub waiting_completions: Vec<u32>,
    /// Signals, by index.
    #[prost(uint32, repeated, tag = "2")]
    pub waiting_signals: Vec<u32>,
    /// Signals, by name.
    #[prost(string, repeated, tag = "3")]
    pub waiting_named_signals: Vec<String>,
    /// Combined futures inside this one.
    #[prost(message, repeated, tag = "4")]
    pub nested_futures: Vec<Future>,
    /// How they are combined.
    #[prost(enumeration = "CombinatorType", tag = "5")]
    pub combinator_type: i32,
}

/// How the children of a [`Future`] are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum CombinatorType {
    /// To be treated as [`CombinatorType::FirstCompleted`].
    Unknown = 0,
    /// Done with the first child, success or failure.
    FirstCompleted = 1,
    /// Done with the last child, success or failure.
    AllCompleted = 2,
    /// Done with the first success, or when all failed.
    FirstSucceededOrAllFailed = 3,
    /// Done when all succeeded, or with the first failure.
    AllSucceededOrFirstFailed = 4,
}

/// A workflow, as the target of attach and get-output.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WorkflowTarget {
    /// The workflow's name.
    #[prost(string, tag = "1")]
    pub workflow_name: String,
    /// The workflow's key.
    #[prost(string, tag = "2")]
    pub workflow_key: String,
    /// Its scope; from version 7.
    #[prost(string, optional, tag = "3")]
    pub scope: Option<String>,
}

/// A request with an idempotency key, as the target of attach and get-output.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct IdempotentRequestTarget {
    /// The service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// The object's key.
    #[prost(string, optional, tag = "2")]
    pub service_key: Option<String>,
    /// The handler.
    #[prost(string, tag = "3")]
    pub handler_name: String,
    /// The idempotency key.
    #[prost(string, tag = "4")]
    pub idempotency_key: String,
    /// Its scope; from version 7.
    #[prost(string, optional, tag = "5")]
    pub scope: Option<String>,
}

// ---- control ------------------------------------------------------------------------------------

/// The first message of every attempt; the known journal follows.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Start {
    /// The invocation's id, as bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub id: Bytes,
    /// The invocation's id, as people and the admin API see it.
    #[prost(string, tag = "2")]
    pub debug_id: String,
    /// How many journal entries follow, commands and notifications.
    #[prost(uint32, tag = "3")]
    pub known_entries: u32,
    /// The object's state now.
    #[prost(message, repeated, tag = "4")]
    pub state_map: Vec<StateEntry>,
    /// True if `state_map` may lack names that exist.
    #[prost(bool, tag = "5")]
    pub partial_state: bool,
    /// The object's key.
    #[prost(string, tag = "6")]
    pub key: String,
    /// How many retries there were since the last new journal entry.
    #[prost(uint32, tag = "7")]
    pub retry_count_since_last_stored_entry: u32,
    /// How long ago the last new journal entry was, in milliseconds.
    #[prost(uint64, tag = "8")]
    pub duration_since_last_stored_entry: u64,
    /// The seed of the handler's random numbers, the same for every attempt; from version 6.
    #[prost(uint64, tag = "9")]
    pub random_seed: u64,
    /// The scope it was called in; from version 7.
    #[prost(string, optional, tag = "10")]
    pub scope: Option<String>,
    /// The limit key it was called with; from version 7.
    #[prost(string, optional, tag = "11")]
    pub limit_key: Option<String>,
    /// The idempotency key it was called with; from version 7.
    #[prost(string, optional, tag = "12")]
    pub idempotency_key: Option<String>,
}

/// One name and value of an object's state.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StateEntry {
    /// The name.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The value; empty means empty, not absent.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// The attempt ends; the invocation waits.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Suspension {
    /// Completions waited for; up to version 6.
    #[prost(uint32, repeated, tag = "1")]
    pub waiting_completions: Vec<u32>,
    /// Signals waited for, by index; up to version 6.
    #[prost(uint32, repeated, tag = "2")]
    pub waiting_signals: Vec<u32>,
    /// Signals waited for, by name; up to version 6.
    #[prost(string, repeated, tag = "3")]
    pub waiting_named_signals: Vec<String>,
    /// What is waited for; from version 7.
    #[prost(message, optional, tag = "4")]
    pub awaiting_on: Option<Future>,
}

/// The attempt failed.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Error {
    /// An HTTP status code, 570 (journal mismatch) or 571 (protocol violation).
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// What a person reads.
    #[prost(string, tag = "2")]
    pub message: String,
    /// A stack trace.
    #[prost(string, tag = "3")]
    pub stacktrace: String,
    /// The index of the command that failed.
    #[prost(uint32, optional, tag = "4")]
    pub related_command_index: Option<u32>,
    /// The name of the command that failed.
    #[prost(string, optional, tag = "5")]
    pub related_command_name: Option<String>,
    /// The type of the command that failed.
    #[prost(uint32, optional, tag = "6")]
    pub related_command_type: Option<u32>,
    /// The delay of the next retry only, in milliseconds.
    #[prost(uint64, optional, tag = "8")]
    pub next_retry_delay: Option<u64>,
    /// What to do about it; from version 7.
    #[prost(enumeration = "ErrorBehavior", tag = "9")]
    pub behavior: i32,
}

/// What Restate does about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum ErrorBehavior {
    /// Retry.
    Retry = 0,
    /// Pause the invocation.
    Pause = 1,
    /// Fail the invocation.
    Fail = 2,
}

/// The invocation is over; its output is in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct End {}

/// A command was stored.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct CommandAck {
    /// Its index.
    #[prost(uint32, tag = "1")]
    pub command_index: u32,
}

/// The result of a run's closure, to be stored.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ProposeRunCompletion {
    /// The run's completion id.
    #[prost(uint32, tag = "1")]
    pub result_completion_id: u32,
    /// The result.
    #[prost(oneof = "ProposedResult", tags = "14, 15")]
    pub result: Option<ProposedResult>,
}

/// The result of a run's closure.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum ProposedResult {
    /// It succeeded.
    #[prost(bytes = "bytes", tag = "14")]
    Value(Bytes),
    /// It failed terminally.
    #[prost(message, tag = "15")]
    Failure(Failure),
}

/// What the handler's code is waiting for; from version 7.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AwaitingOn {
    /// What it waits for.
    #[prost(message, optional, tag = "1")]
    pub awaiting_on: Option<Future>,
    /// True if that includes a run whose closure is executing.
    #[prost(bool, tag = "2")]
    pub executing_side_effects: bool,
}

/// A proposed result was stored; from version 7.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ProposeRunCompletionAck {
    /// The run's completion id.
    #[prost(uint32, tag = "1")]
    pub completion_id: u32,
}

// ---- notifications ------------------------------------------------------------------------------

/// A completion of a command, or a signal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Notification {
    /// What it completes.
    #[prost(oneof = "NotificationId", tags = "1, 2, 3")]
    pub id: Option<NotificationId>,
    /// With what.
    #[prost(oneof = "NotificationResult", tags = "4, 5, 6, 16, 17")]
    pub result: Option<NotificationResult>,
}

/// What a notification is for.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum NotificationId {
    /// A command, by the completion id that it announced.
    #[prost(uint32, tag = "1")]
    Completion(u32),
    /// A signal, by index.
    #[prost(uint32, tag = "2")]
    Signal(u32),
    /// A signal, by name.
    #[prost(string, tag = "3")]
    NamedSignal(String),
}

/// What a notification brings.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum NotificationResult {
    /// Nothing: it happened.
    #[prost(message, tag = "4")]
    Void(Void),
    /// A value.
    #[prost(message, tag = "5")]
    Value(Value),
    /// A terminal error.
    #[prost(message, tag = "6")]
    Failure(Failure),
    /// The id of the invocation that a call or a send created.
    #[prost(string, tag = "16")]
    InvocationId(String),
    /// The names of an object's state.
    #[prost(message, tag = "17")]
    StateKeys(StateKeys),
}

/// The index of the built-in signal that cancels an invocation.
pub const SIGNAL_CANCEL: u32 = 1;

/// The number of the signal before an invocation's first awakeable: those up to it are Restate's own.
pub const SIGNALS_RESERVED: u32 = 16;

// ---- commands -----------------------------------------------------------------------------------

/// The invocation's input: the first entry of every journal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct InputCommand {
    /// The request's headers.
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<Header>,
    /// The body.
    #[prost(message, optional, tag = "14")]
    pub value: Option<Value>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The invocation's result.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OutputCommand {
    /// The result.
    #[prost(oneof = "OutputResult", tags = "14, 15")]
    pub result: Option<OutputResult>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// An invocation's result.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum OutputResult {
    /// The answer.
    #[prost(message, tag = "14")]
    Value(Value),
    /// A terminal error.
    #[prost(message, tag = "15")]
    Failure(Failure),
}

/// Asks for a value that is not in the attempt's snapshot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetLazyStateCommand {
    /// The state's name.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Sets a value.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SetStateCommand {
    /// The state's name.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The value.
    #[prost(message, optional, tag = "3")]
    pub value: Option<Value>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Removes a value.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClearStateCommand {
    /// The state's name.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Removes all values of the object.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClearAllStateCommand {
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Asks for the names of the object's state.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetLazyStateKeysCommand {
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Tells what was read from the attempt's snapshot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetEagerStateCommand {
    /// The state's name.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// What was read.
    #[prost(oneof = "EagerResult", tags = "13, 14")]
    pub result: Option<EagerResult>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// What was read from an attempt's snapshot.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum EagerResult {
    /// There is no value.
    #[prost(message, tag = "13")]
    Void(Void),
    /// The value.
    #[prost(message, tag = "14")]
    Value(Value),
}

/// Tells which names were read from the attempt's snapshot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetEagerStateKeysCommand {
    /// The names.
    #[prost(message, optional, tag = "14")]
    pub value: Option<StateKeys>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Waits for a promise of the workflow.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetPromiseCommand {
    /// The promise's name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Asks whether a promise of the workflow is completed.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PeekPromiseCommand {
    /// The promise's name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Completes a promise of the workflow.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CompletePromiseCommand {
    /// The promise's name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// With what.
    #[prost(oneof = "PromiseCompletion", tags = "2, 3")]
    pub completion: Option<PromiseCompletion>,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// What a promise, or an awakeable, is completed with.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum PromiseCompletion {
    /// A value.
    #[prost(message, tag = "2")]
    Value(Value),
    /// A terminal error.
    #[prost(message, tag = "3")]
    Failure(Failure),
}

/// Waits until a point in time.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SleepCommand {
    /// When it ends, in milliseconds since the Unix epoch.
    #[prost(uint64, tag = "1")]
    pub wake_up_time: u64,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Calls a handler and wants its answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CallCommand {
    /// The service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// The handler.
    #[prost(string, tag = "2")]
    pub handler_name: String,
    /// The body.
    #[prost(bytes = "bytes", tag = "3")]
    pub parameter: Bytes,
    /// The request's headers.
    #[prost(message, repeated, tag = "4")]
    pub headers: Vec<Header>,
    /// The object's key.
    #[prost(string, tag = "5")]
    pub key: String,
    /// The idempotency key.
    #[prost(string, optional, tag = "6")]
    pub idempotency_key: Option<String>,
    /// The scope; from version 7.
    #[prost(string, optional, tag = "7")]
    pub scope: Option<String>,
    /// The limit key; from version 7.
    #[prost(string, optional, tag = "8")]
    pub limit_key: Option<String>,
    /// The id of the completion that brings the callee's invocation id.
    #[prost(uint32, tag = "10")]
    pub invocation_id_notification_idx: u32,
    /// The id of the completion that brings the answer.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Calls a handler, now or later, and does not want its answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OneWayCallCommand {
    /// The service.
    #[prost(string, tag = "1")]
    pub service_name: String,
    /// The handler.
    #[prost(string, tag = "2")]
    pub handler_name: String,
    /// The body.
    #[prost(bytes = "bytes", tag = "3")]
    pub parameter: Bytes,
    /// When to call it, in milliseconds since the Unix epoch; 0 or a past time means now.
    #[prost(uint64, tag = "4")]
    pub invoke_time: u64,
    /// The request's headers.
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Header>,
    /// The object's key.
    #[prost(string, tag = "6")]
    pub key: String,
    /// The idempotency key.
    #[prost(string, optional, tag = "7")]
    pub idempotency_key: Option<String>,
    /// The scope; from version 7.
    #[prost(string, optional, tag = "8")]
    pub scope: Option<String>,
    /// The limit key; from version 7.
    #[prost(string, optional, tag = "9")]
    pub limit_key: Option<String>,
    /// The id of the completion that brings the callee's invocation id.
    #[prost(uint32, tag = "10")]
    pub invocation_id_notification_idx: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Sends a signal to an invocation.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SendSignalCommand {
    /// The invocation, by id.
    #[prost(string, tag = "1")]
    pub target_invocation_id: String,
    /// Which signal.
    #[prost(oneof = "SignalId", tags = "2, 3")]
    pub signal_id: Option<SignalId>,
    /// What it brings.
    #[prost(oneof = "SignalResult", tags = "4, 5, 6")]
    pub result: Option<SignalResult>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub entry_name: String,
}

/// Which signal is sent.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum SignalId {
    /// By index; 1 cancels.
    #[prost(uint32, tag = "2")]
    Index(u32),
    /// By name.
    #[prost(string, tag = "3")]
    Name(String),
}

/// What a signal brings.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum SignalResult {
    /// Nothing: it happened.
    #[prost(message, tag = "4")]
    Void(Void),
    /// A value.
    #[prost(message, tag = "5")]
    Value(Value),
    /// A terminal error.
    #[prost(message, tag = "6")]
    Failure(Failure),
}

/// Announces a run: its result comes as [`ProposeRunCompletion`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RunCommand {
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The run's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Waits for the result of another invocation.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AttachInvocationCommand {
    /// Which invocation.
    #[prost(oneof = "AttachTarget", tags = "1, 3, 4")]
    pub target: Option<AttachTarget>,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// Asks for the result of another invocation, if there is one.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct GetInvocationOutputCommand {
    /// Which invocation.
    #[prost(oneof = "AttachTarget", tags = "1, 3, 4")]
    pub target: Option<AttachTarget>,
    /// The id its completion will have.
    #[prost(uint32, tag = "11")]
    pub result_completion_id: u32,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}

/// The invocation that attach and get-output name.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum AttachTarget {
    /// By id.
    #[prost(string, tag = "1")]
    InvocationId(String),
    /// By its idempotency key.
    #[prost(message, tag = "3")]
    IdempotentRequest(IdempotentRequestTarget),
    /// By its workflow.
    #[prost(message, tag = "4")]
    Workflow(WorkflowTarget),
}

/// Completes an awakeable.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CompleteAwakeableCommand {
    /// The awakeable, by id.
    #[prost(string, tag = "1")]
    pub awakeable_id: String,
    /// With what.
    #[prost(oneof = "PromiseCompletion", tags = "2, 3")]
    pub result: Option<PromiseCompletion>,
    /// The entry's name.
    #[prost(string, tag = "12")]
    pub name: String,
}
