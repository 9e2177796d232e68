//! Tests of `Join`: two machines side by side.

use std::task::Poll;

use atproto_sansio::{Cx, Held, Join, Machine, Output, TransportError};

use crate::support::{Driver, echo, get, lost, lost_at, name, names, orders};

fn both(first: &str, second: &str) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

#[test]
fn a_join_keeps_the_first_result_until_both_are_there() {
    for order in orders(2) {
        let mut driver = Driver::new(Join::new(get("a"), get("b")));
        let mut calls: Vec<_> = driver.calls().into_iter().map(Some).collect();
        let mut reply = |at: usize| echo(calls[at].take().unwrap());
        driver.flow.handle_reply(reply(order[0]));
        assert!(driver.is_waiting());
        driver.flow.handle_reply(reply(order[1]));
        assert_eq!(driver.end().unwrap(), both("a", "b"));
    }
}

#[test]
fn a_join_ends_when_both_replies_come_at_once() {
    let mut driver = Driver::new(Join::new(get("a"), get("b")));
    for call in driver.calls() {
        driver.flow.handle_reply(echo(call));
    }
    assert_eq!(driver.end().unwrap(), both("a", "b"));
}

#[test]
fn one_error_ends_a_join_at_once_and_withdraws_the_queued_calls_of_the_other() {
    let mut driver = Driver::new(Join::new(get("a"), get("b")));
    let a = driver.call();
    assert_eq!(name(&a), "a");
    driver.flow.handle_reply(a.fail(lost()));
    assert_eq!(driver.end().unwrap_err(), lost_at("a"));
}

#[test]
fn a_join_inside_a_join_withdraws_its_queued_calls_and_the_rest_goes_on() {
    /// Runs the second machine after the first has ended, even if the first has failed.
    struct Forgiving<M: Machine, N>(Held<M>, N);

    impl<M: Machine, N: Machine> Machine for Forgiving<M, N> {
        type Output = N::Output;
        type Error = N::Error;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<N::Output, N::Error>> {
            if self.0.advance(cx) { self.1.poll(cx) } else { Poll::Pending }
        }
    }

    let inner = Held::new(Join::new(get("a"), get("withdrawn")));
    let mut driver = Driver::new(Forgiving(inner, get("next")));
    let a = driver.call();
    driver.flow.handle_reply(a.fail(lost()));
    assert_eq!(names(&driver.calls()), ["next"]);
}

#[test]
fn either_side_can_fail_first_while_the_other_is_in_flight() {
    for failing in 0..2 {
        let mut driver = Driver::new(Join::new(get("a"), get("b")));
        let mut calls = driver.calls();
        driver.flow.handle_reply(calls.remove(failing).fail(lost()));
        assert_eq!(driver.end().unwrap_err(), lost_at(["a", "b"][failing]));
        assert!(!calls[0].is_wanted(), "the call of the other machine was withdrawn");
    }
}

#[test]
fn a_result_that_is_kept_does_not_hide_a_later_error() {
    let mut driver = Driver::new(Join::new(get("a"), get("b")));
    let [a, b] = driver.calls().try_into().unwrap();
    driver.flow.handle_reply(echo(a));
    assert!(driver.is_waiting());
    driver.flow.handle_reply(b.fail(lost()));
    assert_eq!(driver.end().unwrap_err(), lost_at("b"));
}

#[test]
fn the_error_of_the_first_counts_if_both_fail_at_once() {
    let mut driver = Driver::new(Join::new(get("a"), get("b")));
    let [a, b] = driver.calls().try_into().unwrap();
    driver.flow.handle_reply(b.unsupported());
    driver.flow.handle_reply(a.fail(lost()));
    assert_eq!(driver.end().unwrap_err(), lost_at("a"));
}

#[test]
fn joins_nest() -> Result<(), TransportError> {
    let mut driver =
        Driver::new(Join::new(Join::new(get("a"), get("b")), Join::new(get("c"), get("d"))));
    loop {
        match driver.poll() {
            Output::Call(call) => driver.flow.handle_reply(echo(call)),
            Output::Wait => unreachable!("every call was answered"),
            Output::Done(result) => {
                assert_eq!(result?, (both("a", "b"), both("c", "d")));
                return Ok(());
            }
        }
    }
}
