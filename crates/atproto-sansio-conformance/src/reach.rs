//! Scenarios of [`Reach`]: calls that the transport must block.

use std::net::IpAddr;

use atproto_sansio::{How, Phase, Reach, TransportError};

use crate::adapter::{Adapter, send, send_reaching};
use crate::requests::{OK, get, how};
use crate::server::Server;

/// A transport that was not built for development blocks calls of `Reach::Development`.
pub fn a_development_call_is_blocked(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let how = How { reach: Reach::Development, ..how() };
    let error = send(adapter, get(server.url("/")), how).unwrap_err();
    assert!(matches!(error.phase, Phase::Blocked(_)), "{error}");
    assert_eq!(server.connections(), 0);
}

/// A `Public` call to a name that resolves to loopback is blocked, and a `Configured` call is not.
pub fn a_public_call_to_a_name_of_this_machine_is_blocked(adapter: &impl Adapter) {
    // Rule J-06
    let server = Server::replying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    let error = send_reaching(adapter, get(url.clone()), Reach::Public).unwrap_err();
    assert!(blocked_address(&error).unwrap().is_loopback(), "{error}");
    assert_eq!(server.connections(), 0);
    // A `Configured` URL may name a private host, because the operator of the program wrote it.
    send_reaching(adapter, get(url), Reach::Configured).unwrap();
}

/// A `Public` call to a loopback address is blocked in every notation of the address.
pub fn a_public_call_to_an_address_of_this_machine_is_blocked(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "2130706433", "127.1"] {
        let url = format!("http://{host}:{}/", server.address.port());
        let error = send_reaching(adapter, get(url), Reach::Public).unwrap_err();
        assert!(blocked_address(&error).is_some(), "{host}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

/// A `Public` call does not use the idle connection of a `Configured` call to the same host.
pub fn an_idle_connection_of_another_reach_is_not_used(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    send_reaching(adapter, get(url.clone()), Reach::Configured).unwrap();
    send_reaching(adapter, get(url), Reach::Public).unwrap_err();
    assert_eq!(server.requests().len(), 1);
}

/// The address that caused a `Blocked` error, if any.
fn blocked_address(error: &TransportError) -> Option<IpAddr> {
    match &error.phase {
        Phase::Blocked(rule) => rule.address,
        _ => None,
    }
}
