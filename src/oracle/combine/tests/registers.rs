//! Linearizability of a register, against all orders of a few operations.

use proptest::{collection::vec, prelude::*};

use crate::oracle::{
    Facts, Invocation, Model, Search, Timed, linearizable, linearize, testing::check,
};

fn register_ops() -> impl Strategy<Value = Vec<Timed<Op>>> {
    let op = prop_oneof![(0_u8..3).prop_map(Op::Write), (0_u8..3).prop_map(Op::Read)];
    vec((op, 0_usize..8, 0_usize..5), 0..6).prop_map(|ops| {
        let timed = ops.into_iter().map(|(op, from, long)| Timed { op, from, to: from + long });
        let mut ops: Vec<_> = timed.collect();
        ops.sort_by_key(|op| op.from);
        ops
    })
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Write(u8),
    Read(u8),
}

/// A register that opens with 0.
struct Register;

impl Model for Register {
    type State = u8;
    type Op<'h> = Op;

    fn opening(_: &Facts<'_>, _: &str) -> Option<u8> {
        Some(0)
    }

    fn operation<'h>(_: &Facts<'h>, invocation: &Invocation<'h>) -> Option<Op> {
        match invocation.handler() {
            "Write" => invocation.input_as().map(Op::Write),
            _ => invocation.answer_as().map(Op::Read),
        }
    }

    fn is_midway(invocation: &Invocation<'_>) -> bool {
        invocation.answer_as::<u8>() == Some(99)
    }

    fn step(state: &u8, op: &Op, next: &mut Vec<u8>) {
        match op {
            Op::Write(v) => next.push(*v),
            Op::Read(v) if v == state => next.push(*v),
            Op::Read(_) => {}
        }
    }
}

/// Tries every order that keeps to time.
fn some_order_explains(state: u8, left: &[Timed<Op>]) -> bool {
    left.is_empty()
        || (0..left.len()).any(|i| {
            let mut rest = left.to_vec();
            let op = rest.remove(i);
            let first = rest.iter().all(|other| op.from <= other.to);
            let mut next = Vec::new();
            Register::step(&state, &op.op, &mut next);
            first && next.into_iter().any(|state| some_order_explains(state, &rest))
        })
}

proptest! {
    #[test]
    fn a_search_finds_an_order_if_and_only_if_there_is_one(ops in register_ops()) {
        let found = linearize::<Register>(0, &ops);
        prop_assert_eq!(found == Search::Explained, some_order_explains(0, &ops), "{:?}", found);
        if let Search::Stuck(at) = found {
            prop_assert!(at < ops.len());
        }
    }
}

#[test]
fn long_sequences_are_searched_and_wide_ones_are_left_alone() {
    let timed = |op, from, to| Timed { op, from, to };
    let long: Vec<_> = (0..1000).map(|i| timed(Op::Write(1), i * 2, i * 2 + 1)).collect();
    assert_eq!(linearize::<Register>(0, &long), Search::Explained);
    let wide: Vec<_> = (0..65).map(|i| timed(Op::Write(1), i, 1000)).collect();
    assert_eq!(linearize::<Register>(0, &wide), Search::TooLarge);
    let tangled = (0..30).map(|i| timed(Op::Write(i as u8 + 1), i, 1000));
    let tangled: Vec<_> = tangled.chain([timed(Op::Read(99), 30, 1000)]).collect();
    assert_eq!(linearize::<Register>(0, &tangled), Search::TooLarge);
}

#[test]
fn objects_are_searched_each_by_itself_without_reads_from_the_middle() {
    let rule = linearizable::<Register>("Register").named("linearizable");
    let message = "no order of its operations explains what Register/r/Read answered at 2.000s: 0";
    check(&rule, &[message], |s| {
        s.at(1_000).op("Register/q/Write", "1", "");
        s.op("Register/r/Write", "1", "");
        s.at(2_000).op("Register/r/Read", "", "0");
        s.op("Register/q/Read", "", "1");
    });
    check(&rule, &[], |s| {
        let write = s.begin("Register/r/Write", "1");
        let read = s.begin_shared("Register/r/Read", "");
        s.done(read, "99");
        s.done(write, "");
        s.asks("Register/r/Write", "7");
        s.op("Register/r/Read", "", "1");
    });
    let message = "no order of its operations explains what Register/r/Read answered at 0.000s: 99";
    check(&rule, &[message], |s| {
        s.op("Register/r/Write", "1", "");
        let read = s.begin_shared("Register/r/Read", "");
        s.done(read, "99");
    });
}
