//! Tests: a reply larger than the limit of its call never reaches the machine.

use std::task::Poll;

use atproto_sansio::{Answer, Call, Cx, How, Output, Phase, TransportError};
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::support::{Driver, by_fn, how, ok, request};

/// Answers a call that has the limit `answer` with `response`; returns what the machine receives.
fn received(answer: Answer, response: Response<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let ticket = &*ticket.get_or_insert_with(|| {
            cx.http(request("https://peer.example.net/"), How { answer, ..how() })
        });
        cx.take(ticket)
    }));
    let Call::Http(call) = driver.call() else { unreachable!("the flow hands out a request") };
    assert_eq!(call.answer, answer);
    driver.flow.handle_reply(call.respond.with(Ok(response)));
    match driver.poll() {
        Output::Done(result) => result,
        other => unreachable!("{other:?} in place of the end"),
    }
}

fn with_status(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = ok(body);
    *response.status_mut() = status;
    response
}

#[test]
fn a_reply_may_be_as_large_as_the_limit_and_no_larger() {
    assert_eq!(received(Answer::Buffered(4), ok("1234")).unwrap().body(), "1234");
    let error = received(Answer::Buffered(4), ok("12345")).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge);
    assert_eq!(
        error.to_string(),
        "the reply is too large: GET peer.example.net/: 5 bytes where 4 are allowed"
    );
    assert!(!error.surely_not_sent());
    assert!(received(Answer::Buffered(0), ok("")).is_ok());
}

#[test]
fn a_reply_that_is_not_2xx_is_cut_because_its_status_decides() {
    for status in [StatusCode::FOUND, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE] {
        for answer in [Answer::Buffered(4), Answer::Streamed { errors: 4 }] {
            let response = received(answer, with_status(status, "12345")).unwrap();
            assert_eq!((response.status(), &response.body()[..]), (status, &b"1234"[..]));
        }
    }
}

#[test]
fn a_streamed_reply_is_a_head_alone() {
    let streamed = Answer::Streamed { errors: 4 };
    assert!(received(streamed, ok("")).is_ok());
    assert_eq!(received(streamed, ok("12345")).unwrap_err().phase, Phase::TooLarge);
}

#[test]
fn an_error_is_not_subject_to_the_size_limit() {
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let answer = Answer::Buffered(0);
        let ticket = &*ticket.get_or_insert_with(|| {
            cx.http(request("https://peer.example.net/"), How { answer, ..how() })
        });
        match cx.take(ticket) {
            Poll::Ready(Err(error)) => Poll::Ready(Ok::<_, TransportError>(error.phase)),
            _ => Poll::Pending,
        }
    }));
    let call = driver.call();
    driver.flow.handle_reply(call.fail(TransportError::new(Phase::Truncated, "broke off")));
    assert_eq!(driver.end().unwrap(), Phase::Truncated);
}
