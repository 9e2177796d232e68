//! Accounts are found by DNS, by DNS over HTTPS, and while a directory is down.

use std::net::TcpListener;

use atproto_identity::{Freshness, Resolver};
use url::Url;

use crate::network::Network;

fn resolver(network: &Network) -> Resolver {
    Resolver::new().with_directories([network.text("/plc").parse::<Url>().unwrap()]).development()
}

#[test]
fn a_handle_is_found_by_every_method() {
    let network = Network::get();
    let client = network.client();
    let identify = |resolver: Resolver| {
        let identity = resolver.identity("alice.test".parse().unwrap(), Freshness::Fresh);
        client.driver().run(identity).unwrap()
    };
    let doh = network.text("/doh").parse().unwrap();
    for resolver in [resolver(&network), resolver(&network).with_dns_over_https(doh)] {
        let identity = identify(resolver);
        assert_eq!(identity.did.as_str(), network.did("alice.test"));
        assert_eq!(identity.handle.unwrap().as_str(), "alice.test");
    }
}

#[test]
fn a_directory_that_is_down_is_passed_over() {
    let network = Network::get();
    // A port that nobody listens on any more.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directories = [format!("http://{dead}"), network.text("/plc")];
    let resolver = Resolver::new()
        .with_directories(directories.map(|url| url.parse::<Url>().unwrap()))
        .development();
    let did = network.did("alice.test").parse().unwrap();
    let document = network.client().driver().run(resolver.did(did, Freshness::Fresh)).unwrap();
    assert_eq!(document.handle().unwrap().as_str(), "alice.test");
}
