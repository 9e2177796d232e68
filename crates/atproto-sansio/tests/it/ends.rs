//! Tests: a machine or flow that is polled after its end panics, and sends nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{
    Body, Call, Cx, Endpoint, Fetch, Fresh, Held, How, Join, Machine, Output, Reply, TransportError,
};
use bytes::Bytes;
use http::{Request, Response};

use crate::support::{Driver, Get, by_fn, echo, get, how, lost, lost_at, name};

/// Runs `machine` to its end and polls it once more. Returns whether the last poll panicked, and
/// the names of all calls that were handed out.
fn polled_again<M: Machine>(mut machine: M, answer: fn(Call) -> Reply) -> (bool, Vec<String>) {
    let mut second = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let (panicked, pause) = match &second {
            Some(second) => second,
            None => {
                let _ = ready!(machine.poll(cx));
                let panicked = catch_unwind(AssertUnwindSafe(|| drop(machine.poll(cx)))).is_err();
                // Calls are handed out in order, so every call of the machine comes before this
                // pause.
                second.insert((panicked, cx.sleep(Duration::ZERO)))
            }
        };
        ready!(cx.take(pause))?;
        Poll::Ready(Ok::<_, TransportError>(*panicked))
    }));
    let mut sent = Vec::new();
    loop {
        match driver.poll() {
            Output::Call(Call::Sleep(call)) => {
                driver.flow.handle_reply(call.respond.with(Ok(())));
            }
            Output::Call(call) => {
                sent.push(name(&call));
                driver.flow.handle_reply(answer(call));
            }
            Output::Wait => unreachable!("every call was answered"),
            Output::Done(panicked) => return (panicked.expect("a pause is never refused"), sent),
        }
    }
}

#[test]
#[should_panic(expected = "a flow was polled after its end")]
fn a_flow_polled_after_its_end_panics() {
    let mut driver = Driver::new(by_fn(|_| Poll::Ready(Ok::<_, TransportError>(()))));
    driver.end().unwrap();
    let _ = driver.poll();
}

#[test]
fn a_reply_that_comes_after_the_end_is_ignored() {
    let mut driver = Driver::new(Join::new(get("a"), get("b")));
    let mut calls = driver.calls();
    let late = calls.pop().unwrap();
    driver.flow.handle_reply(calls.pop().unwrap().fail(lost()));
    assert_eq!(driver.end().unwrap_err(), lost_at("a"));
    assert!(!late.is_wanted());
    driver.flow.handle_reply(echo(late));
}

#[test]
fn a_fetch_polled_after_its_end_panics_and_sends_nothing() {
    assert_eq!(polled_again(get("x"), echo), (true, vec!["x".to_owned()]));
    assert_eq!(polled_again(get("x"), |call| call.fail(lost())), (true, vec!["x".to_owned()]));
}

#[test]
fn a_fetch_that_could_not_make_its_request_panics_when_polled_again_and_sends_nothing() {
    /// Fails to build its first request, because the first byte of the entropy is zero. A second
    /// attempt would succeed.
    struct Fussy;

    impl Endpoint for Fussy {
        type Output = String;
        type Error = TransportError;

        fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, TransportError> {
            let mut byte = [0];
            fresh.entropy.fill(&mut byte);
            if byte == [0] { Err(lost()) } else { Get("again").request(fresh) }
        }
        fn how(&self) -> How {
            how()
        }
        fn response(&self, response: Response<Bytes>) -> Result<String, TransportError> {
            Get("again").response(response)
        }
    }

    assert_eq!(polled_again(Fetch::new(Fussy), echo), (true, Vec::new()));
}

#[test]
fn a_join_polled_after_its_end_panics_and_sends_nothing() {
    let join = || Join::new(get("a"), get("b"));
    assert_eq!(polled_again(join(), echo), (true, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(polled_again(join(), |call| call.fail(lost())), (true, vec!["a".to_owned()]));
}

#[test]
fn held_does_not_poll_after_the_end_and_gives_its_result_once() {
    let mut held = Held::new(get("x"));
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if !held.advance(cx) {
            assert!(held.running().is_some() && held.result().is_none() && held.take().is_none());
            return Poll::Pending;
        }
        assert!(held.running().is_none() && held.result().is_some());
        assert!(held.advance(cx), "it has ended");
        let first = held.take();
        assert!(held.advance(cx), "it has ended");
        assert!(held.take().is_none() && held.result().is_none());
        Poll::Ready(first.expect("it has ended"))
    }));
    let call = driver.call();
    assert!(driver.is_waiting());
    driver.flow.handle_reply(echo(call));
    assert_eq!(driver.end().unwrap(), "x");
}

#[test]
fn held_can_begin_with_its_result() {
    let mut held = Held::<Fetch<Get>>::ended(Ok("known".to_owned()));
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        assert!(held.advance(cx));
        Poll::Ready(held.take().expect("it has ended"))
    }));
    assert_eq!(driver.end().unwrap(), "known");
}

#[test]
#[should_panic(expected = "a machine is pending without an outstanding call")]
fn a_machine_that_is_pending_without_a_call_panics() {
    let _ = Driver::new(by_fn(|_| Poll::<Result<(), TransportError>>::Pending)).poll();
}

#[test]
#[should_panic(expected = "a machine is pending without an outstanding call")]
fn a_machine_that_is_pending_after_it_dropped_its_ticket_panics() {
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        drop(cx.sleep(Duration::ZERO));
        Poll::<Result<(), TransportError>>::Pending
    }));
    let _ = driver.poll();
}

#[test]
#[should_panic(expected = "a machine is pending without an outstanding call")]
fn a_machine_that_dropped_the_only_call_in_flight_panics() {
    let mut tickets = Vec::new();
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if tickets.is_empty() {
            tickets.extend(["answered", "dropped"].map(|key| cx.load(key.to_owned())));
        } else if cx.take(&tickets[0]).is_ready() {
            tickets.clear();
        }
        Poll::<Result<(), TransportError>>::Pending
    }));
    let [answered, _dropped] = driver.calls().try_into().unwrap();
    driver.flow.handle_reply(echo(answered));
    let _ = driver.poll();
}

#[test]
#[should_panic(expected = "a ticket is redeemed once")]
fn a_machine_that_takes_an_answer_twice_panics() {
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let ticket = &*ticket.get_or_insert_with(|| cx.sleep(Duration::ZERO));
        ready!(cx.take(ticket))?;
        cx.take(ticket)
    }));
    let call = driver.call();
    driver.flow.handle_reply(echo(call));
    let _ = driver.poll();
}
