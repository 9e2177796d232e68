//! Where a request may go.

use atproto_sansio::{How, Reach};
use atproto_sansio_conformance::{OK, Server, get, how, send_reaching};

use crate::adapter::{Sending, Tested, builder};

#[test]
fn an_override_is_for_private_calls_only() {
    let server = Server::replying(OK);
    let driver =
        Tested(builder().development().host_override("PDS.invalid", server.address).build());
    let url = || get("http://pds.INVALID:1/".to_owned());
    send_reaching(&driver, url(), Reach::Configured).unwrap();
    send_reaching(&driver, url(), Reach::Development).unwrap();
    assert_eq!(server.requests()[0].header("host"), Some("pds.INVALID:1"));
    let error = send_reaching(&driver, url(), Reach::Public).unwrap_err();
    assert!(error.surely_not_sent(), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_development_driver_performs_development_calls() {
    let server = Server::replying(OK);
    let how = How { reach: Reach::Development, ..how() };
    builder().development().build().send(get(server.url("/")), how).unwrap();
}
