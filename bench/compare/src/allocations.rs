//! Allocations of a request with a session beyond those of the same request with two constant headers, and of the
//! engine alone. Everything runs in one thread, whose allocations are counted.

use std::time::Duration;

use atproto_oauth_core::{Client, Session};
use atproto_sansio::{Call, Env, Flow, MapMemory, Output, SystemEntropy, UnixTime};
use bytes::Bytes;
use http::Response;

use crate::async_requests as reqwest;
use crate::blocking_requests as ureq;
use crate::keys::DEFAULT_KEYS;
use crate::rounds::Work;
use crate::server::Server;
use crate::session;
use crate::table::{Goal, Report};

pub(crate) fn measure(server: &Server, report: &mut Report) {
    let reqwest = over(reqwest::with_session(server, DEFAULT_KEYS), reqwest::with_headers(server));
    let ureq = over(ureq::with_session(server, DEFAULT_KEYS), ureq::with_headers(server));
    for (library, more) in [("reqwest", reqwest), ("ureq", ureq)] {
        let name = format!(
            "{library}: allocations of a request with a session, over one with two constant headers"
        );
        report.add(&name, more, "", Goal::AtMost(20.0));
    }
    report.add("allocations of the engine alone", engine() as f64, "", Goal::AtMost(12.0));
}

fn over(session: impl FnMut(), constant: impl FnMut()) -> f64 {
    let [session, constant] =
        [Work::new("", session).allocations(), Work::new("", constant).allocations()];
    session as f64 - constant as f64
}

/// Allocations from the caller's request to the call for a driver, and from the response to the reply.
fn engine() -> u64 {
    let (client, session) = (session::client(), session::at("http://localhost:8080"));
    let memory = MapMemory::default();
    // The first request learns the nonce, and the second one shares it.
    let costs = (0..3).map(|_| exchange(&client, &session, &memory));
    costs.last().unwrap_or_default()
}

fn exchange(client: &Client, session: &Session, memory: &MapMemory) -> u64 {
    let request = session::request();
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("dpop-nonce", "a-nonce-of-the-server")
        .body(Bytes::from_static(b"{}"));
    let (mut response, keys) = (Some(response.unwrap()), DEFAULT_KEYS);
    let counted = allocation_counter::measure(|| {
        let mut flow = Flow::new(client.request(session, request).unwrap());
        loop {
            let mut entropy = SystemEntropy;
            let mut env = Env {
                now: UnixTime::from_secs(1_767_225_700),
                elapsed: Duration::ZERO,
                entropy: &mut entropy,
                memory,
                keys: &keys,
            };
            match flow.poll_output(&mut env) {
                Output::Call(Call::Http(call)) => {
                    flow.handle_reply(call.respond.with(Ok(response.take().unwrap())));
                }
                Output::Done(reply) => break drop(reply.unwrap()),
                other => panic!("{other:?}"),
            }
        }
    });
    counted.count_total
}
