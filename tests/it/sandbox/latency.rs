//! The time that a user waits: the longest chain of calls that wait for each other. Each call takes
//! one unit of time; concurrent calls take one unit together.

use std::time::Duration;

use atproto_oauth_core::Client;
use atproto_oauth_sandbox::Sandbox;

use crate::sandbox::{ALICE, CAROL, RITA, begin, finish, log_in, loopback, status};

const UNIT: Duration = Duration::from_secs(1);

/// Returns a network in which each call takes one unit, and a client.
fn slow() -> (Sandbox, Client) {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(UNIT);
    (sandbox, loopback())
}

/// Returns how many units `work` takes, and its result.
fn units<T>(sandbox: &mut Sandbox, work: impl FnOnce(&mut Sandbox) -> T) -> (u64, T) {
    let before = sandbox.now();
    let output = work(sandbox);
    (sandbox.now().since(before).as_secs(), output)
}

fn login(sandbox: &mut Sandbox, client: &Client, subject: &str) -> u64 {
    units(sandbox, |sandbox| begin(sandbox, client, subject)).0
}

/// Invalidates all nonces of the PDS of alice.
fn reset_nonces(sandbox: &mut Sandbox) {
    let pds = sandbox.names().pds.clone();
    let pds = sandbox.find_server(&pds).unwrap();
    sandbox.reset_nonces(pds);
}

#[test]
fn a_cold_login_is_as_short_as_it_can_be() {
    let (sandbox, _) = slow();
    let (did, pds) = (sandbox.did(ALICE).unwrap(), &sandbox.names().pds);
    let (rita, behind) = (sandbox.did(RITA).unwrap(), &sandbox.names().entryway_pds);
    // Behind an entryway the chain has one more call: the metadata of the entryway.
    for (subject, expected) in [(ALICE, 5), (did, 4), (pds, 3), (RITA, 6), (rita, 5), (behind, 4)] {
        let (mut sandbox, client) = slow();
        assert_eq!(login(&mut sandbox, &client, subject), expected, "{subject}");
        // A second login soon after sends only the pushed request.
        assert_eq!(login(&mut sandbox, &client, subject), 1, "{subject} again");
    }
}

#[test]
fn a_login_at_a_known_server_only_resolves_the_account() {
    let (mut sandbox, client) = slow();
    let pds = sandbox.names().pds.clone();
    login(&mut sandbox, &client, &pds);
    assert_eq!(login(&mut sandbox, &client, ALICE), 3);
    // Resolution over HTTPS takes as long as by DNS, because both run concurrently.
    assert_eq!(login(&mut sandbox, &client, CAROL), 3);
}

#[test]
fn a_callback_verifies_the_account_during_the_code_exchange() {
    let (sandbox, _) = slow();
    let (pds, behind) = (&sandbox.names().pds, &sandbox.names().entryway_pds);
    // A login that began with a server learns its account from the token response, so verification
    // comes after it, and a stale nonce costs one more unit. In a login that began with an account,
    // the retry for a stale nonce runs concurrently with verification and costs no time.
    for (subject, who, fresh, stale) in
        [(ALICE, ALICE, 2, 2), (RITA, RITA, 2, 2), (pds, ALICE, 3, 4), (behind, RITA, 3, 4)]
    {
        for (is_stale, expected) in [(false, fresh), (true, stale)] {
            let (mut sandbox, client) = slow();
            let begun = begin(&mut sandbox, &client, subject);
            if is_stale {
                let issuer = begun.url.origin().ascii_serialization();
                let issuer = sandbox.find_server(&issuer).unwrap();
                sandbox.reset_nonces(issuer);
            }
            let (waited, finished) =
                units(&mut sandbox, |sandbox| finish(sandbox, &client, begun, who));
            assert!(finished.is_ok(), "{subject}");
            assert_eq!(waited, expected, "{subject}, stale: {is_stale}");
        }
    }
}

#[test]
fn a_refresh_is_as_short_as_it_can_be() {
    for who in [ALICE, RITA] {
        let (mut sandbox, client) = slow();
        let mut session = log_in(&mut sandbox, &client, who);
        let mut refresh = |sandbox: &mut Sandbox| {
            let (waited, refreshed) =
                units(sandbox, |sandbox| sandbox.run(client.refresh(session.clone())));
            session = refreshed.unwrap().session;
            waited
        };
        assert_eq!(refresh(&mut sandbox), 2, "{who}");
        sandbox.process().forget();
        assert_eq!(refresh(&mut sandbox), 3, "{who}: the nonce is not known");
    }
    // The DID document names the new PDS, whose metadata request must wait for the document.
    let (mut sandbox, client) = slow();
    let session = log_in(&mut sandbox, &client, RITA);
    let names = sandbox.names().clone();
    let other = sandbox.find_server(&names.other_entryway_pds).unwrap();
    sandbox.migrate(RITA, other);
    let (waited, refreshed) = units(&mut sandbox, |sandbox| sandbox.run(client.refresh(session)));
    assert_eq!(refreshed.unwrap().session.pds().as_str(), names.other_entryway_pds);
    assert_eq!(waited, 3);
}

#[test]
fn a_call_is_one_request() {
    let (mut sandbox, client) = slow();
    let session = log_in(&mut sandbox, &client, ALICE);
    let call = |sandbox: &mut Sandbox| {
        let (waited, status) = units(sandbox, |sandbox| status(sandbox, &client, &session));
        assert_eq!(status, 200);
        waited
    };
    assert_eq!(call(&mut sandbox), 1);
    sandbox.process().forget();
    assert_eq!(call(&mut sandbox), 2, "the nonce is not known");
    assert_eq!(call(&mut sandbox), 1);
    reset_nonces(&mut sandbox);
    assert_eq!(call(&mut sandbox), 2, "the nonce is stale");
    assert_eq!(call(&mut sandbox), 1);
}
