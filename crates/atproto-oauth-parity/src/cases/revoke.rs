//! Token revocation (RFC 7009).

use std::time::Duration;

use crate::Case;
use crate::flow::Client;
use crate::jwt::Key;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the revocation of an access token or refresh token ends the session",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            let draft = login.revocation(lab, &tokens.access).label("the access token");
            draft.show("cache-control").send(lab);
            login.get_session(lab, &tokens.access).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);

            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.revocation(lab, &tokens.refresh).label("the refresh token").send(lab);
            login.get_session(lab, &tokens.access).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
            login.revocation(lab, &tokens.refresh).label("again").send(lab);
        },
        "
        POST revoke 200 - nonce cache-control=no-store (the access token)
        GET getSession 401 invalid_token nonce DPoP
        POST token 400 invalid_grant nonce
        POST revoke 200 - nonce (the refresh token)
        GET getSession 401 invalid_token nonce DPoP
        POST token 400 invalid_grant nonce
        POST revoke 200 - nonce (again)
        ",
    ),
    Case::new(
        "the revocation of an unknown token is answered with 200",
        |lab| {
            let login = Client::loopback().login();
            for token in ["none", "a.b.c", &format!("ref-{}", "0".repeat(64))] {
                login.revocation(lab, token).send(lab);
            }
        },
        "
        POST revoke 200 - nonce
        POST revoke 200 - nonce
        POST revoke 200 - nonce
        ",
    ),
    Case::new(
        "a wrong token_type_hint is ignored, but an unknown token_type_hint is refused",
        |lab| {
            for hint in ["access_token", "refresh_token", "other"] {
                let login = Client::loopback().login();
                let tokens = login.tokens(lab, "alice");
                let draft = login.revocation(lab, &tokens.refresh).field("token_type_hint", hint);
                draft.label(hint).send(lab);
                login.get_session(lab, &tokens.access).send(lab);
            }
        },
        "
        POST revoke 200 - nonce (access_token)
        GET getSession 401 invalid_token nonce DPoP
        POST revoke 200 - nonce (refresh_token)
        GET getSession 401 invalid_token nonce DPoP
        POST revoke 400 invalid_request nonce (other)
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a revocation without a proof is answered with 200 and revokes nothing",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.revocation(lab, &tokens.refresh).no_proof().send(lab);
            login.get_session(lab, &tokens.access).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST revoke 200 - nonce
        GET getSession 200 - nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a revocation with another DPoP key is answered with 200 and revokes nothing",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.revocation(lab, &tokens.access).key(&Key::new()).send(lab);
            login.get_session(lab, &tokens.access).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST revoke 200 - nonce
        GET getSession 200 - nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a revocation by another client is answered with 200 and revokes nothing",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            let other = Client::loopback_with("http://127.0.0.1/other", "atproto");
            login.revocation(lab, &tokens.refresh).field("client_id", &other.id).send(lab);
            login.get_session(lab, &tokens.access).send(lab);
        },
        "
        POST revoke 200 - nonce
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a revocation with an invalid proof is refused",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            let draft = login.revocation(lab, &tokens.refresh);
            draft.claim("htu", "https://a.test/").label("htu").send(lab);
            login.get_session(lab, &tokens.access).send(lab);
        },
        "
        POST revoke 401 invalid_dpop_proof nonce DPoP (htu)
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a revocation needs a token and a client_id, and for an unknown client it revokes nothing",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.revocation(lab, "").no_field("token").label("no token").send(lab);
            login.revocation(lab, "").label("an empty one").send(lab);
            let draft = login.revocation(lab, &tokens.refresh).no_field("client_id");
            draft.label("no client").send(lab);
            let draft = login.revocation(lab, &tokens.refresh).field("client_id", "nonsense");
            draft.label("no such client").send(lab);
            login.get_session(lab, &tokens.access).send(lab);
        },
        "
        POST revoke 400 invalid_request nonce (no token)
        POST revoke 400 invalid_request nonce (an empty one)
        POST revoke 400 invalid_request nonce (no client)
        POST revoke 200 - nonce (no such client)
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a revocation with a repeated parameter",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.revocation(lab, &tokens.refresh).one_more_field("token", "x").send(lab);
        },
        "
        POST revoke 200 - nonce
        ",
    )
    .stricter(
        "RFC 7009 section 2.1 refers to RFC 6749: parameters must not be included more than once",
        "POST revoke 400 invalid_request nonce",
    ),
    Case::new(
        "the revocation of an expired access token ends the session",
        |lab| {
            let lifetime = Duration::from_secs(1);
            lab.target.access_token_lifetime(Server::A, lifetime);
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            lab.target.access_token_lifetime(Server::A, Duration::from_secs(3600));
            lab.target.wait(Duration::from_millis(2200));
            login.get_session(lab, &tokens.access).send(lab);
            login.revocation(lab, &tokens.access).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        GET getSession 401 invalid_token nonce DPoP
        POST revoke 200 - nonce
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a revocation leaves other sessions of the same account valid",
        |lab| {
            let (one, two) = (Client::loopback().login(), Client::loopback().login());
            let of_one = one.tokens(lab, "alice");
            let of_two = two.tokens(lab, "alice");
            one.revocation(lab, &of_one.refresh).send(lab);
            two.get_session(lab, &of_two.access).send(lab);
        },
        "
        POST revoke 200 - nonce
        GET getSession 200 - nonce
        ",
    ),
];
