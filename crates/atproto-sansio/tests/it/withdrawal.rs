//! Tests: a dropped ticket withdraws its call.

use std::cell::Cell;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Call, Cx, Phase, StoreError, TransportError};

use crate::support::{Driver, by_fn, echo, how, name, names, request};

type Never = Poll<Result<(), TransportError>>;

#[test]
fn a_queued_call_whose_ticket_is_dropped_is_never_handed_out() {
    let mut kept = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if kept.is_none() {
            drop(cx.load("before".to_owned()));
            kept = Some(cx.load("kept".to_owned()));
            drop(cx.http(request("https://peer.example.net/after"), how()));
        }
        Never::Pending
    }));
    assert_eq!(names(&driver.calls()), ["kept"]);
}

#[test]
fn a_call_in_the_middle_of_the_queue_can_be_withdrawn_later() {
    let mut tickets = Vec::new();
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if tickets.is_empty() {
            tickets.extend(["1", "2", "3"].map(|key| cx.load(key.to_owned())));
        } else if tickets.len() == 3 && cx.take(&tickets[0]).is_ready() {
            assert!(!cx.is_handed_out(&tickets[1]));
            drop(tickets.remove(1));
        }
        Never::Pending
    }));
    let first = driver.call();
    driver.flow.handle_reply(echo(first));
    assert_eq!(names(&driver.calls()), ["3"]);
}

#[test]
fn the_reply_to_a_withdrawn_call_is_ignored_and_does_not_wake_the_machine() {
    let polls = Cell::new(0);
    let mut tickets = Vec::new();
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        polls.set(polls.get() + 1);
        match tickets.len() {
            0 => tickets.extend(["go", "withdrawn", "kept"].map(|key| cx.load(key.to_owned()))),
            3 if cx.take(&tickets[0]).is_ready() => drop(tickets.drain(..2)),
            _ => {}
        }
        Never::Pending
    }));
    let [go, withdrawn, kept] = driver.calls().try_into().unwrap();
    assert!(withdrawn.is_wanted());
    driver.flow.handle_reply(echo(go));
    assert!(driver.is_waiting());
    assert_eq!(polls.get(), 2);

    assert!(!withdrawn.is_wanted() && kept.is_wanted());
    driver.flow.handle_reply(echo(withdrawn));
    assert!(driver.is_waiting());
    assert_eq!(polls.get(), 2, "the reply to a withdrawn call does not wake the machine");

    driver.flow.handle_reply(echo(kept));
    assert_eq!(polls.get(), 2, "`handle_reply` does not poll the machine");
}

#[test]
fn a_machine_is_not_polled_without_a_new_reply() {
    let polls = Cell::new(0);
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        polls.set(polls.get() + 1);
        ticket.get_or_insert_with(|| cx.load("x".to_owned()));
        Never::Pending
    }));
    let _call = driver.call();
    assert!(driver.is_waiting() && driver.is_waiting());
    assert_eq!(polls.get(), 1);
}

#[test]
fn a_driver_can_see_that_a_call_is_no_longer_wanted() {
    let mut tickets = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let (txt, sleep) = tickets.get_or_insert_with(|| {
            (Some(cx.txt("x".to_owned(), Duration::ZERO)), cx.sleep(Duration::ZERO))
        });
        if cx.take(&*sleep).is_ready() {
            *txt = None;
            *sleep = cx.sleep(Duration::ZERO);
        }
        Never::Pending
    }));
    let [txt, sleep] = driver.calls().try_into().unwrap();
    let Call::Txt(txt) = txt else { unreachable!("{}", name(&txt)) };
    assert!(txt.respond.is_wanted());
    driver.flow.handle_reply(echo(sleep));
    assert!(txt.respond.is_wanted(), "the machine has not decided yet");
    let _sleep = driver.call();
    assert!(!txt.respond.is_wanted());
}

#[test]
fn a_call_is_not_wanted_after_its_flow_was_dropped() {
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(move |cx: &mut Cx<'_>| {
        ticket.get_or_insert_with(|| cx.load("x".to_owned()));
        Never::Pending
    }));
    let call = driver.call();
    assert!(call.is_wanted());
    drop(driver);
    assert!(!call.is_wanted());
}

#[test]
fn a_call_that_the_driver_drops_is_answered_with_maybe_sent() {
    let mut tickets = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let (one, other) = tickets.get_or_insert_with(|| {
            (cx.txt("one".to_owned(), Duration::MAX), cx.load("other".to_owned()))
        });
        let (Poll::Ready(Err(one)), Poll::Ready(Err(other))) = (cx.take(one), cx.take(other))
        else {
            return Poll::Pending;
        };
        Poll::Ready(Ok::<_, TransportError>((one, other)))
    }));
    let [one, other] = driver.calls().try_into().unwrap();
    // A reply that is never handed over is a dropped call, too.
    drop(one);
    drop(echo(other));
    let (one, other) = driver.end().unwrap();
    assert_eq!(
        one,
        TransportError::new(Phase::MaybeSent, "the driver dropped the call unanswered")
    );
    assert_eq!(other, StoreError::maybe_applied("the driver dropped the call unanswered"));
}

#[test]
fn a_machine_knows_which_of_its_calls_were_handed_out() {
    let mut tickets = Vec::new();
    let mut seen = Vec::new();
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if tickets.is_empty() {
            tickets.extend(["1", "2"].map(|key| cx.load(key.to_owned())));
        }
        seen.push(tickets.iter().map(|ticket| cx.is_handed_out(ticket)).collect::<Vec<_>>());
        match cx.take(&tickets[0]) {
            Poll::Ready(_) => Poll::Ready(Ok::<_, TransportError>(seen.clone())),
            Poll::Pending => Poll::Pending,
        }
    }));
    let call = driver.call();
    driver.flow.handle_reply(echo(call));
    assert_eq!(driver.end().unwrap(), [[false, false], [true, false]]);
}
