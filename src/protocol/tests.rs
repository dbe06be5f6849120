//! The codec against known bytes, against every message, and against bytes that are not the protocol.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{messages::*, *};

fn wire(frames: &[Frame]) -> BytesMut {
    let mut out = BytesMut::new();
    for frame in frames {
        frame.encode_into(&mut out);
    }
    out
}

fn decode_all(bytes: &[u8]) -> Result<Vec<Frame>, ProtocolError> {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next()? {
        frames.push(frame);
    }
    decoder.finish()?;
    Ok(frames)
}

fn value(text: &str) -> Value {
    Value { content: Bytes::copy_from_slice(text.as_bytes()) }
}

#[track_caller]
fn check_bytes<M: prost::Message + Default + PartialEq>(ty: MessageType, message: M, bytes: &[u8]) {
    let frame = Frame::new(ty, &message);
    assert_eq!(&wire(std::slice::from_ref(&frame))[..], bytes);
    let decoded = decode_all(bytes).expect("known good bytes");
    assert_eq!(decoded, [frame]);
    assert!(decoded[0].decode::<M>() == Ok(message));
}

#[test]
fn known_messages_have_known_bytes() {
    check_bytes(MessageType::End, End {}, &[0, 3, 0, 0, 0, 0, 0, 0]);
    check_bytes(
        MessageType::RunCommand,
        RunCommand { result_completion_id: 1, name: "charge".into() },
        b"\x04\x11\0\0\0\0\0\x0a\x58\x01\x62\x06charge",
    );
    check_bytes(
        MessageType::SetStateCommand,
        SetStateCommand {
            key: Bytes::from_static(b"s"),
            value: Some(value("1")),
            name: String::new(),
        },
        b"\x04\x03\0\0\0\0\0\x08\x0a\x01s\x1a\x03\x0a\x011",
    );
    check_bytes(
        MessageType::SignalNotification,
        Notification {
            id: Some(NotificationId::Signal(SIGNAL_CANCEL)),
            result: Some(NotificationResult::Void(Void {})),
        },
        &[0xFB, 0xFF, 0, 0, 0, 0, 0, 4, 0x10, 1, 0x22, 0],
    );
    check_bytes(
        MessageType::CallInvocationIdCompletionNotification,
        Notification {
            id: Some(NotificationId::Completion(300)),
            result: Some(NotificationResult::InvocationId("inv_1".into())),
        },
        b"\x80\x0e\0\0\0\0\0\x0b\x08\xac\x02\x82\x01\x05inv_1",
    );
    check_bytes(
        MessageType::Suspension,
        Suspension {
            waiting_completions: vec![1, 2],
            waiting_signals: vec![1],
            ..Suspension::default()
        },
        &[0, 1, 0, 0, 0, 0, 0, 7, 0x0a, 2, 1, 2, 0x12, 1, 1],
    );
}

#[test]
fn a_requested_acknowledgement_is_the_top_flag() {
    let mut frame = Frame::new(
        MessageType::ProposeRunCompletion,
        &ProposeRunCompletion {
            result_completion_id: 1,
            result: Some(ProposedResult::Value(Bytes::from_static(b"1"))),
        },
    );
    frame.requested_ack = true;
    let bytes = wire(std::slice::from_ref(&frame));
    assert_eq!(&bytes[..], b"\0\x05\x80\0\0\0\0\x05\x08\x01\x72\x011");
    assert_eq!(decode_all(&bytes), Ok(vec![frame]));
}

#[track_caller]
fn check_round_trip<M: prost::Message + Default + PartialEq>(ty: MessageType, message: M) {
    let bytes = wire(&[Frame::new(ty, &message)]);
    let frame = decode_all(&bytes).expect("a frame of ours").remove(0);
    assert!(frame.decode::<M>() == Ok(message), "{ty}");
}

fn every_future() -> Future {
    Future {
        waiting_completions: vec![1, 300],
        waiting_signals: vec![17],
        waiting_named_signals: vec!["go".into()],
        nested_futures: vec![Future { waiting_signals: vec![1], ..Future::default() }],
        combinator_type: CombinatorType::AllSucceededOrFirstFailed.into(),
    }
}

fn failure() -> Failure {
    Failure {
        code: 409,
        message: "cancelled".into(),
        metadata: vec![FailureMetadata { key: "k".into(), value: "v".into() }],
    }
}

#[test]
fn control_messages_survive_the_wire() {
    check_round_trip(
        MessageType::Start,
        Start {
            id: Bytes::from_static(b"id"),
            debug_id: "inv_1".into(),
            known_entries: 1,
            state_map: vec![StateEntry { key: Bytes::from_static(b"k"), value: Bytes::new() }],
            partial_state: true,
            key: "room-101".into(),
            retry_count_since_last_stored_entry: 2,
            duration_since_last_stored_entry: 3,
            random_seed: u64::MAX,
            scope: Some("s".into()),
            limit_key: Some("l".into()),
            idempotency_key: Some(String::new()),
        },
    );
    check_round_trip(
        MessageType::Suspension,
        Suspension {
            waiting_named_signals: vec!["a".into()],
            awaiting_on: Some(every_future()),
            ..Suspension::default()
        },
    );
    check_round_trip(
        MessageType::Error,
        Error {
            code: 570,
            message: "mismatch".into(),
            stacktrace: "at".into(),
            related_command_index: Some(0),
            related_command_name: Some("charge".into()),
            related_command_type: Some(0x411),
            next_retry_delay: Some(0),
            behavior: ErrorBehavior::Pause.into(),
        },
    );
    check_round_trip(MessageType::End, End {});
    check_round_trip(MessageType::CommandAck, CommandAck { command_index: 7 });
    check_round_trip(
        MessageType::ProposeRunCompletion,
        ProposeRunCompletion {
            result_completion_id: 1,
            result: Some(ProposedResult::Failure(failure())),
        },
    );
    check_round_trip(
        MessageType::AwaitingOn,
        AwaitingOn { awaiting_on: Some(every_future()), executing_side_effects: true },
    );
    check_round_trip(
        MessageType::ProposeRunCompletionAck,
        ProposeRunCompletionAck { completion_id: 4 },
    );
}

#[test]
fn notifications_survive_the_wire() {
    let ids = [
        NotificationId::Completion(1),
        NotificationId::Signal(17),
        NotificationId::NamedSignal("go".into()),
    ];
    let results = [
        NotificationResult::Void(Void {}),
        NotificationResult::Value(value("1")),
        NotificationResult::Failure(failure()),
        NotificationResult::InvocationId("inv_1".into()),
        NotificationResult::StateKeys(StateKeys { keys: vec![Bytes::from_static(b"k")] }),
    ];
    let types = MessageType::ALL.iter().filter(|ty| ty.is_notification());
    for (ty, id) in types.flat_map(|ty| ids.iter().map(move |id| (*ty, id.clone()))) {
        for result in &results {
            check_round_trip(
                ty,
                Notification { id: Some(id.clone()), result: Some(result.clone()) },
            );
        }
    }
}

#[test]
fn state_commands_survive_the_wire() {
    let (key, name) = (Bytes::from_static(b"status"), "n".to_owned());
    check_round_trip(
        MessageType::GetLazyStateCommand,
        GetLazyStateCommand { key: key.clone(), result_completion_id: 1, name: name.clone() },
    );
    check_round_trip(
        MessageType::SetStateCommand,
        SetStateCommand { key: key.clone(), value: Some(value("")), name: name.clone() },
    );
    check_round_trip(
        MessageType::ClearStateCommand,
        ClearStateCommand { key: key.clone(), name: name.clone() },
    );
    check_round_trip(
        MessageType::ClearAllStateCommand,
        ClearAllStateCommand { name: name.clone() },
    );
    check_round_trip(
        MessageType::GetLazyStateKeysCommand,
        GetLazyStateKeysCommand { result_completion_id: 1, name: name.clone() },
    );
    for result in [EagerResult::Void(Void {}), EagerResult::Value(value("1"))] {
        check_round_trip(
            MessageType::GetEagerStateCommand,
            GetEagerStateCommand { key: key.clone(), result: Some(result), name: name.clone() },
        );
    }
    check_round_trip(
        MessageType::GetEagerStateKeysCommand,
        GetEagerStateKeysCommand { value: Some(StateKeys { keys: vec![key] }), name },
    );
}

#[test]
fn other_commands_survive_the_wire() {
    let header = Header { key: "h".into(), value: "v".into() };
    check_round_trip(
        MessageType::InputCommand,
        InputCommand { headers: vec![header.clone()], value: Some(value("{}")), name: "n".into() },
    );
    for result in [OutputResult::Value(value("1")), OutputResult::Failure(failure())] {
        check_round_trip(
            MessageType::OutputCommand,
            OutputCommand { result: Some(result), name: "n".into() },
        );
    }
    check_round_trip(
        MessageType::SleepCommand,
        SleepCommand { wake_up_time: u64::MAX, result_completion_id: 1, name: "n".into() },
    );
    check_round_trip(
        MessageType::CallCommand,
        CallCommand {
            service_name: "Account".into(),
            handler_name: "Withdraw".into(),
            parameter: Bytes::from_static(b"1"),
            headers: vec![header.clone()],
            key: "alice".into(),
            idempotency_key: Some("k".into()),
            scope: Some("s".into()),
            limit_key: Some("l".into()),
            invocation_id_notification_idx: 1,
            result_completion_id: 2,
            name: "n".into(),
        },
    );
    check_round_trip(
        MessageType::OneWayCallCommand,
        OneWayCallCommand {
            service_name: "Account".into(),
            handler_name: "Withdraw".into(),
            parameter: Bytes::from_static(b"1"),
            invoke_time: 1,
            headers: vec![header],
            key: "alice".into(),
            idempotency_key: Some("k".into()),
            scope: Some("s".into()),
            limit_key: Some("l".into()),
            invocation_id_notification_idx: 1,
            name: "n".into(),
        },
    );
    check_round_trip(
        MessageType::RunCommand,
        RunCommand { result_completion_id: 1, name: "n".into() },
    );
    for (signal_id, result) in [
        (SignalId::Index(1), SignalResult::Void(Void {})),
        (SignalId::Name("go".into()), SignalResult::Value(value("1"))),
        (SignalId::Index(17), SignalResult::Failure(failure())),
    ] {
        check_round_trip(
            MessageType::SendSignalCommand,
            SendSignalCommand {
                target_invocation_id: "inv_1".into(),
                signal_id: Some(signal_id),
                result: Some(result),
                entry_name: "n".into(),
            },
        );
    }
}

#[test]
fn promises_awakeables_and_attach_survive_the_wire() {
    let name = "n".to_owned();
    check_round_trip(
        MessageType::GetPromiseCommand,
        GetPromiseCommand { key: "p".into(), result_completion_id: 1, name: name.clone() },
    );
    check_round_trip(
        MessageType::PeekPromiseCommand,
        PeekPromiseCommand { key: "p".into(), result_completion_id: 1, name: name.clone() },
    );
    for completion in [PromiseCompletion::Value(value("1")), PromiseCompletion::Failure(failure())]
    {
        check_round_trip(
            MessageType::CompletePromiseCommand,
            CompletePromiseCommand {
                key: "p".into(),
                completion: Some(completion.clone()),
                result_completion_id: 1,
                name: name.clone(),
            },
        );
        check_round_trip(
            MessageType::CompleteAwakeableCommand,
            CompleteAwakeableCommand {
                awakeable_id: "sign_1".into(),
                result: Some(completion),
                name: name.clone(),
            },
        );
    }
    for target in [
        AttachTarget::InvocationId("inv_1".into()),
        AttachTarget::IdempotentRequest(IdempotentRequestTarget {
            service_name: "s".into(),
            service_key: Some("k".into()),
            handler_name: "h".into(),
            idempotency_key: "i".into(),
            scope: None,
        }),
        AttachTarget::Workflow(WorkflowTarget {
            workflow_name: "w".into(),
            workflow_key: "k".into(),
            scope: Some("s".into()),
        }),
    ] {
        check_round_trip(
            MessageType::AttachInvocationCommand,
            AttachInvocationCommand {
                target: Some(target.clone()),
                result_completion_id: 1,
                name: name.clone(),
            },
        );
        check_round_trip(
            MessageType::GetInvocationOutputCommand,
            GetInvocationOutputCommand {
                target: Some(target),
                result_completion_id: 1,
                name: name.clone(),
            },
        );
    }
}

#[test]
fn every_type_survives_its_code_and_is_at_most_one_kind_of_entry() {
    for &ty in MessageType::ALL {
        assert_eq!(MessageType::try_from(ty.code()), Ok(ty));
        let expected = match ty.journal_name().split_once(": ") {
            Some(("Command", _)) => (true, false),
            Some(("Notification", _)) => (false, true),
            _ => (false, false),
        };
        assert_eq!((ty.is_command(), ty.is_notification()), expected, "{ty}");
    }
}

#[test]
fn what_is_not_the_protocol_is_refused() {
    #[track_caller]
    fn check(bytes: &[u8], expected: ProtocolError) {
        assert_eq!(decode_all(bytes), Err(expected));
    }
    check(&[0x12, 0x34, 0, 0, 0, 0, 0, 0], ProtocolError::UnknownType(0x1234));
    check(&[0xFC, 0, 0, 0, 0, 0, 0, 0], ProtocolError::UnknownType(0xFC00));
    check(
        &[0, 3, 0x80, 0, 0, 0, 0, 0],
        ProtocolError::UnexpectedFlag { ty: MessageType::End, flags: 0x8000 },
    );
    check(
        &[0, 5, 0x80, 1, 0, 0, 0, 0],
        ProtocolError::UnexpectedFlag { ty: MessageType::ProposeRunCompletion, flags: 0x8001 },
    );
    check(
        &[0, 3, 0, 0, 2, 0, 0, 1],
        ProtocolError::TooLong { ty: MessageType::End, length: FRAME_LENGTH_MAX + 1 },
    );
    check(&[0, 3, 0], ProtocolError::Truncated { missing: 5 });
    check(&[0, 2, 0, 0, 0, 0, 0, 4, 1], ProtocolError::Truncated { missing: 3 });
}

#[test]
fn a_malformed_payload_is_refused_when_it_is_decoded() {
    let frame = Frame {
        ty: MessageType::Error,
        requested_ack: false,
        payload: Bytes::from_static(&[0x0a, 9]),
    };
    assert!(matches!(
        frame.decode::<Error>(),
        Err(ProtocolError::Malformed { ty: MessageType::Error, .. })
    ));
}

fn arbitrary_frame() -> impl Strategy<Value = Frame> {
    let ty = prop::sample::select(MessageType::ALL);
    (ty, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(ty, ack, payload)| {
        let requested_ack = ack && ty == MessageType::ProposeRunCompletion;
        Frame { ty, requested_ack, payload: payload.into() }
    })
}

proptest! {
    #[test]
    fn frames_survive_any_split_into_chunks(
        frames in prop::collection::vec(arbitrary_frame(), 0..8),
        sizes in prop::collection::vec(1_usize..30, 1..20),
    ) {
        let bytes = wire(&frames);
        let (mut decoder, mut decoded, mut rest) = (Decoder::new(), Vec::new(), &bytes[..]);
        for size in sizes.iter().cycle() {
            let (chunk, tail) = rest.split_at(rest.len().min(*size));
            rest = tail;
            decoder.push(chunk);
            while let Some(frame) = decoder.next()? {
                decoded.push(frame);
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(decoder.finish(), Ok(()));
        prop_assert_eq!(decoded, frames);
    }

    #[test]
    fn a_cut_stream_gives_its_whole_frames_and_then_an_error(
        frames in prop::collection::vec(arbitrary_frame(), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = wire(&frames);
        let cut = cut.index(bytes.len());
        let mut ends = vec![0];
        for frame in &frames {
            ends.push(ends[ends.len() - 1] + HEADER_LENGTH + frame.payload.len());
        }
        let mut decoder = Decoder::new();
        decoder.push(&bytes[..cut]);
        let mut whole = 0;
        while decoder.next()?.is_some() {
            whole += 1;
        }
        prop_assert_eq!(whole, ends.iter().filter(|end| **end <= cut).count() - 1);
        prop_assert_eq!(decoder.finish().is_ok(), ends.contains(&cut));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frames) = decode_all(&bytes) {
            prop_assert_eq!(&wire(&frames)[..], &bytes[..]);
        }
        for &ty in MessageType::ALL {
            let frame = Frame { ty, requested_ack: false, payload: bytes.clone().into() };
            let _ = frame.decode::<Start>().is_ok();
            let _ = frame.decode::<Notification>().is_ok();
            let _ = frame.decode::<CallCommand>().is_ok();
            let _ = frame.decode::<Suspension>().is_ok();
        }
    }
}
