//! Where a request may go.

use atproto_oauth_reqwest::Driver;
use atproto_sansio::{Body, Call, Flow, How, Output, Phase, Reach, SystemEntropy, TransportError};
use http::Request;

use crate::adapter::{Adapter, Once, Outcome, block_on, builder, driver, get, how};
use crate::server::Server;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Performs a call as if the engine had let it through with this reach.
fn perform(driver: &Driver, request: Request<Body>, reach: Reach) -> Outcome {
    let mut flow = Flow::new(Once::new(request, how()));
    let system = atproto_sansio::MapMemory::default();
    let poll = |flow: &mut Flow<Once>| {
        flow.poll_output(&mut atproto_sansio::Env {
            now: atproto_sansio::System::now(),
            elapsed: std::time::Duration::ZERO,
            entropy: &mut SystemEntropy,
            memory: &system,
            keys: &crate::adapter::NoKeys,
        })
    };
    let Output::Call(Call::Http(mut call)) = poll(&mut flow) else { panic!("no HTTP call") };
    call.reach = reach;
    flow.handle_reply(block_on(driver.perform(Call::Http(call))));
    let Output::Done(outcome) = poll(&mut flow) else { panic!("not done") };
    outcome
}

fn blocked_address(error: &TransportError) -> Option<std::net::IpAddr> {
    match &error.phase {
        Phase::Blocked(rule) => rule.address,
        _ => None,
    }
}

#[test]
fn a_public_call_to_a_name_of_this_machine_is_blocked() {
    // REQUIREMENTS J-06
    let server = Server::replying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    let error = perform(&driver(), get(url.clone()), Reach::Public).unwrap_err();
    assert!(blocked_address(&error).unwrap().is_loopback(), "{error}");
    assert_eq!(server.connections(), 0);
    // The same URL is fine if the operator wrote it.
    perform(&driver(), get(url), Reach::Configured).unwrap();
}

#[test]
fn a_public_call_to_an_address_of_this_machine_is_blocked() {
    let server = Server::replying(OK);
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "2130706433", "127.1"] {
        let url = format!("http://{host}:{}/", server.address.port());
        let error = perform(&driver(), get(url), Reach::Public).unwrap_err();
        assert!(blocked_address(&error).is_some(), "{host}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn an_idle_connection_of_another_reach_is_not_used() {
    let server = Server::replying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    let driver = driver();
    perform(&driver, get(url.clone()), Reach::Configured).unwrap();
    perform(&driver, get(url), Reach::Public).unwrap_err();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_override_is_for_private_calls_only() {
    let server = Server::replying(OK);
    let driver = builder().development().host_override("PDS.invalid", server.address).build();
    let url = || get("http://pds.INVALID:1/".to_owned());
    perform(&driver, url(), Reach::Configured).unwrap();
    perform(&driver, url(), Reach::Development).unwrap();
    assert_eq!(server.requests()[0].header("host"), Some("pds.INVALID:1"));
    let error = perform(&driver, url(), Reach::Public).unwrap_err();
    assert!(error.surely_not_sent(), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_development_driver_performs_development_calls() {
    let server = Server::replying(OK);
    let how = How { reach: Reach::Development, ..how() };
    builder().development().build().send(get(server.url("/")), how).unwrap();
}
