//! Tests: a flow hands out no more calls, and takes no more time, than its budget allows.

use std::convert::Infallible;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Call, Cx, Expect, How, Machine, Output, Payload, Saved, SecretBytes, StoreOperation,
    Ticket, TransportError, UnixTime,
};

use crate::support::{Driver, by_fn, echo, how, name, names, request};

const SECOND: Duration = Duration::from_secs(1);

/// A machine that asks for the calls of `ask` and ends in the error of each call, if any.
fn ask<T: Payload>(
    budget: Budget,
    mut ask: impl FnMut(&mut Cx<'_>) -> Vec<Ticket<T>>,
) -> Driver<impl Machine<Output = Vec<Option<String>>, Error = Infallible>> {
    let mut tickets = None;
    let mut errors = Vec::new();
    Driver::new(
        by_fn(move |cx: &mut Cx<'_>| {
            let tickets = tickets.get_or_insert_with(|| ask(cx));
            while let Some(ticket) = tickets.first() {
                let Poll::Ready(result) = cx.take(ticket) else { return Poll::Pending };
                errors.push(result.err().map(|error| error.to_string()));
                drop(tickets.remove(0));
            }
            Poll::Ready(Ok(errors.clone()))
        })
        .within(budget),
    )
}

fn reason(error: &Option<String>) -> &str {
    let refused = error.as_ref().filter(|error| {
        error.starts_with("the request was not sent: ")
            || error.starts_with("the store is not available: ")
    });
    refused.expect("the call is refused").rsplit(": ").next().unwrap_or_default()
}

fn https(cx: &mut Cx<'_>, path: &str, timeout: Duration) -> Ticket<http::Response<bytes::Bytes>> {
    cx.http(request(&format!("https://peer.example.net/{path}")), How { timeout, ..how() })
}

#[test]
fn a_request_beyond_the_budget_is_refused_and_never_handed_out() {
    let mut driver = ask(Budget::new(2, SECOND), |cx| {
        ["1", "2", "3"].map(|path| https(cx, path, SECOND)).into()
    });
    let calls = driver.calls();
    assert_eq!(names(&calls), ["1", "2"]);
    for call in calls {
        driver.flow.handle_reply(echo(call));
    }
    let Ok(phases) = driver.end();
    assert_eq!(phases[..2], [None, None]);
    assert_eq!(reason(&phases[2]), "the procedure has used up its HTTP requests");
}

#[test]
fn a_flow_without_requests_in_its_budget_refuses_the_first_at_once() {
    let mut driver = ask(Budget::new(0, SECOND), |cx| vec![https(cx, "1", SECOND)]);
    let Ok(phases) = driver.end();
    assert_eq!(reason(&phases[0]), "the procedure has used up its HTTP requests");
}

#[test]
fn a_request_that_was_withdrawn_or_refused_costs_nothing() {
    let mut driver = ask(Budget::new(1, SECOND), |cx| {
        drop(https(cx, "withdrawn", SECOND));
        let refused = cx.http(request("https://127.0.0.1/"), how());
        vec![refused, https(cx, "paid", SECOND)]
    });
    assert_eq!(names(&driver.calls()), ["paid"]);
}

#[test]
fn store_calls_count_against_a_budget_of_their_own() {
    let budget = Budget { calls: 0, store: 2, ..Budget::default() };
    let mut driver = ask(budget, |cx| ["1", "2", "3"].map(|key| cx.load(key.to_owned())).into());
    let calls = driver.calls();
    assert_eq!(names(&calls), ["1", "2"]);
    for call in calls {
        driver.flow.handle_reply(echo(call));
    }
    let Ok(phases) = driver.end();
    assert_eq!(phases[..2], [None, None]);
    assert_eq!(reason(&phases[2]), "the procedure has used up its store calls");
}

#[test]
fn a_machine_that_never_wins_its_compare_and_set_ends() {
    // The loop ends with its budget, because it asks for a pause that fails, or for a store call
    // that fails.
    let mut save: Option<Ticket<Saved>> = None;
    let mut pause: Option<Ticket<()>> = None;
    let machine = by_fn(|cx: &mut Cx<'_>| {
        loop {
            if let Some(ticket) = &pause {
                std::task::ready!(cx.take(ticket)).map_err(|error| error.detail)?;
                pause = None;
            }
            let ticket = &*save.get_or_insert_with(|| {
                cx.save("key".to_owned(), SecretBytes::default(), Expect::Absent, None)
            });
            let saved = std::task::ready!(cx.take(ticket)).map_err(|error| error.detail)?;
            save = None;
            if saved != Saved::Conflict {
                return Poll::Ready(Ok::<_, String>(()));
            }
            pause = Some(cx.sleep(SECOND));
        }
    });
    let mut driver = Driver::new(machine.within(Budget::new(0, 10 * SECOND)));
    let mut saves = 0;
    let error = loop {
        match driver.poll() {
            Output::Call(Call::Store(call)) => {
                saves += 1;
                let StoreOperation::Save { respond, .. } = call.operation else {
                    unreachable!("the machine only saves")
                };
                driver.flow.handle_reply(respond.with(Ok(Saved::Conflict)));
            }
            Output::Call(Call::Sleep(call)) => {
                driver.elapsed += call.duration;
                driver.flow.handle_reply(call.respond.with(Ok(())));
            }
            Output::Done(result) => break result.unwrap_err(),
            output => unreachable!("{output:?}"),
        }
    };
    assert_eq!(saves, 10);
    assert_eq!(error, "the procedure has used up its time");
}

#[test]
fn all_calls_but_those_to_a_store_count_against_the_total() {
    let mut driver = ask(Budget { calls: 3, ..Budget::default() }, |cx| {
        drop((0..5).map(|_| cx.load("key".to_owned())).collect::<Vec<_>>());
        (0..5).map(|_| cx.sleep(SECOND)).collect()
    });
    for call in driver.calls() {
        driver.flow.handle_reply(echo(call));
    }
    let Ok(phases) = driver.end();
    assert_eq!(phases[..3], [None, None, None]);
    assert_eq!(reason(&phases[3]), "the procedure has used up its calls");
    assert_eq!(reason(&phases[4]), "the procedure has used up its calls");
}

#[test]
fn the_default_budget_is_the_documented_one() {
    let usual = Budget { http: 20, time: Duration::from_secs(60), calls: 256, store: 256 };
    assert_eq!(Budget::default(), usual);
    let boxed: Box<dyn Machine<Output = _, Error = _>> = Box::new(
        by_fn(|_: &mut Cx<'_>| Poll::Ready(Ok::<_, Infallible>(())))
            .within(Budget { http: 3, ..usual }),
    );
    assert_eq!(boxed.budget().http, 3, "a box passes the budget on");
    let mut machine = by_fn(|_: &mut Cx<'_>| Poll::Ready(Ok::<_, Infallible>(())))
        .within(Budget { http: 4, ..usual });
    let borrowed: &dyn Machine<Output = _, Error = _> = &&mut machine;
    assert_eq!(borrowed.budget().http, 4, "and so does a reference");
}

#[test]
fn a_request_after_the_deadline_is_refused() {
    let mut driver =
        ask(Budget::new(9, SECOND), |cx| ["1", "2"].map(|path| https(cx, path, SECOND)).into());
    let first = driver.call();
    driver.elapsed += SECOND;
    assert!(driver.is_waiting(), "the second call is refused, the first is still in flight");
    driver.flow.handle_reply(echo(first));
    let Ok(phases) = driver.end();
    assert_eq!(phases[0], None);
    assert_eq!(reason(&phases[1]), "the procedure has used up its time");
}

#[test]
fn the_time_begins_with_the_first_poll() {
    let mut driver = ask(Budget::new(9, SECOND), |cx| vec![https(cx, "1", SECOND)]);
    driver.elapsed += 100 * SECOND;
    assert_eq!(name(&driver.call()), "1");
}

#[test]
fn after_the_deadline_no_call_is_handed_out() {
    let late = Budget::new(9, Duration::ZERO);
    let late_is = "the procedure has used up its time";
    let Ok(load) = ask(late, |cx| vec![cx.load("load".to_owned())]).end();
    assert_eq!(reason(&load[0]), late_is);
    let Ok(txt) = ask(late, |cx| vec![cx.txt(String::new(), SECOND)]).end();
    assert_eq!(reason(&txt[0]), late_is);
    let Ok(sleep) = ask(late, |cx| vec![cx.sleep(SECOND)]).end();
    assert_eq!(reason(&sleep[0]), late_is);
    let Ok(sign) = ask(late, |cx| vec![cx.sign(String::new(), Vec::new())]).end();
    assert_eq!(reason(&sign[0]), late_is);
}

#[test]
fn the_calls_after_a_spent_credential_have_a_time_of_their_own() {
    let late = Budget::new(9, Duration::ZERO);
    let mut driver = ask(late, |cx| {
        let until = cx.elapsed() + 5 * SECOND;
        vec![cx.extend_until(until, |cx| https(cx, "revoke", 9 * SECOND))]
    });
    let Call::Http(call) = driver.call() else { unreachable!("the flow hands out the request") };
    assert_eq!(call.timeout, 5 * SECOND);
}

#[test]
fn no_call_is_handed_out_with_more_time_than_is_left() {
    let budget = Budget::new(9, 10 * SECOND);
    let mut driver =
        ask(budget, |cx| vec![https(cx, "1", 4 * SECOND), https(cx, "2", 60 * SECOND)]);
    let mut timeout = |elapsed| {
        driver.elapsed += elapsed;
        let Call::Http(call) = driver.call() else { unreachable!("the flow hands out a request") };
        call.timeout
    };
    assert_eq!(timeout(Duration::ZERO), 4 * SECOND, "its own time is shorter");
    assert_eq!(timeout(7 * SECOND), 3 * SECOND);

    let Call::Txt(txt) = ask(budget, |cx| vec![cx.txt(String::new(), 60 * SECOND)]).call() else {
        unreachable!("the flow hands out a DNS lookup")
    };
    assert_eq!(txt.timeout, 10 * SECOND);
    let Call::Sign(sign) =
        ask(Budget::new(9, SECOND), |cx| vec![cx.sign(String::new(), Vec::new())]).call()
    else {
        unreachable!("the flow hands out a signature")
    };
    assert_eq!(sign.timeout, SECOND);
    let Call::Store(load) = ask(Budget::new(9, SECOND), |cx| vec![cx.load(String::new())]).call()
    else {
        unreachable!("the flow hands out a store call")
    };
    assert_eq!(load.timeout, SECOND);
}

#[test]
fn a_pause_that_would_end_after_the_deadline_fails_at_once() {
    let Ok(sleep) = ask(Budget::new(9, SECOND), |cx| vec![cx.sleep(2 * SECOND)]).end();
    assert_eq!(reason(&sleep[0]), "the pause would end after the time of the procedure");
}

#[test]
fn a_request_that_would_be_sent_too_late_is_never_handed_out() {
    // The clock of the test driver stands at 1_700_000_000.
    let at = |seconds| How { start_by: Some(UnixTime::from_secs(seconds)), ..how() };
    let send = |how: How| {
        ask(Budget::default(), move |cx| vec![cx.http(request("https://peer.example.net/"), how)])
    };
    let _in_time = send(at(1_700_000_000)).call();
    let Ok(late) = send(at(1_699_999_999)).end();
    assert_eq!(reason(&late[0]), "the latest time to send the request has passed");
}

#[test]
fn a_request_that_cannot_be_repeated_is_not_sent_with_little_time_left() {
    let send = |time: Duration| {
        let how = How { least_time: 2 * SECOND, ..how() };
        ask(Budget::new(9, time), move |cx| {
            vec![cx.http(request("https://peer.example.net/"), how)]
        })
    };
    let _in_time = send(2 * SECOND).call();
    let Ok(late) = send(Duration::from_millis(1999)).end();
    assert!(reason(&late[0]).starts_with("too little time is left"), "{late:?}");
}

#[test]
fn an_exhausted_budget_is_named_in_the_error() {
    let mut ticket = None;
    let mut driver = Driver::new(
        by_fn(|cx: &mut Cx<'_>| {
            let ticket = &*ticket.get_or_insert_with(|| cx.sleep(SECOND));
            cx.take(ticket)
        })
        .within(Budget { calls: 0, ..Budget::default() }),
    );
    let error: TransportError = driver.end().unwrap_err();
    assert_eq!(error.to_string(), "the request was not sent: the procedure has used up its calls");
    assert!(error.surely_not_sent());
}
