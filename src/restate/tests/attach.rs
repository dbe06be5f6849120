//! Attach and get-output, by clients and by handlers.

use super::*;

fn attach(b: &mut Bench, to: &Attachable) -> Option<Outcome> {
    b.tickets += 1;
    let ticket = b.tickets;
    b.engine.attach(b.now, Ticket(ticket), format!("r{ticket}").into(), to);
    b.drain();
    b.reply(ticket).cloned()
}

fn output_of(b: &mut Bench, of: &Attachable) -> Option<Outcome> {
    b.tickets += 1;
    b.engine.output_of(b.now, Ticket(b.tickets), of);
    b.drain();
    b.reply(b.tickets).cloned()
}

fn attaches(id: u32, to: &str) -> Frame {
    let target = Some(AttachTarget::InvocationId(to.into()));
    let message = AttachInvocationCommand { target, result_completion_id: id, name: String::new() };
    Frame::new(MessageType::AttachInvocationCommand, &message)
}

fn asks(id: u32, to: &str) -> Frame {
    let target = Some(AttachTarget::InvocationId(to.into()));
    let message =
        GetInvocationOutputCommand { target, result_completion_id: id, name: String::new() };
    Frame::new(MessageType::GetInvocationOutputCommand, &message)
}

#[test]
fn a_client_asks_for_an_outcome_by_key_by_workflow_and_by_id() {
    for (target, key) in
        [("Counter/k/add", Some("a")), ("Flow/k/run", None), ("Counter/k/add", None)]
    {
        let mut b = Bench::new();
        let [service, object, handler] = target.split('/').collect::<Vec<_>>()[..] else {
            panic!()
        };
        let name = Target::new(service, object, handler);
        let key = key.map(Name::from);
        let what = b.engine.attachable("r1", &name, key.as_ref());
        assert_eq!(attach(&mut b, &what), Some(failed(404, "not found")), "{target}");
        assert_eq!(output_of(&mut b, &what), Some(failed(404, "invocation not found")));
        b.tickets = 0;
        b.replies.clear();
        let inv = b.invoke(target, key.as_deref());
        let what = b.engine.attachable("r1", &name, key.as_ref());
        let not_yet = failed(470, "the invocation exists but has not completed yet");
        assert_eq!(output_of(&mut b, &what), Some(not_yet), "{target}");
        assert_eq!(attach(&mut b, &what), None, "{target}");
        let attached = b.tickets;
        b.finish(inv, "42");
        assert_eq!(b.reply(attached), Some(&ok("42")), "{target}");
        assert_eq!(attach(&mut b, &what), Some(ok("42")), "{target}");
        assert_eq!(output_of(&mut b, &what), Some(ok("42")), "{target}");
        b.advance_ms(24 * 60 * 60 * 1000);
        assert_eq!(attach(&mut b, &what), Some(failed(404, "not found")), "{target}");
    }
}

#[test]
fn a_handler_attaches_by_id() {
    let mut b = Bench::new();
    let (other, inv) = (b.invoke("Counter/k/add", None), b.invoke("Plain/work", None));
    let id = b.engine.id(other).to_string();
    let asked = MessageType::GetInvocationOutputCompletionNotification;
    b.send(inv, [asks(1, &id), attaches(2, &id), attaches(3, "inv_nobody"), suspension(&[2])]);
    let told = MessageType::AttachInvocationCompletionNotification;
    assert_eq!(b.told(inv, told), [refused(404, "not found")]);
    assert_eq!(b.told(inv, asked), [NotificationResult::Void(Void {})]);
    b.finish(other, "42");
    assert_eq!(b.told(inv, told)[1], NotificationResult::Value(value("42")));
    assert_eq!(b.phase(inv), Phase::Running);
    b.send(inv, [asks(4, &id), attaches(5, &id)]);
    assert_eq!(b.told(inv, told)[2], NotificationResult::Value(value("42")));
    assert_eq!(b.told(inv, asked)[1], NotificationResult::Value(value("42")));
}

#[test]
fn what_a_handler_sent_is_known_by_its_id_as_long_as_its_journal() {
    let mut b = Bench::with(Config {
        journal_retention_ms: 1_000,
        idempotency_retention_ms: 2_000,
        ..Config::default()
    });
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [send_at(1, ("Counter", "c", "add"), None, None)]);
    b.finish(parent, "1");
    b.finish(Inv(1), "2");
    let [client, sent] =
        [parent, Inv(1)].map(|inv| Attachable::Invocation(b.engine.id(inv).clone()));
    assert_eq!(output_of(&mut b, &sent), Some(ok("2")));
    b.advance_ms(1_000);
    let gone = Some(failed(404, "invocation not found"));
    assert_eq!(
        (output_of(&mut b, &client), output_of(&mut b, &sent)),
        (Some(ok("1")), gone.clone())
    );
    b.advance_ms(1_000);
    assert_eq!(output_of(&mut b, &client), gone);
}
