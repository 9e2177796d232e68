//! Server nonces (RFC 9449 sections 8 and 9).

use std::time::Duration;

use http::Method;
use serde_json::Value;

use crate::Case;
use crate::draft::Draft;
use crate::flow::Client;
use crate::jwt::random;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the authorization server requests a nonce with status 400, and sends one",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.par(lab).claim("nonce", Value::Null).show("content-type").send(lab);
            login.par(lab).send(lab);
            login.code_grant(lab, "cod-none").claim("nonce", Value::Null).send(lab);
            login.refresh_grant(lab, &tokens.refresh).claim("nonce", Value::Null).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
            login.revocation(lab, &tokens.refresh).claim("nonce", Value::Null).send(lab);
        },
        "
        POST par 400 use_dpop_nonce nonce content-type=application/json
        POST par 201 - nonce
        POST token 400 use_dpop_nonce nonce
        POST token 400 use_dpop_nonce nonce
        POST token 200 - nonce
        POST revoke 400 use_dpop_nonce nonce
        ",
    ),
    Case::new(
        "the resource server requests a nonce with status 401 and a DPoP challenge",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let draft = login.get_session(lab, &token);
            draft.claim("nonce", Value::Null).show("content-type").send(lab);
            login.get_session(lab, &token).claim("nonce", "made-up").send(lab);
            login.get_session(lab, &token).send(lab);
        },
        "
        GET getSession 401 use_dpop_nonce nonce DPoP content-type=application/json
        GET getSession 401 use_dpop_nonce nonce DPoP
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a nonce that the server did not issue is answered with use_dpop_nonce",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.par(lab).claim("nonce", "made-up").send(lab);
            login.par(lab).claim("nonce", "").label("empty").send(lab);
            login.refresh_grant(lab, &tokens.refresh).claim("nonce", "made-up").send(lab);
            login.revocation(lab, &tokens.refresh).claim("nonce", "made-up").send(lab);
            let others = lab.nonce(Server::B);
            login.par(lab).claim("nonce", others).label("of another server").send(lab);
        },
        "
        POST par 400 use_dpop_nonce nonce
        POST par 400 use_dpop_nonce nonce (empty)
        POST token 400 use_dpop_nonce nonce
        POST revoke 400 use_dpop_nonce nonce
        POST par 400 use_dpop_nonce nonce (of another server)
        ",
    ),
    Case::new(
        "a nonce can be used for many requests",
        |lab| {
            let login = Client::loopback().login();
            let nonce = lab.nonce(Server::A);
            for _ in 0..3 {
                login.par(lab).claim("nonce", nonce.clone()).send(lab);
            }
        },
        "
        POST par 201 - nonce
        POST par 201 - nonce
        POST par 201 - nonce
        ",
    ),
    Case::new(
        "after use_dpop_nonce, the jti of the proof and of the client assertion are still unused",
        |lab| {
            let login = Client::confidential(lab).login();
            let (proof, assertion) = (random(), random());
            let nonce = lab.nonce(Server::A);
            for nonce in ["made-up", &nonce, &nonce] {
                login
                    .par(lab)
                    .claim("nonce", nonce)
                    .claim("jti", proof.clone())
                    .asserting(|jwt| jwt.claim("jti", assertion.clone()))
                    .send(lab);
            }
        },
        "
        POST par 400 use_dpop_nonce nonce
        POST par 201 - nonce
        POST par 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "after use_dpop_nonce, the code and the refresh token are still valid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).claim("nonce", "made-up").send(lab);
            let tokens = login.code_grant(lab, &code).send(lab);
            let refresh = tokens.text("refresh_token");
            login.refresh_grant(lab, &refresh).claim("nonce", "made-up").send(lab);
            login.refresh_grant(lab, &refresh).send(lab);
        },
        "
        POST token 400 use_dpop_nonce nonce
        POST token 200 - nonce
        POST token 400 use_dpop_nonce nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a reset makes all earlier nonces invalid at the authorization and resource server",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let nonce = lab.nonce(Server::A);
            lab.target.reset_nonces(Server::A);
            login.par(lab).claim("nonce", nonce.clone()).send(lab);
            login.get_session(lab, &token).claim("nonce", nonce).send(lab);
            login.get_session(lab, &token).send(lab);
            login.par(lab).label("the nonce of the resource server").send(lab);
        },
        "
        POST par 400 use_dpop_nonce nonce
        GET getSession 401 use_dpop_nonce nonce DPoP
        GET getSession 200 - nonce
        POST par 201 - nonce (the nonce of the resource server)
        ",
    ),
    Case::new(
        "a nonce is valid after one rotation, and invalid after four rotations",
        |lab| {
            let login = Client::loopback().login();
            lab.target.rotate_nonces_each(Server::A, Duration::from_secs(1));
            lab.forget_nonces();
            let nonce = lab.nonce(Server::A);
            login.par(lab).claim("nonce", nonce.clone()).label("at once").send(lab);
            lab.target.wait(Duration::from_millis(1200));
            login.par(lab).claim("nonce", nonce.clone()).label("rotated").send(lab);
            let newer = lab.nonce(Server::A) != nonce;
            lab.note(format!("+ another nonce is given out: {newer}"));
            lab.target.wait(Duration::from_millis(2900));
            login.par(lab).claim("nonce", nonce).label("four rotations later").send(lab);
            lab.target.rotate_nonces_each(Server::A, Duration::from_secs(60));
        },
        "
        POST par 201 - nonce (at once)
        POST par 201 - nonce (rotated)
        + another nonce is given out: true
        POST par 400 use_dpop_nonce nonce (four rotations later)
        ",
    ),
    Case::new(
        "requests that need a proof are answered with a nonce, also on errors; others are not",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let get = |path: &str| Draft::new(Server::A, Method::GET, path);
            get("/.well-known/oauth-authorization-server").send(lab);
            get("/.well-known/oauth-protected-resource").send(lab);
            get("/oauth/jwks").send(lab);
            get("/oauth/par").send(lab);
            login.par(lab).content_type(Some("text/plain")).send(lab);
            login.par(lab).no_field("response_type").no_proof().send(lab);
            login.code_grant(lab, "none").content_type(Some("text/plain")).send(lab);
            login.revocation(lab, "none").send(lab);
            get("/xrpc/com.atproto.server.describeServer").send(lab);
            get("/xrpc/com.atproto.server.getSession").send(lab);
            let bearer = format!("Bearer {token}");
            login.get_session(lab, &token).authorization(&bearer).label("Bearer").send(lab);
            login.get_session(lab, "none").no_proof().label("no proof").send(lab);
            login.get_session(lab, &token).send(lab);
        },
        "
        GET oauth-authorization-server 200 -
        GET oauth-protected-resource 200 -
        GET jwks 200 -
        GET par 405 -
        POST par 415 invalid_request nonce
        POST par 400 invalid_request nonce
        POST token 415 invalid_request nonce
        POST revoke 200 - nonce
        GET describeServer 200 -
        GET getSession 401 AuthMissing
        GET getSession 400 InvalidToken (Bearer)
        GET getSession 401 invalid_token nonce DPoP (no proof)
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "the nonce of a proof is checked before the access token",
        |lab| {
            let login = Client::loopback().login();
            login.get_session(lab, "none").claim("nonce", Value::Null).send(lab);
            login.get_session(lab, "none").send(lab);
        },
        "
        GET getSession 401 use_dpop_nonce nonce DPoP
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
];
