//! The number of requests of each procedure, counted in the log of the issuer, and the length of
//! the longest chain of calls in which each call waits for the one before it.

use atproto_dpop::P256Keys;
use atproto_sansio::{Flow, Machine, Output, System};

use crate::flows::{Adapter, Stage, who_am_i};

/// Returns the number of requests that the issuer of alice received during `work`. DNS lookups and
/// requests to the PLC directory are not counted.
fn requests<T>(stage: &dyn Stage, work: impl FnOnce() -> T) -> (usize, T) {
    let issuer = stage.account("alice").issuer;
    stage.clear_log();
    let output = work();
    (stage.log(&issuer).len(), output)
}

pub fn each_procedure_sends_as_few_requests_as_possible(stage: &dyn Stage) {
    let client = stage.client();
    let (alice, carol) = (stage.account("alice"), stage.account("carol"));

    // Resource metadata, server metadata, the pushed request without a nonce and with a nonce.
    let (cold, begun) = requests(stage, || stage.begin(&*client, &alice.handle));
    assert_eq!(cold, 4);
    // Token request; resource metadata and server metadata, to verify the authority of the issuer.
    let (callback, session) = requests(stage, || stage.finish(&*client, begun, &alice));
    assert_eq!(callback, 3);
    let (call, _) = requests(stage, || client.request(&session, who_am_i()).unwrap());
    assert_eq!(call, 1);
    // Another account of the same server, and the same account again: metadata and nonce are
    // cached.
    let (other, _) = requests(stage, || stage.begin(&*client, &carol.handle));
    assert_eq!(other, 1);
    let (again, _) = requests(stage, || stage.begin(&*client, &alice.handle));
    assert_eq!(again, 1);
    // A refresh verifies the authority with two fresh metadata requests before the token request.
    let (refresh, refreshed) = requests(stage, || client.refresh(session).unwrap());
    assert_eq!(refresh, 3);
    let (logout, _) = requests(stage, || client.revoke(refreshed.session).unwrap());
    assert_eq!(logout, 2);
}

pub fn a_login_behind_an_entryway_sends_three_requests_to_the_issuer(stage: &dyn Stage) {
    let rita = stage.account("rita");
    for client in stage.clients() {
        stage.clear_log();
        let _ = stage.begin(&*client, &rita.handle);
        let count = stage.log(&rita.issuer).len();
        assert_eq!(count, 3, "the issuer's metadata, and the request pushed twice");
    }
}

/// Runs a machine in rounds: each round performs all outstanding calls, then hands over all
/// replies. The number of rounds is the length of the longest chain of dependent calls.
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

pub fn the_longest_chain_of_requests_is_as_short_as_possible(stage: &dyn Stage) {
    let client = &*stage.client();
    let core = client.client();
    let (alice, carol) = (stage.account("alice"), stage.account("carol"));
    let begin = |system: &System, who: &str| {
        let login = core.authorize(who.parse().unwrap());
        chain(system, client, login.redirect_uri(crate::flows::CALLBACK.parse().unwrap()))
    };
    let finish = |system: &System, begun: atproto_oauth_core::Authorization| {
        let back = stage.approve(&begun.url, &alice.handle);
        let params = atproto_oauth_core::CallbackParams::parse(&back).unwrap();
        chain(system, client, core.callback(begun.pending, params))
    };
    let rita = stage.account("rita").handle;
    for (who, expected) in [(&rita, 6), (&alice.pds, 3), (&alice.did, 4), (&alice.handle, 5)] {
        assert_eq!(begin(&System::new(P256Keys), who).0, expected, "{who}");
    }
    let system = System::new(P256Keys);
    let (_, begun) = begin(&system, &alice.handle);
    assert_eq!(begin(&system, &carol.handle).0, 3, "another account of the same server");
    assert_eq!(begin(&system, &alice.handle).0, 1, "the same account again");

    let (rounds, finished) = finish(&system, begun);
    assert_eq!(rounds, 2, "callback");
    let session = finished.session;
    let read = || core.request(&session, who_am_i()).unwrap();
    assert_eq!(chain(&system, client, read()).0, 1, "a call");
    assert_eq!(chain(&System::new(P256Keys), client, read()).0, 2, "a call without a nonce");
    let (rounds, refreshed) = chain(&system, client, core.refresh(session.clone()));
    assert_eq!(rounds, 2, "refresh");
    let fresh = System::new(P256Keys);
    let (rounds, _) = chain(&fresh, client, core.refresh(refreshed.session));
    assert_eq!(rounds, 3, "refresh without a nonce");

    let (_, begun) = begin(&system, &alice.pds);
    let (rounds, _) = finish(&system, begun);
    assert_eq!(rounds, 3, "the callback of a login that began at a server");
}
