//! What the simulation costs beyond the SDK's own work: a fault-free CreatePayment through the whole
//! simulation, beside the same handler driven by hand with nothing around it.
//!
//! The ratio is measured in alternating batches in one process, because machines are noisy.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures real time and prints it"
)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    hint::black_box,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use http_body::{Body, Frame as HttpFrame};
use onceproof::{
    base::{Seed, Target},
    choice::Seeded,
    oracle::{Oracle, judge},
    protocol::{Decoder, Frame, MessageType, messages},
    scenario::plan::{Action, Plan, Step},
    sim::{self, Deployment, Logs},
    subject::{Subject, Variants},
};
use onceproof_shop::{
    services::PaymentService,
    systems::{
        ApiFuture, ChargeAnswer, ChargeRequest, Email, Mailer, PaymentGateway, RefundRequest,
        gateway::Gateway, mailer::MailServer,
    },
};
use restate_sdk::prelude::Endpoint;

/// The allocator of the binary `onceproof`, for both sides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BODY: &str = r#"{"amount":10000,"currency":"USD","description":"Premium subscription","customerId":"cust-alice"}"#;

/// A world that answers at once.
struct Instantly;

impl PaymentGateway for Instantly {
    fn charge(&self, request: ChargeRequest) -> ApiFuture<'_, ChargeAnswer> {
        Box::pin(async move {
            Ok(ChargeAnswer::Captured { charge_id: format!("ch_{}_1", request.customer) })
        })
    }

    fn refund(&self, _: RefundRequest) -> ApiFuture<'_, String> {
        Box::pin(async { Ok("re_1".to_owned()) })
    }

    fn void(&self, _: String) -> ApiFuture<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Mailer for Instantly {
    fn send(&self, _: Email) -> ApiFuture<'_, String> {
        Box::pin(async { Ok("msg_1".to_owned()) })
    }
}

fn build(gateway: Arc<dyn PaymentGateway>, mailer: Arc<dyn Mailer>) -> Endpoint {
    Endpoint::builder().bind(PaymentService::new(gateway, mailer)).build()
}

/// The payment service alone, with the two systems that it calls.
fn subject() -> Subject {
    let build = |world: &onceproof::system::World| {
        let (gateway, mailer) = (world.connect::<Gateway>(), world.connect::<MailServer>());
        onceproof::endpoint!(build(Arc::new(gateway), Arc::new(mailer)))
    };
    Subject::new(build).system::<Gateway>().system::<MailServer>()
}

#[derive(Clone, Default)]
struct Inbound(Arc<Mutex<(VecDeque<Bytes>, bool)>>);

impl Inbound {
    fn feed(&self, frames: &[Frame]) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|f| f.encode_into(&mut bytes));
        self.0.lock().unwrap().0.push_back(bytes.freeze());
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, Infallible>>> {
        let mut queue = self.0.lock().unwrap();
        match queue.0.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(HttpFrame::data(chunk)))),
            None if queue.1 => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// One attempt of CreatePayment on a fresh endpoint: the least that anybody must do to run it.
fn bare(world: &Arc<Instantly>) -> usize {
    let endpoint = build(world.clone(), world.clone());
    let inbound = Inbound::default();
    let request = http::Request::post("/invoke/PaymentService/CreatePayment")
        .header("content-type", "application/vnd.restate.invocation.v6")
        .body(inbound.clone())
        .unwrap();
    let start = messages::Start {
        id: Bytes::from_static(b"payment"),
        debug_id: "inv_1".into(),
        known_entries: 1,
        key: "payment-001".into(),
        random_seed: 1,
        ..Default::default()
    };
    let input = messages::InputCommand {
        headers: vec![messages::Header {
            key: "content-type".into(),
            value: "application/json".into(),
        }],
        value: Some(messages::Value { content: Bytes::from_static(BODY.as_bytes()) }),
        ..Default::default()
    };
    inbound.feed(&[
        Frame::new(MessageType::Start, &start),
        Frame::new(MessageType::InputCommand, &input),
    ]);
    let mut body = pin!(endpoint.handle(request).into_body());
    let mut decoder = Decoder::default();
    let mut messages_seen = 0;
    loop {
        let chunk = match body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(frame)) => frame.unwrap().into_data().unwrap(),
            Poll::Ready(None) => return messages_seen,
            Poll::Pending => continue,
        };
        decoder.push(&chunk);
        while let Some(frame) = decoder.next().unwrap() {
            messages_seen += 1;
            match frame.ty {
                MessageType::ProposeRunCompletion => {
                    let proposed: messages::ProposeRunCompletion = frame.decode().unwrap();
                    let Some(messages::ProposedResult::Value(value)) = proposed.result else {
                        panic!("a result")
                    };
                    let done = messages::Notification {
                        id: Some(messages::NotificationId::Completion(
                            proposed.result_completion_id,
                        )),
                        result: Some(messages::NotificationResult::Value(messages::Value {
                            content: value,
                        })),
                    };
                    inbound.feed(&[Frame::new(MessageType::RunCompletionNotification, &done)]);
                }
                MessageType::End => inbound.0.lock().unwrap().1 = true,
                _ => {}
            }
        }
    }
}

fn plan() -> Plan {
    Plan {
        steps: vec![Step {
            request: "pay".into(),
            step: "pay".into(),
            action: Action::Call {
                target: Target::new("PaymentService", "payment-001", "CreatePayment"),
                body: BODY.into(),
                idempotency_key: None,
                from: None,
                faults: Vec::new(),
                headers: std::collections::BTreeMap::new(),
            },
            ..Step::default()
        }],
        ..Plan::default()
    }
}

/// The same payment through client, ingress, engine, world and history, with its digest.
fn simulated(deployment: &Deployment, plan: &Plan, seed: u64) -> usize {
    let mut source = Seeded::new(Seed(seed));
    let result = sim::run(deployment, plan, Seed(seed), &mut source, Logs::Discard);
    black_box(result.history.digest());
    result.history.len()
}

fn benchmark(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let inside = runtime.enter();
    let world = Arc::new(Instantly);
    let subject = subject();
    let deployment =
        subject.deployment(&Variants::default()).expect("the service answers discovery");
    let plan = plan();
    assert_eq!(bare(&world), 9, "six commands, two results of runs, the end");
    assert!(simulated(&deployment, &plan, 0) > 20);

    let mut group = criterion.benchmark_group("create_payment");
    group.bench_function("bare_sdk", |b| b.iter(|| bare(&world)));
    drop(inside);
    let mut seed = 0;
    group.bench_function("simulated", |b| {
        b.iter(|| {
            seed += 1;
            simulated(&deployment, &plan, seed)
        });
    });
    let shop = onceproof_shop::subject();
    let oracles: Vec<&dyn Oracle> = shop.all_oracles().collect();
    group.bench_function("simulated_and_judged", |b| {
        b.iter(|| {
            seed += 1;
            let mut source = Seeded::new(Seed(seed));
            let result = sim::run(&deployment, &plan, Seed(seed), &mut source, Logs::Discard);
            black_box(result.history.digest());
            black_box(judge(&result.history, oracles.iter().copied()));
        });
    });
    group.finish();

    for (name, judged) in [("simulated", false), ("simulated and judged", true)] {
        let mut ratios: Vec<f64> = (0..101)
            .map(|round| {
                let inside = runtime.enter();
                let bare = timed(|| bare(&world));
                drop(inside);
                let whole = timed(|| {
                    let mut source = Seeded::new(Seed(round));
                    let result =
                        sim::run(&deployment, &plan, Seed(round), &mut source, Logs::Discard);
                    black_box(result.history.digest());
                    if judged {
                        black_box(judge(&result.history, oracles.iter().copied()));
                    }
                });
                whole.as_secs_f64() / bare.as_secs_f64()
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "ratio {name} / bare_sdk: median {:.2} (from {:.2} to {:.2} in {} alternating batches)",
            ratios[50],
            ratios[10],
            ratios[90],
            ratios.len()
        );
    }
}

fn timed<T>(mut f: impl FnMut() -> T) -> Duration {
    let started = Instant::now();
    for _ in 0..100 {
        black_box(f());
    }
    started.elapsed()
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
