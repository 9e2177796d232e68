//! The common scenarios over this driver, and what is its own.

use atproto_sansio::{Body, How, Phase};
use http::{HeaderValue, Request};

use crate::adapter::{Adapter, builder, driver, get, how};
use crate::server::Server;
use crate::suite;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                suite::$name(&driver());
            }
        )*
    };
}

scenarios! {
    every_header_of_a_request_is_sent
    every_header_of_a_reply_is_handed_back
    any_status_is_a_reply_and_no_redirect_is_followed
    any_method_may_carry_a_body
    a_body_is_limited_by_its_declared_length
    a_body_is_limited_while_it_streams
    a_body_may_be_as_large_as_the_limit
    an_endless_head_is_refused
    a_slow_drip_ends_with_the_time_of_the_call
    a_refused_connection_was_not_sent
    an_unknown_name_was_not_sent
    a_connection_that_closes_without_an_answer_may_have_been_sent
    a_body_that_breaks_off_is_truncated
    a_body_without_a_length_ends_with_the_connection
    a_request_on_a_connection_that_dies_is_sent_once
    a_connection_that_was_closed_while_idle_is_not_used
    a_call_that_comes_too_late_is_not_sent
    a_reply_to_head_has_no_body
    a_development_call_is_blocked
}

#[test]
fn the_user_agent_can_be_chosen() {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    driver().send(get(server.url("/")), how()).unwrap();
    let mine = builder().user_agent(HeaderValue::from_static("mine/1")).build();
    mine.send(get(server.url("/")), how()).unwrap();
    let agents: Vec<_> =
        server.requests().iter().map(|r| r.header("user-agent").unwrap().to_owned()).collect();
    assert_eq!(agents, [concat!("atproto-oauth-reqwest/", env!("CARGO_PKG_VERSION")), "mine/1"]);
}

#[test]
fn a_contradictory_length_is_not_sent() {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
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
fn a_time_without_end_is_bearable() {
    let server = Server::replying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let how = How { timeout: std::time::Duration::MAX, ..how() };
    driver().send(get(server.url("/")), how).unwrap();
}
