#!/usr/bin/env bash
# Types the commands that the examples print, as they stand there. One argument says which example's:
#
#   idempotency-hands-on  idempotency-readme  payment-api  payment-state-machine
#
# By hand, with a Restate server on 8080 and 9070 and `onceproof serve` registered:
#   tests/conformance/seed-commands.sh payment-api
# Two examples use one key, so each wants a server of its own. In the tests, seed_commands.rs says where
# curl and restate find the server, has curl print each answer's status, and compares the answers.
set -eu

case "${1-}" in
idempotency-hands-on)
    curl -X POST http://localhost:9070/deployments \
      -H 'Content-Type: application/json' \
      -d '{"uri": "http://host.docker.internal:9090"}'

    curl -X POST http://localhost:8080/PaymentService/payment-001/CreatePayment \
      -H 'Content-Type: application/json' \
      -d '{
        "amount": 10000,
        "currency": "USD",
        "description": "Premium subscription",
        "customerId": "cust-alice"
      }'

    curl -X POST http://localhost:8080/PaymentService/payment-001/CreatePayment \
      -H 'Content-Type: application/json' \
      -d '{
        "amount": 10000,
        "currency": "USD",
        "description": "Premium subscription",
        "customerId": "cust-alice"
      }'

    curl -X POST http://localhost:8080/PaymentService/payment-001/GetPayment \
      -H 'Content-Type: application/json' \
      -d '{}'

    curl -X POST http://localhost:8080/PaymentService/payment-001/RefundPayment \
      -H 'Content-Type: application/json' \
      -d '{
        "reason": "Customer request",
        "amount": 10000
      }'

    curl -X POST http://localhost:8080/PaymentService/payment-001/RefundPayment \
      -H 'Content-Type: application/json' \
      -d '{
        "reason": "Customer request",
        "amount": 10000
      }'
    ;;
idempotency-readme)
    curl -X POST http://localhost:8080/PaymentService/payment-123/Create \
      -H 'Content-Type: application/json' \
      -H 'idempotency-key: unique-key-123' \
      -d '{"amount": 10000, "currency": "USD"}'

    curl -X POST http://localhost:8080/PaymentService/payment-123/Create \
      -H 'Content-Type: application/json' \
      -H 'idempotency-key: unique-key-123' \
      -d '{"amount": 10000, "currency": "USD"}'
    ;;
payment-api)
    curl -X POST localhost:8080/payments/makePayment -H 'content-type: application/json' -d '{"key": "some-string-id", "request": { "accountId": "abc", "amount": 100 } }'

    curl -X POST localhost:8080/payments/cancelPayment -H 'content-type: application/json' -d '{"key": "some-string-id"}'
    ;;
payment-state-machine)
    # The example leaves out --yes, and a person answers the question at a terminal.
    restate deployments register localhost:9080 --yes

    curl -X POST localhost:8080/PaymentProcessor/some-string-id/makePayment -H 'content-type: application/json' \
     -d '{  "accountId": "abc", "amountCents": 100 }'

    curl -X POST localhost:8080/PaymentProcessor/some-string-id/cancelPayment

    restate kv get PaymentProcessor some-string-id
    ;;
*)
    echo "usage: $0 idempotency-hands-on|idempotency-readme|payment-api|payment-state-machine" >&2
    exit 2
    ;;
esac
