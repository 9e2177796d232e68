//! Wrong clocks of clients and servers, and short-lived nonces.

use std::time::Duration;

use atproto_oauth_core::{CallbackParams, Client, Error, Revocation, Session};
use atproto_oauth_sandbox::{Fault, Sandbox};

use crate::sandbox::{ALICE, RITA, confidential, log_in, loopback, server, status};

const MINUTE: Duration = Duration::from_secs(60);

/// Runs a login, a request, a refresh, another request and a logout. Returns the number of
/// responses with the error `invalid_dpop_proof`.
fn whole_session(sandbox: &mut Sandbox, client: &Client, who: &str) -> usize {
    sandbox.clear_log();
    let session = log_in(sandbox, client, who);
    assert_eq!(status(sandbox, client, &session), 200);
    let session: Session = sandbox.run(client.refresh(session)).unwrap().session;
    assert_eq!(status(sandbox, client, &session), 200);
    assert_eq!(sandbox.run(client.revoke(session)).unwrap(), Revocation::Revoked);
    let error = |exchange: &atproto_oauth_sandbox::Exchange| exchange.error();
    sandbox.requests().filter(|e| error(e).as_deref() == Some("invalid_dpop_proof")).count()
}

#[test]
fn the_clock_of_a_server_is_learned_once() {
    for minutes in [5, 60, 23 * 60] {
        for is_ahead in [true, false] {
            let (mut sandbox, client) = (Sandbox::new(1), loopback());
            let pds = server(&sandbox, &sandbox.names().pds);
            match is_ahead {
                true => sandbox.set_server_clock_ahead(pds, MINUTE * minutes),
                false => sandbox.set_server_clock_behind(pds, MINUTE * minutes),
            }
            let refused = whole_session(&mut sandbox, &client, ALICE);
            assert_eq!(refused, 1, "{minutes} minutes, ahead: {is_ahead}");
        }
    }
}

#[test]
fn each_server_has_a_clock_of_its_own() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let names = sandbox.names().clone();
    let (entryway, pds) =
        (server(&sandbox, &names.entryway), server(&sandbox, &names.entryway_pds));
    sandbox.set_server_clock_ahead(entryway, MINUTE * 10);
    sandbox.set_server_clock_behind(pds, MINUTE * 10);
    assert_eq!(whole_session(&mut sandbox, &client, RITA), 2);
}

#[test]
fn a_login_succeeds_with_a_wrong_clock() {
    for minutes in [1, 2, 5, 60, 23 * 60] {
        for is_ahead in [true, false] {
            let (mut sandbox, client) = (Sandbox::new(1), loopback());
            match is_ahead {
                true => sandbox.process().set_clock_ahead(MINUTE * minutes),
                false => sandbox.process().set_clock_behind(MINUTE * minutes),
            }
            let refused = whole_session(&mut sandbox, &client, ALICE);
            assert_eq!(refused, usize::from(minutes > 3), "{minutes} minutes, ahead: {is_ahead}");
        }
    }
}

#[test]
fn a_confidential_login_succeeds_with_a_wrong_clock() {
    // Rules E-40, F-05: servers tolerate a clock difference of three minutes in proofs, and none in
    // assertions.
    for seconds in [1, 5, 10, 20, 25, 30, 35, 55, 60, 90, 170, 190, 300, 3600] {
        for is_ahead in [true, false] {
            let (mut sandbox, client) = (Sandbox::new(1), confidential());
            sandbox.publish_client(&client);
            sandbox.set_latency(Duration::from_millis(800));
            match is_ahead {
                true => sandbox.process().set_clock_ahead(Duration::from_secs(seconds)),
                false => sandbox.process().set_clock_behind(Duration::from_secs(seconds)),
            }
            whole_session(&mut sandbox, &client, ALICE);
            let refused = |exchange: &&atproto_oauth_sandbox::Exchange| {
                ["invalid_client", "invalid_dpop_proof"]
                    .map(str::to_owned)
                    .contains(&exchange.error().unwrap_or_default())
            };
            let refused = sandbox.requests().filter(refused).count();
            assert!(refused <= 1, "{seconds} seconds, ahead: {is_ahead}: {refused} refusals");
        }
    }
}

#[test]
fn nonces_that_change_each_second_are_enough() {
    for who in [ALICE, RITA] {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        let names = sandbox.names().clone();
        for origin in [names.pds, names.entryway, names.entryway_pds] {
            let at = server(&sandbox, &origin);
            sandbox.set_nonce_rotation(at, Duration::from_secs(1));
        }
        sandbox.set_latency(Duration::from_secs(1));
        assert_eq!(whole_session(&mut sandbox, &client, who), 0);
    }
}

#[test]
fn a_server_that_rejects_every_nonce_ends_the_login() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    sandbox.fault(Fault::reset_nonces().always());
    let refused = sandbox.run(client.authorize(ALICE.parse().unwrap())).unwrap_err();
    assert_eq!(refused.oauth_error_code(), Some("use_dpop_nonce"));
    let pushed = sandbox.requests().filter(|exchange| exchange.path() == "/oauth/par").count();
    assert_eq!(pushed, 3, "one request without a nonce, and two with different nonces");

    sandbox.clear_faults();
    let begun = sandbox.run(client.authorize(ALICE.parse().unwrap())).unwrap();
    let back = sandbox.approve(&begun.url, ALICE).unwrap();
    sandbox.fault(Fault::reset_nonces().always());
    let params = CallbackParams::parse(&back).unwrap();
    let refused = sandbox.run(client.callback(begun.pending, params)).unwrap_err().error;
    assert!(matches!(refused, Error::NonceRetryExhausted(_)), "{refused:?}");
    let pds = server(&sandbox, &sandbox.names().pds);
    assert_eq!(sandbox.sessions(pds), 0);
}
