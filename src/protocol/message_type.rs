//! The types that a message can have.
//!
//! Must not know: what a message carries, how it goes over the wire.

use std::fmt;

/// Declares the enum together with its codes and journal names, so that no list can lag behind.
macro_rules! message_types {
    ($($variant:ident = $code:literal, $journal:literal;)*) => {
        /// The type of a message.
        ///
        /// Variants are named as in the protocol, without `Message`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the protocol's own names; each has its struct in `messages`")]
        #[repr(u16)]
        pub enum MessageType { $($variant = $code,)* }

        impl MessageType {
            /// Every type, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How `sys_journal.entry_type` of a Restate server names an entry of this type:
            /// `Command: Run`. Types that are never journal entries give their own name.
            #[must_use]
            pub const fn journal_name(self) -> &'static str {
                match self { $(Self::$variant => $journal,)* }
            }

            /// The type that has this number on the wire, if one has.
            pub(super) const fn of_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

message_types! {
    Start = 0x0000, "Start";
    Suspension = 0x0001, "Suspension";
    Error = 0x0002, "Error";
    End = 0x0003, "End";
    CommandAck = 0x0004, "CommandAck";
    ProposeRunCompletion = 0x0005, "ProposeRunCompletion";
    AwaitingOn = 0x0006, "AwaitingOn";
    ProposeRunCompletionAck = 0x0007, "ProposeRunCompletionAck";
    InputCommand = 0x0400, "Command: Input";
    OutputCommand = 0x0401, "Command: Output";
    GetLazyStateCommand = 0x0402, "Command: GetLazyState";
    SetStateCommand = 0x0403, "Command: SetState";
    ClearStateCommand = 0x0404, "Command: ClearState";
    ClearAllStateCommand = 0x0405, "Command: ClearAllState";
    GetLazyStateKeysCommand = 0x0406, "Command: GetLazyStateKeys";
    GetEagerStateCommand = 0x0407, "Command: GetEagerState";
    GetEagerStateKeysCommand = 0x0408, "Command: GetEagerStateKeys";
    GetPromiseCommand = 0x0409, "Command: GetPromise";
    PeekPromiseCommand = 0x040A, "Command: PeekPromise";
    CompletePromiseCommand = 0x040B, "Command: CompletePromise";
    SleepCommand = 0x040C, "Command: Sleep";
    CallCommand = 0x040D, "Command: Call";
    OneWayCallCommand = 0x040E, "Command: OneWayCall";
    SendSignalCommand = 0x0410, "Command: SendSignal";
    RunCommand = 0x0411, "Command: Run";
    AttachInvocationCommand = 0x0412, "Command: AttachInvocation";
    GetInvocationOutputCommand = 0x0413, "Command: GetInvocationOutput";
    CompleteAwakeableCommand = 0x0414, "Command: CompleteAwakeable";
    GetLazyStateCompletionNotification = 0x8002, "Notification: GetLazyState";
    GetLazyStateKeysCompletionNotification = 0x8006, "Notification: GetLazyStateKeys";
    GetPromiseCompletionNotification = 0x8009, "Notification: GetPromise";
    PeekPromiseCompletionNotification = 0x800A, "Notification: PeekPromise";
    CompletePromiseCompletionNotification = 0x800B, "Notification: CompletePromise";
    SleepCompletionNotification = 0x800C, "Notification: Sleep";
    CallCompletionNotification = 0x800D, "Notification: Call";
    CallInvocationIdCompletionNotification = 0x800E, "Notification: CallInvocationId";
    RunCompletionNotification = 0x8011, "Notification: Run";
    AttachInvocationCompletionNotification = 0x8012, "Notification: AttachInvocation";
    GetInvocationOutputCompletionNotification = 0x8013, "Notification: GetInvocationOutput";
    SignalNotification = 0xFBFF, "Notification: Signal";
}

impl MessageType {
    /// Its number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// True for a journal entry that the handler's code made.
    #[must_use]
    pub const fn is_command(self) -> bool {
        matches!(self.code(), 0x0400..0x8000)
    }

    /// True for a journal entry that Restate made: a completion or a signal.
    #[must_use]
    pub const fn is_notification(self) -> bool {
        matches!(self.code(), 0x8000..0xFC00)
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
