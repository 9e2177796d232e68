//! Streamed request bodies: a body that can be sent only once is not sent without a nonce.

use std::time::Duration;

use atproto_oauth_core::xrpc;
use atproto_oauth_tests::replayer::network::Network;
use atproto_sansio::{Body, Call, Flow, Machine, Output};
use bytes::Bytes;
use http::{Response, StatusCode};

/// Paths of requests, each with whether its body was attached.
type Asked = Vec<(String, bool)>;

/// Runs a machine like [`Network::run`], and returns its requests and its result.
fn asked<M: Machine>(network: &mut Network, machine: M) -> (Asked, Result<M::Output, M::Error>) {
    let mut flow = Flow::new(machine);
    let mut asked = Vec::new();
    loop {
        match flow.poll_output(&mut network.environment.env()) {
            Output::Call(call) => {
                if let Call::Http(http) = &call {
                    let attached = matches!(http.request.body(), Body::Attached);
                    asked.push((http.request.uri().path().to_owned(), attached));
                }
                flow.handle_reply(network.answer(call));
            }
            Output::Wait => panic!("every call was answered"),
            Output::Done(result) => return (asked, result),
        }
    }
}

const UPLOAD: &str = "/xrpc/com.atproto.repo.uploadBlob";
const SMALL: &str = "/xrpc/com.atproto.server.getSession";

#[test]
fn a_nonce_is_fetched_before_a_streamed_body_is_sent() {
    // Rule E-39
    let mut network = Network::new();
    let client = network.client();
    let session = network.session(&client);
    let request = || xrpc::upload("com.atproto.repo.uploadBlob", &[], "video/mp4").unwrap();
    let upload =
        |network: &mut Network| asked(network, client.request(&session, request()).unwrap()).0;

    // The login has just cached a nonce of the same server.
    assert_eq!(upload(&mut network), [(UPLOAD.to_owned(), true)]);
    // The cached nonce is old after 150 s, and expired after 600 s.
    network.environment.wait(Duration::from_secs(150));
    assert_eq!(upload(&mut network), [(SMALL.to_owned(), false), (UPLOAD.to_owned(), true)]);
    assert_eq!(upload(&mut network), [(UPLOAD.to_owned(), true)]);
    network.environment.wait(Duration::from_secs(600));
    assert_eq!(upload(&mut network), [(SMALL.to_owned(), false), (UPLOAD.to_owned(), true)]);
}

#[test]
fn a_streamed_body_is_sent_at_most_once() {
    let mut network = Network::new();
    let client = network.client();
    let session = network.session(&client);
    network.mutate(|asked, url, response: &mut Response<Bytes>| {
        if url.contains("/xrpc/") {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            let challenge = r#"DPoP error="use_dpop_nonce""#.parse().unwrap();
            response.headers_mut().insert("www-authenticate", challenge);
            let nonce = format!("another-{asked}").parse().unwrap();
            response.headers_mut().insert("dpop-nonce", nonce);
        }
    });
    let request = xrpc::upload("com.atproto.repo.uploadBlob", &[], "video/mp4").unwrap();
    let (asked, reply) = asked(&mut network, client.request(&session, request).unwrap());
    assert_eq!(asked, [(UPLOAD.to_owned(), true)]);
    assert!(
        xrpc::is_nonce_refused(&reply.unwrap().response),
        "the caller learns that a retry may succeed"
    );
}
