//! Tests: a reply reaches the call that it answers, and no other call.

use std::convert::Infallible;
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{
    Budget, Call, Cx, Expect, Machine, Notice, Payload, SecretBytes, Ticket, TransportError,
};

use crate::support::{Driver, by_fn, echo, get, how, names, request, text};

#[test]
fn replies_in_the_wrong_order_reach_the_right_tickets() {
    let mut tickets = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let (a, b) = tickets.get_or_insert_with(|| {
            let url = |path| request(&format!("https://peer.example.net/{path}"));
            (cx.http(url("a"), how()), cx.http(url("b"), how()))
        });
        let (a, b) = (&*a, &*b);
        let second = ready!(cx.take(b))?;
        let first = ready!(cx.take(a))?;
        Poll::Ready(Ok::<_, TransportError>(text(&first) + &text(&second)))
    }));
    let calls = driver.calls();
    for call in calls.into_iter().rev() {
        driver.flow.handle_reply(echo(call));
    }
    assert_eq!(driver.end().unwrap(), "ab");
}

#[test]
#[should_panic(expected = "a reply was handed to a flow that did not ask for it")]
fn a_reply_handed_to_another_flow_panics() {
    let (mut one, mut other) = (Driver::new(get("x")), Driver::new(get("x")));
    let (call, _theirs) = (one.call(), other.call());
    other.flow.handle_reply(echo(call));
}

#[test]
#[should_panic(expected = "a ticket is redeemed once, in the flow that issued it")]
fn a_machine_that_moves_to_another_flow_panics_and_takes_no_foreign_reply() {
    let mut moved = get("mine");
    let _asked = Driver::new(&mut moved).call();
    let mut theirs = get("theirs");
    let mut other = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if theirs.poll(cx).is_ready() {
            unreachable!("the reply to this flow's call has not arrived yet");
        }
        moved.poll(cx)
    }));
    let call = other.call();
    other.flow.handle_reply(echo(call));
    let _ = other.poll();
}

#[test]
fn a_call_of_every_kind_can_be_declared_unsupported() {
    fn is_unsupported<T: Payload>(cx: &mut Cx<'_>, ticket: Ticket<T>) -> bool {
        match cx.take(&ticket) {
            Poll::Ready(Err(error)) => format!("{error:?}").contains(": Unsupported"),
            _ => unreachable!("every call was answered with an error"),
        }
    }
    let mut asked = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| match asked.take() {
        None => {
            asked = Some((
                cx.http(request("https://peer.example.net/"), how()),
                cx.txt("t".to_owned(), Duration::ZERO),
                cx.sleep(Duration::ZERO),
                cx.sign("k".to_owned(), Vec::new()),
                cx.load("l".to_owned()),
                cx.save("l".to_owned(), SecretBytes::default(), Expect::Any, None),
                cx.delete("l".to_owned(), Expect::Absent),
                cx.list(String::new(), None),
                cx.notify(Notice::new(())),
            ));
            Poll::Pending
        }
        Some((http, txt, sleep, sign, load, save, delete, list, notify)) => {
            Poll::Ready(Ok::<_, Infallible>([
                is_unsupported(cx, http),
                is_unsupported(cx, txt),
                is_unsupported(cx, sleep),
                is_unsupported(cx, sign),
                is_unsupported(cx, load),
                is_unsupported(cx, save),
                is_unsupported(cx, delete),
                is_unsupported(cx, list),
                is_unsupported(cx, notify),
            ]))
        }
    }));
    let calls = driver.calls();
    assert_eq!(calls.len(), 9);
    assert!(calls.iter().all(Call::is_wanted));
    for call in calls {
        driver.flow.handle_reply(call.unsupported());
    }
    let Ok(unsupported) = driver.end();
    assert!(unsupported.iter().all(|unsupported| *unsupported), "{unsupported:?}");
}

#[test]
fn an_unsupported_call_says_which_kind_it_is() {
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let ticket = &*ticket.get_or_insert_with(|| cx.sign("key".to_owned(), Vec::new()));
        cx.take(ticket)
    }));
    let call = driver.call();
    driver.flow.handle_reply(call.unsupported());
    let error = driver.end().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the driver can't perform the call: sign calls are not supported"
    );
    assert!(error.surely_not_sent());
}

#[test]
fn calls_are_handed_out_in_the_order_in_which_they_were_asked_for() {
    let mut tickets = Vec::new();
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if tickets.is_empty() {
            tickets.extend(["1", "2", "3"].map(|key| cx.load(key.to_owned())));
        }
        Poll::<Result<(), Infallible>>::Pending
    }));
    assert_eq!(names(&driver.calls()), ["1", "2", "3"]);
}

#[test]
fn ten_thousand_calls_can_be_outstanding() {
    const MANY: u32 = 10_000;
    let mut tickets = Vec::new();
    let mut answered = 0;
    let machine = by_fn(|cx: &mut Cx<'_>| {
        if tickets.is_empty() {
            tickets.extend((0..MANY).map(|_| Some(cx.load("x".to_owned()))));
        }
        for ticket in &mut tickets {
            if ticket.as_ref().is_some_and(|ticket| cx.take(ticket).is_ready()) {
                *ticket = None;
                answered += 1;
            }
        }
        if answered == MANY { Poll::Ready(Ok::<_, Infallible>(())) } else { Poll::Pending }
    });
    let mut driver = Driver::new(machine.within(Budget { store: MANY, ..Budget::default() }));
    for call in driver.calls() {
        driver.flow.handle_reply(echo(call));
    }
    let Ok(()) = driver.end();
}
