//! How many requests each procedure costs, in the server's own count: a blocking driver makes
//! exactly those whose answers are used.

use atproto_oauth_core::{Authorization, CallbackParams, Session, xrpc};

use crate::adapters::Adapter;
use crate::network::Network;

/// How many requests the servers saw while `work` was done, look-ups of identities aside: those
/// go to a directory that keeps no log.
fn requests<T>(network: &Network, work: impl FnOnce() -> T) -> (usize, T) {
    network.clear_log();
    let output = work();
    (network.log().len(), output)
}

fn finish(client: &dyn Adapter, network: &Network, begun: Authorization, who: &str) -> Session {
    let callback = network.approve(begun.url.as_str(), who);
    network.clear_log();
    client.callback(begun.pending, CallbackParams::parse(&callback).unwrap()).unwrap().session
}

#[test]
fn each_procedure_costs_what_it_must() {
    let network = Network::get();
    costs(&network, &network.client());
    costs(&network, &network.asynchronous_client(network.loopback()));
}

fn costs(network: &Network, client: &dyn Adapter) {
    let read = || xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();

    // Resource metadata, server metadata, pushed without a nonce, and with one.
    let (cold, begun) = requests(network, || network.begin(client, "alice.test"));
    assert_eq!(cold, 4);
    // The code; and who may speak for the account: resource metadata, server metadata.
    let session = finish(client, network, begun, "alice.test");
    assert_eq!(network.log().len(), 3);
    let (call, _) = requests(network, || client.request(&session, read()).unwrap());
    assert_eq!(call, 1);
    // Another account of the same server, and the same account again: what is known is not asked.
    let (other, _) = requests(network, || network.begin(client, "carol.test"));
    assert_eq!(other, 1);
    let (again, _) = requests(network, || network.begin(client, "alice.test"));
    assert_eq!(again, 1);
    // Who may speak for the account is always asked anew: two, then the token.
    let (refresh, refreshed) = requests(network, || client.refresh(session).unwrap());
    assert_eq!(refresh, 3);
    let (logout, _) = requests(network, || client.revoke(refreshed.session).unwrap());
    assert_eq!(logout, 2);
}

#[test]
fn an_entryway_costs_no_more_at_the_issuer() {
    let network = Network::get();
    for client in network.clients() {
        let (entryway, _) = requests(&network, || network.begin(&*client, "rita.test"));
        assert_eq!(entryway, 3, "the issuer's metadata, and the request pushed twice");
    }
}
