//! How many requests each procedure costs, in the server's own count, and how long the longest chain
//! of them is that wait for each other.

use atproto_dpop::P256Keys;
use atproto_oauth_core::{Authorization, CallbackParams, Session, xrpc};
use atproto_sansio::{Flow, Machine, Output, System};

use crate::adapters::Adapter;
use crate::network::{CALLBACK, Network};

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

/// Runs a machine round by round: all calls that are outstanding are performed, then all replies are
/// handed over. So the number of rounds is the longest chain of calls that wait for each other.
fn chain<M: Machine>(system: &System, client: &dyn Adapter, machine: M) -> (usize, M::Output)
where
    M::Error: std::fmt::Debug,
{
    let mut flow = Flow::new(machine);
    let (mut outstanding, mut rounds) = (Vec::new(), 0);
    loop {
        match system.poll(&mut flow) {
            Output::Call(call) => outstanding.push(call),
            Output::Wait => {
                rounds += 1;
                let replies: Vec<_> =
                    outstanding.drain(..).map(|call| client.perform(call)).collect();
                replies.into_iter().for_each(|reply| flow.handle_reply(reply));
            }
            Output::Done(result) => return (rounds, result.unwrap()),
        }
    }
}

#[test]
fn the_longest_chain_is_as_long_as_it_must_be() {
    let network = Network::get();
    let adapters: [Box<dyn Adapter>; 2] =
        [Box::new(network.client()), Box::new(network.asynchronous_client(network.loopback()))];
    for client in adapters {
        let (client, core) = (&*client, client.client());
        let begin = |system: &System, who: &str| {
            let login = core.authorize(who.parse().unwrap());
            chain(system, client, login.redirect_uri(CALLBACK.parse().unwrap()))
        };
        let did = network.did("alice.test");
        let server = network.text("/pds/a/url");
        for (who, expected) in [("rita.test", 6), (&server, 3), (&did, 4), ("alice.test", 5)] {
            assert_eq!(begin(&System::new(P256Keys), who).0, expected, "{}: {who}", client.name());
        }
        let system = System::new(P256Keys);
        let (_, begun) = begin(&system, "alice.test");
        assert_eq!(begin(&system, "carol.test").0, 3, "another account of the same server");
        assert_eq!(begin(&system, "alice.test").0, 1, "the same account again");

        let callback = network.approve(begun.url.as_str(), "alice.test");
        let params = CallbackParams::parse(&callback).unwrap();
        let (rounds, finished) = chain(&system, client, core.callback(begun.pending, params));
        assert_eq!(rounds, 2, "callback");
        let session = finished.session;
        let read = || {
            let query = xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();
            core.request(&session, query).unwrap()
        };
        assert_eq!(chain(&system, client, read()).0, 1, "a call");
        assert_eq!(chain(&System::new(P256Keys), client, read()).0, 2, "a call without a nonce");
        let (rounds, refreshed) = chain(&system, client, core.refresh(session.clone()));
        assert_eq!(rounds, 2, "refresh");
        let fresh = System::new(P256Keys);
        let (rounds, _) = chain(&fresh, client, core.refresh(refreshed.session));
        assert_eq!(rounds, 3, "refresh without a nonce");

        let (_, begun) = begin(&system, &server);
        let callback = network.approve(begun.url.as_str(), "alice.test");
        let params = CallbackParams::parse(&callback).unwrap();
        let (rounds, _) = chain(&system, client, core.callback(begun.pending, params));
        assert_eq!(rounds, 3, "the callback of a login that began at a server");
    }
}
