//! HTTP calls: the scenarios of the conformance suite, and tests of this driver alone.

use std::sync::Barrier;
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
    assert_eq!(agents, [concat!("atproto-oauth-ureq/", env!("CARGO_PKG_VERSION")), "mine/1"]);
}

#[test]
fn only_host_and_user_agent_are_added_to_a_request() {
    let server = Server::replying(OK);
    driver().send(get(server.url("/")), how()).unwrap();
    let mut names: Vec<_> = server.requests()[0].headers.iter().map(|h| h.0.clone()).collect();
    names.sort();
    assert_eq!(names, ["host", "user-agent"]);
}

#[test]
fn each_of_many_threads_finds_a_kept_connection() {
    const THREADS: usize = 16;
    let all_are_sent = Barrier::new(THREADS);
    // Answers when the requests of all threads have arrived, so that each of them has a connection.
    let server = Server::start(move |mut peer| {
        while peer.receive().is_some() {
            all_are_sent.wait();
            peer.send(OK);
        }
    });
    let (driver, all_are_answered) = (driver(), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..2 {
                    driver.send(get(server.url("/")), how()).unwrap();
                    all_are_answered.wait();
                }
            });
        }
    });
    assert_eq!(server.connections(), THREADS);
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
fn endless_interim_answers_are_too_large() {
    // Rule J-23
    let server = Server::start(|mut peer| {
        peer.receive();
        while peer.send(&"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(40)) {
            peer.wait(1);
        }
    });
    let how = How { timeout: Duration::from_millis(5000), ..how() };
    let begin = Instant::now();
    let error = driver().send(get(server.url("/")), how).unwrap_err();
    assert_eq!(error.phase, Phase::TooLarge, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}
