//! Faults of the sandbox on sockets, as a client sees them on the wire.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use atproto_oauth_sandbox::{Fault, Served};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, DATE};

use crate::served::raw::{End, LONG, SHORT, asked, body, get, read};

const PATH: &str = "/.well-known/oauth-authorization-server";

fn with(fault: Fault) -> (Served, String) {
    let served = Served::start(1).unwrap();
    let pds = served.names().pds.clone();
    served.sandbox().fault(fault.path(PATH));
    (served, pds)
}

#[test]
fn a_complete_response_has_its_declared_length() {
    let (_served, pds) = with(Fault::delay(Duration::ZERO));
    let (answer, end) = get(&pds, PATH);
    let (text, length) = body(&answer);
    assert_eq!((text.len(), end), (length, End::Closed));
    assert_eq!(answer.matches("date: ").count(), 1, "{answer}");
}

#[test]
fn a_cut_response_declares_more_bytes_than_it_has() {
    for (at, arrives) in [(0, 0), (10, 10), (usize::MAX, usize::MAX)] {
        let (_served, pds) = with(Fault::cut(at));
        let (answer, end) = get(&pds, PATH);
        let (text, length) = body(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json"),
            "{answer}"
        );
        assert!(text.len() < length && end == End::Closed, "{} of {length}", text.len());
        assert!(text.len() == arrives || at == usize::MAX);
    }
}

#[test]
fn a_large_response_is_cut_at_the_given_byte() {
    let at = 20_000_000;
    let (served, pds) = with(Fault::pad(30_000_000));
    served.sandbox().fault(Fault::cut(at));
    let (answer, end) = get(&pds, PATH);
    let (text, length) = body(&answer);
    assert_eq!((text.len(), length, end), (at, 30_000_000, End::Closed));
}

#[test]
fn a_broken_connection_delivers_no_bytes() {
    for fault in [Fault::lose_request(), Fault::lose_answer(), Fault::refuse()] {
        let (_served, pds) = with(fault);
        assert_eq!(get(&pds, PATH), (String::new(), End::Closed));
        assert!(get(&pds, PATH).0.starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_silent_or_delayed_response_does_not_block_other_requests() {
    for fault in [Fault::silence(), Fault::delay(Duration::from_secs(60))] {
        let (_served, pds) = with(fault);
        let mut held_up = asked(&pds, PATH);
        assert_eq!(read(&mut held_up, SHORT), (String::new(), End::Silent));
        assert!(get(&pds, PATH).0.starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_delayed_response_arrives_after_the_delay() {
    let (_served, pds) = with(Fault::delay(Duration::from_millis(200)));
    let started = Instant::now();
    assert!(get(&pds, PATH).0.starts_with("HTTP/1.1 200 "));
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_body_trickles_in_over_its_time() {
    let (_served, pds) = with(Fault::trickle(Duration::from_millis(600)));
    let started = Instant::now();
    let mut stream = asked(&pds, PATH);
    let mut pieces = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            size => pieces.push(buffer[..size].to_vec()),
        }
    }
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
    assert!(pieces.len() > 10, "{} pieces", pieces.len());
    let answer = String::from_utf8(pieces.concat()).unwrap();
    let (text, length) = body(&answer);
    assert_eq!(text.len(), length);
}

#[test]
fn a_wrong_content_length_is_sent_as_it_is() {
    let (_served, pds) = with(Fault::with_header(CONTENT_LENGTH, HeaderValue::from_static("5")));
    let (answer, end) = get(&pds, PATH);
    let (text, length) = body(&answer);
    assert!(length == 5 && text.len() > 5 && end == End::Closed, "{answer}");
}

#[test]
fn a_removed_header_is_not_added_again() {
    let (_served, pds) = with(Fault::without_header(DATE));
    let (answer, _) = get(&pds, PATH);
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("date: "), "{answer}");
}

#[test]
fn a_connection_is_closed_if_its_client_closes() {
    for fault in [Fault::silence(), Fault::delay(Duration::from_secs(60))] {
        let (_served, pds) = with(fault);
        let mut stream = asked(&pds, PATH);
        assert_eq!(read(&mut stream, SHORT), (String::new(), End::Silent));
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read(&mut stream, LONG), (String::new(), End::Closed));
    }
}
