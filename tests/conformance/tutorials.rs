//! The requests that the tutorials print, as they stand, to `onceproof serve` behind a real server.

use std::time::Duration;

use onceproof_shop::{money::Cents, services};
use serde_json::{Value, json};

use crate::{
    programs::Program,
    server::{RestateServer, free_ports},
    tutorial::{Asked, cancellable_payment, masked, payment},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends each request when the one before it was answered, and compares the answers.
#[track_caller]
fn check(server: &RestateServer, asked: &[Asked]) {
    let client = server.client();
    for (id, target, body, expected) in asked {
        let body = body.as_ref().map(ToString::to_string).unwrap_or_default();
        let json = ("Content-Type".to_owned(), "application/json".to_owned());
        let headers = if body.is_empty() { Vec::new() } else { vec![json] };
        let answer = client
            .call(target, &headers, body.as_bytes(), PATIENCE)
            .unwrap_or_else(|error| panic!("{id} {target}: {error}"));
        let got: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        match expected {
            Ok(expected) => {
                assert_eq!(answer.status, 200, "{id} {target}: {got}");
                assert_eq!(masked(got), *expected, "{id} {target}");
            }
            Err((code, message)) => {
                assert_eq!(u32::from(answer.status), *code, "{id} {target}: {got}");
                assert_eq!(got["message"], json!(message), "{id} {target}");
            }
        }
    }
}

pub(crate) fn the_tutorials_requests_get_their_answers_from_a_real_server() {
    let Some(server) = RestateServer::start() else { return };
    let [port] = free_ports();
    let served = Program::serve(port, &[]);
    let client = server.client();
    client.register(&served.uri()).expect("the server takes the services");
    let (name, value) = services::opening_state(Cents(1000));
    let states = [(name.to_owned(), value.to_string().into_bytes())].into();
    client.set_state("Account", "abc", &states).expect("it is an object");
    check(&server, &payment());
    check(&server, &cancellable_payment());
}
