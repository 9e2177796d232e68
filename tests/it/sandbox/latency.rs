//! What a user waits for: the longest chain of requests that wait for each other. Every call takes one
//! unit of time, and calls that are outstanding together take it together.

use std::time::Duration;

use atproto_oauth_core::Client;
use atproto_oauth_sandbox::Sandbox;

use crate::sandbox::{ALICE, CAROL, RITA, begin, finish, log_in, loopback, status};

const UNIT: Duration = Duration::from_secs(1);

/// A network in which every call takes a unit, and a client that knows nothing of it.
fn slow() -> (Sandbox, Client) {
    let mut sandbox = Sandbox::new(1);
    sandbox.set_latency(UNIT);
    (sandbox, loopback())
}

/// How many units pass while `work` is done.
fn units<T>(sandbox: &mut Sandbox, work: impl FnOnce(&mut Sandbox) -> T) -> (u64, T) {
    let before = sandbox.now();
    let output = work(sandbox);
    (sandbox.now().since(before).as_secs(), output)
}

fn login(sandbox: &mut Sandbox, client: &Client, subject: &str) -> u64 {
    units(sandbox, |sandbox| begin(sandbox, client, subject)).0
}

/// All nonces of the PDS of alice become worthless.
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
    // An entryway is one more to ask: who speaks for the server is another.
    for (subject, expected) in [(ALICE, 5), (did, 4), (pds, 3), (RITA, 6), (rita, 5), (behind, 4)] {
        let (mut sandbox, client) = slow();
        assert_eq!(login(&mut sandbox, &client, subject), expected, "{subject}");
        // The same again, soon: only the request itself.
        assert_eq!(login(&mut sandbox, &client, subject), 1, "{subject} again");
    }
}

#[test]
fn a_login_at_a_known_server_only_resolves_the_account() {
    let (mut sandbox, client) = slow();
    let pds = sandbox.names().pds.clone();
    login(&mut sandbox, &client, &pds);
    assert_eq!(login(&mut sandbox, &client, ALICE), 3);
    // By HTTPS it takes as long as by DNS: both are asked at once.
    assert_eq!(login(&mut sandbox, &client, CAROL), 3);
}

#[test]
fn a_callback_verifies_the_account_during_the_code_exchange() {
    let (sandbox, _) = slow();
    let (pds, behind) = (&sandbox.names().pds, &sandbox.names().entryway_pds);
    // Whose account it is, a login that began at a server learns from the token; and a nonce that has
    // changed meanwhile costs it one more. Beside the verification it costs nothing.
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
    // Where the account lives now its document says, and that server is asked after it.
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
