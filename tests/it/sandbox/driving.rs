//! Machines in virtual time: shared calls, timeouts, and panics.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use atproto_oauth_core::{CallbackParams, SessionEffect};
use atproto_oauth_sandbox::{Dns, Fault, Process, Sandbox, Seen};
use atproto_sansio::{
    Answer, Body, Call, Cx, Flow, How, Machine, Output, Phase, Reach, SharedTicket, Ticket,
    TransportError,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::sandbox::{ALICE, begin, log_in, loopback, status};

const SECOND: Duration = Duration::from_secs(1);

/// A machine whose `poll` is a function.
struct By<F>(F);

impl<T, F: FnMut(&mut Cx<'_>) -> Poll<T>> Machine for By<F> {
    type Output = T;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<T, Infallible>> {
        (self.0)(cx).map(Ok)
    }
}

/// Returns a machine that looks up a name, and then sleeps for a second.
fn look_up_and_sleep(name: &'static str) -> By<impl FnMut(&mut Cx<'_>) -> Poll<()>> {
    let mut asked = None;
    let mut sleeping: Option<Ticket<()>> = None;
    By(move |cx: &mut Cx<'_>| {
        let asked = asked.get_or_insert_with(|| cx.txt(name.to_owned(), SECOND * 10));
        if sleeping.is_none() && cx.take(asked).is_ready() {
            sleeping = Some(cx.sleep(SECOND));
        }
        match &sleeping {
            Some(sleeping) => cx.take(sleeping).map(|slept| slept.unwrap()),
            None => Poll::Pending,
        }
    })
}

#[test]
fn a_shared_call_runs_once_and_beside_the_other_calls() {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(SECOND);
    let before = sandbox.now();
    let mut waiting: Option<(Vec<SharedTicket<()>>, Ticket<()>)> = None;
    let Ok(()) = sandbox.run(By(|cx: &mut Cx<'_>| {
        let (tickets, sleep) = waiting.get_or_insert_with(|| {
            let ask = |name: &'static str| cx.shared(name.to_owned(), look_up_and_sleep(name));
            (["one", "one", "another"].map(ask).into(), cx.sleep(SECOND * 2))
        });
        tickets.retain(|ticket| cx.take_shared(ticket).is_pending());
        if tickets.is_empty() { cx.take(sleep).map(drop) } else { Poll::Pending }
    }));
    assert_eq!(sandbox.now().since(before), SECOND * 2);
    let asked: Vec<_> = sandbox.log().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["TXT one (no such name)", "TXT another (no such name)"]);
}

#[test]
fn machines_run_concurrently_and_share_calls() {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(SECOND);
    let shares = || {
        let mut waiting = None;
        By(move |cx: &mut Cx<'_>| {
            let ticket = waiting
                .get_or_insert_with(|| cx.shared("one".to_owned(), look_up_and_sleep("one")));
            cx.take_shared(ticket).map(|answered| answered.unwrap())
        })
    };
    let before = sandbox.now();
    assert_eq!(sandbox.run_all((0..10).map(|_| shares())), vec![Ok(()); 10]);
    assert_eq!(sandbox.now().since(before), SECOND * 2);
    assert_eq!(sandbox.log().len(), 1);
    assert_eq!(sandbox.run_all((0..0).map(|_| shares())), []);
}

#[test]
fn concurrent_logins_take_as_long_as_one() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    sandbox.set_latency(SECOND);
    let before = sandbox.now();
    let _ = begin(&mut sandbox, &client, "dave.example.com");
    let one = sandbox.now().since(before);
    sandbox.process().forget();
    let before = sandbox.now();
    let people = [ALICE, "bob.example.com", "wendy.example.com"];
    let begun = sandbox.run_all(people.map(|who| client.authorize(who.parse().unwrap())));
    assert_eq!(sandbox.now().since(before), one);
    let back = begun.into_iter().zip(people).map(|(begun, who)| {
        let begun = begun.unwrap();
        let back = CallbackParams::parse(&sandbox.approve(&begun.url, who).unwrap()).unwrap();
        client.callback(begun.pending, back)
    });
    let back: Vec<_> = back.collect();
    for (logged_in, who) in sandbox.run_all(back).into_iter().zip(people) {
        assert_eq!(logged_in.unwrap().session.handle().unwrap().as_str(), who);
    }
}

#[test]
fn two_concurrent_refreshes_end_the_session() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let session = log_in(&mut sandbox, &client, ALICE);
    let pds = sandbox.server_of(ALICE).unwrap();
    let both = sandbox.run_all([session.clone(), session].map(|session| client.refresh(session)));
    let [Ok(first), Err(second)] = &both[..] else { panic!("{both:?}") };
    assert_eq!(second.effect, SessionEffect::Dead);
    assert_eq!(status(&mut sandbox, &client, &first.session), 401);
    assert_eq!(sandbox.sessions(pds), 0);
}

#[test]
fn a_shared_call_that_was_started_runs_to_its_end_without_a_waiter() {
    let mut sandbox = Sandbox::new(1);
    let Ok(()) = sandbox.run(By(|cx: &mut Cx<'_>| {
        let _ticket = cx.shared("one".to_owned(), look_up_and_sleep("one"));
        Poll::Ready(())
    }));
    // A shared call whose ticket is dropped before the call starts is never started.
    assert!(sandbox.log().is_empty());
    let before = sandbox.now();
    let mut waiting = None;
    let Ok(()) = sandbox.run(By(|cx: &mut Cx<'_>| {
        let (_shared, sleep) = waiting.get_or_insert_with(|| {
            (cx.shared("one".to_owned(), look_up_and_sleep("one")), cx.sleep(SECOND / 2))
        });
        cx.take(sleep).map(drop)
    }));
    assert_eq!(sandbox.log().len(), 1);
    assert_eq!(sandbox.now().since(before), SECOND);
}

/// A sandbox as a driver: all machines that are asked for run beside each other.
fn run_circles(
    sandbox: &mut Sandbox,
    circles: &[(&'static str, &'static str)],
) -> Vec<Option<Phase>> {
    /// Pauses, and asks for the circle of the other name. Ends in the phase of its failure.
    struct Circle(
        &'static str,
        &'static str,
        Option<Ticket<()>>,
        Option<SharedTicket<Option<Phase>>>,
    );

    impl Machine for Circle {
        type Output = Option<Phase>;
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<Phase>, Infallible>> {
            let Self(name, other, pause, ticket) = self;
            if ticket.is_none() {
                let pause = &*pause.get_or_insert_with(|| cx.sleep(SECOND));
                let _ = std::task::ready!(cx.take(pause));
            }
            let ticket = ticket.get_or_insert_with(|| {
                cx.shared((*other).to_owned(), Self(other, name, None, None))
            });
            cx.take_shared(ticket).map(|result| Ok(result.err().map(|error| error.phase)))
        }
    }

    let asks = circles.iter().map(|(name, other)| {
        let mut ticket = None;
        By(move |cx: &mut Cx<'_>| {
            let ask = || cx.shared((*name).to_owned(), Circle(name, other, None, None));
            let ticket = &*ticket.get_or_insert_with(ask);
            cx.take_shared(ticket).map(Result::unwrap)
        })
    });
    sandbox.run_all(asks).into_iter().map(|Ok(phase)| phase).collect()
}

#[test]
fn a_shared_call_cannot_wait_for_itself() {
    let mut sandbox = Sandbox::new(1);
    assert_eq!(run_circles(&mut sandbox, &[("one", "one")]), [Some(Phase::NotSent)]);
    assert_eq!(run_circles(&mut sandbox, &[("one", "two")]), [None], "the inner one is refused");
    let both = run_circles(&mut sandbox, &[("one", "two"), ("two", "one")]);
    assert_eq!(both, [None, Some(Phase::NotSent)]);
}

#[test]
fn a_lookup_slower_than_its_timeout_times_out() {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(SECOND * 11);
    let before = sandbox.now();
    let mut asked = None;
    let Ok(phase) = sandbox.run(By(|cx: &mut Cx<'_>| {
        let asked = asked.get_or_insert_with(|| cx.txt("one".to_owned(), SECOND * 10));
        cx.take(asked).map(|answer| answer.unwrap_err().phase)
    }));
    assert_eq!(phase, Phase::TimedOut);
    assert_eq!(sandbox.now().since(before), SECOND * 10);
    // The DNS query reached the nameserver.
    assert!(matches!(sandbox.log(), [Seen::Lookup { answer: Dns::NoSuchName, .. }]));
}

#[test]
fn a_custom_driver_brings_its_own_process() {
    let mut sandbox = Sandbox::new(1);
    let mut process = Process::new(1);
    let client = loopback();
    let mut flow = Flow::new(client.authorize(ALICE.parse().unwrap()));
    let begun = loop {
        let mut waiting: Vec<Call> = Vec::new();
        let done = loop {
            match flow.poll_output(&mut process.env(sandbox.now())) {
                Output::Call(call) => waiting.push(call),
                Output::Wait => break None,
                Output::Done(result) => break Some(result),
            }
        };
        if let Some(begun) = done {
            break begun.unwrap();
        }
        for call in waiting {
            let reply = sandbox.respond_in(&mut process, call);
            flow.handle_reply(reply);
        }
    };
    assert!(sandbox.approve(&begun.url, ALICE).is_ok());
}

#[test]
fn a_process_keeps_its_memory_after_a_panic() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let session = log_in(&mut sandbox, &client, ALICE);
    let panics =
        AssertUnwindSafe(|| sandbox.run(By(|_: &mut Cx<'_>| -> Poll<()> { panic!("on purpose") })));
    assert!(catch_unwind(panics).is_err());
    sandbox.clear_log();
    assert_eq!(status(&mut sandbox, &client, &session), 200);
    let _ = begin(&mut sandbox, &client, ALICE);
    assert_eq!(sandbox.log().len(), 2, "nonces and metadata are remembered: {:?}", sandbox.log());
}

/// Requests the resource metadata of the PDS with the options `how`.
fn ask(sandbox: &mut Sandbox, how: How) -> Result<Response<Bytes>, TransportError> {
    let url = format!("{}/.well-known/oauth-protected-resource", sandbox.names().pds);
    let mut asked = None;
    let Ok(answer) = sandbox.run(By(|cx: &mut Cx<'_>| {
        let request = Request::get(&url).body(Body::default()).unwrap();
        let asked = asked.get_or_insert_with(|| cx.http(request, how));
        cx.take(asked)
    }));
    answer
}

#[test]
fn a_streamed_response_has_no_body_and_an_error_response_has_its_body() {
    let mut sandbox = Sandbox::new(1);
    let buffered = How::buffered(10_000, Reach::Public);
    let streamed = How { answer: Answer::Streamed { errors: 10_000 }, ..buffered };
    assert!(!ask(&mut sandbox, buffered).unwrap().body().is_empty());
    assert!(ask(&mut sandbox, streamed).unwrap().body().is_empty());
    sandbox.fault(Fault::status(StatusCode::BAD_GATEWAY));
    assert!(!ask(&mut sandbox, streamed).unwrap().body().is_empty());
}

#[test]
fn a_response_exactly_at_the_timeout_is_accepted() {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(SECOND * 4);
    let how = How { timeout: SECOND * 10, ..How::buffered(10_000, Reach::Public) };
    let mut after = |fault: Option<Fault>, how: How| {
        fault.into_iter().for_each(|fault| sandbox.fault(fault));
        let before = sandbox.now();
        let answer = ask(&mut sandbox, how).map(drop).map_err(|error| error.phase);
        (sandbox.now().since(before), answer)
    };
    assert_eq!(after(Some(Fault::delay(SECOND * 6)), how), (SECOND * 10, Ok(())));
    assert_eq!(after(Some(Fault::delay(SECOND * 7)), how), (SECOND * 10, Err(Phase::TimedOut)));
    let just_in_time = How { timeout: SECOND * 4, ..how };
    assert_eq!(after(None, just_in_time), (SECOND * 4, Ok(())));
    assert_eq!(after(Some(Fault::silence()), how), (SECOND * 10, Err(Phase::TimedOut)));
    let hasty = How { timeout: SECOND * 3, ..how };
    assert_eq!(after(None, hasty), (SECOND * 3, Err(Phase::TimedOut)));
}

#[test]
fn a_request_whose_start_by_has_passed_is_not_sent() {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(SECOND * 4);
    let how = How::buffered(10_000, Reach::Public);
    let now = sandbox.now();
    assert!(ask(&mut sandbox, How { start_by: Some(now), ..how }).is_ok());
    sandbox.clear_log();
    let late = ask(&mut sandbox, How { start_by: Some(now), ..how }).unwrap_err();
    assert_eq!(late.phase, Phase::NotSent);
    assert_eq!(sandbox.log().len(), 0);
}

#[test]
fn a_dns_reply_exactly_at_the_timeout_is_accepted() {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(SECOND * 10);
    let mut asked = None;
    let Ok(answer) = sandbox.run(By(|cx: &mut Cx<'_>| {
        let asked = asked.get_or_insert_with(|| cx.txt("one".to_owned(), SECOND * 10));
        cx.take(asked)
    }));
    assert_eq!(answer.unwrap(), [] as [String; 0]);
}
