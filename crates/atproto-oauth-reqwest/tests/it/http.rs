//! HTTP calls: the scenarios of the conformance suite, and tests of this driver alone.

use std::time::{Duration, Instant};

use atproto_sansio::{Body, How, Phase};
use atproto_sansio_conformance::{OK, Server, get, how};
use http::{HeaderValue, Request};

use crate::adapter::{Sending, Tested, builder, driver};

atproto_sansio_conformance::tests!(Tested(driver()));
atproto_sansio_conformance::strict_tests!(Tested(driver()));

#[test]
fn the_user_agent_can_be_chosen() {
    let server = Server::replying(OK);
    driver().send(get(server.url("/")), how()).unwrap();
    let mine = builder().user_agent(HeaderValue::from_static("mine/1")).build();
    mine.send(get(server.url("/")), how()).unwrap();
    let agents: Vec<_> =
        server.requests().iter().map(|r| r.header("user-agent").unwrap().to_owned()).collect();
    assert_eq!(agents, [concat!("atproto-oauth-reqwest/", env!("CARGO_PKG_VERSION")), "mine/1"]);
}

#[test]
fn a_contradictory_length_is_not_sent() {
    let server = Server::replying(OK);
    for (name, value) in
        [("content-length", "3"), ("content-length", "5"), ("transfer-encoding", "chunked")]
    {
        let request = Request::post(server.url("/")).header(name, value);
        let error =
            driver().send(request.body(Body::Bytes("four".into())).unwrap(), how()).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{error}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_timeout_of_the_largest_duration_does_not_overflow() {
    let server = Server::replying(OK);
    let how = How { timeout: Duration::MAX, ..how() };
    driver().send(get(server.url("/")), how).unwrap();
}

#[test]
fn endless_interim_answers_end_with_the_time_of_the_call() {
    // Rule J-23
    // hyper skips interim answers, and reqwest has no way to count them.
    let server = Server::start(|mut peer| {
        peer.receive();
        while peer.send(&"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(40)) {
            peer.wait(1);
        }
    });
    let how = How { timeout: Duration::from_millis(500), ..how() };
    let begin = Instant::now();
    let error = driver().send(get(server.url("/")), how).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}
