//! Where a request may go.

use std::net::IpAddr;

use atproto_sansio::{How, Phase, Reach, TransportError};

use crate::adapter::{Adapter, send, send_reaching};
use crate::requests::{OK, get, how};
use crate::server::Server;

/// A transport that was not built for development goes to no development network.
pub fn a_development_call_is_blocked(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let how = How { reach: Reach::Development, ..how() };
    let error = send(adapter, get(server.url("/")), how).unwrap_err();
    assert!(matches!(error.phase, Phase::Blocked(_)), "{error}");
    assert_eq!(server.connections(), 0);
}

/// A stranger's name that leads to this machine is blocked, and the operator's is not.
pub fn a_public_call_to_a_name_of_this_machine_is_blocked(adapter: &impl Adapter) {
    // Rule J-06
    let server = Server::replying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    let error = send_reaching(adapter, get(url.clone()), Reach::Public).unwrap_err();
    assert!(blocked_address(&error).unwrap().is_loopback(), "{error}");
    assert_eq!(server.connections(), 0);
    // The same URL is fine if the operator wrote it.
    send_reaching(adapter, get(url), Reach::Configured).unwrap();
}

/// A stranger's address of this machine is blocked, however it is written.
pub fn a_public_call_to_an_address_of_this_machine_is_blocked(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "2130706433", "127.1"] {
        let url = format!("http://{host}:{}/", server.address.port());
        let error = send_reaching(adapter, get(url), Reach::Public).unwrap_err();
        assert!(blocked_address(&error).is_some(), "{host}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

/// A connection that was made for the operator's URL is not there for a stranger's.
pub fn an_idle_connection_of_another_reach_is_not_used(adapter: &impl Adapter) {
    let server = Server::replying(OK);
    let url = format!("http://localhost:{}/", server.address.port());
    send_reaching(adapter, get(url.clone()), Reach::Configured).unwrap();
    send_reaching(adapter, get(url), Reach::Public).unwrap_err();
    assert_eq!(server.requests().len(), 1);
}

fn blocked_address(error: &TransportError) -> Option<IpAddr> {
    match &error.phase {
        Phase::Blocked(rule) => rule.address,
        _ => None,
    }
}
