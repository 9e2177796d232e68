//! Access tokens at the resource server (RFC 9449 section 7).

use std::time::Duration;

use http::Method;

use crate::Case;
use crate::draft::Draft;
use crate::flow::Client;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "getSession returns the account that the access token belongs to",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let answer = login.get_session(lab, &token).show("content-type").send(lab);
            lab.members(&answer);
            let alice = lab.account("alice");
            let is_alice = answer.text("did") == alice.did && answer.text("handle") == alice.handle;
            lab.note(format!("+ alice: {is_alice}"));
        },
        "
        GET getSession 200 - nonce content-type=application/json
        + active did handle
        + alice: true
        ",
    ),
    Case::new(
        "a missing or malformed authorization header is refused",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            login.get_session(lab, &token).no_authorization().label("none").send(lab);
            for value in ["DPoP", "DPoP a b", "Basic YTpi", "Digest x", "x"] {
                login.get_session(lab, &token).authorization(value).label(value).send(lab);
            }
            let twice = format!("DPoP  {token}");
            login.get_session(lab, &token).authorization(&twice).label("two spaces").send(lab);
            login.get_session(lab, &token).authorization(&token).label("no scheme").send(lab);
        },
        "
        GET getSession 401 AuthMissing (none)
        GET getSession 400 InvalidToken (DPoP)
        GET getSession 400 InvalidToken (DPoP a b)
        GET getSession 400 InvalidToken (Basic YTpi)
        GET getSession 400 InvalidToken (Digest x)
        GET getSession 400 InvalidToken (x)
        GET getSession 400 InvalidToken (two spaces)
        GET getSession 400 InvalidToken (no scheme)
        ",
    ),
    Case::new(
        "the authorization scheme DPoP is compared case-insensitively",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            for scheme in ["dpop", "DPOP"] {
                let value = format!("{scheme} {token}");
                login.get_session(lab, &token).authorization(&value).label(scheme).send(lab);
            }
        },
        "
        GET getSession 200 - nonce (dpop)
        GET getSession 200 - nonce (DPOP)
        ",
    ),
    Case::new(
        "an access token that is bound to a key is refused with the scheme Bearer",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let bearer = format!("Bearer {token}");
            login.get_session(lab, &token).authorization(&bearer).send(lab);
            let draft = login.get_session(lab, &token).authorization(&bearer).no_proof();
            draft.label("no proof").send(lab);
        },
        "
        GET getSession 400 InvalidToken
        GET getSession 400 InvalidToken (no proof)
        ",
    ),
    Case::new(
        "an access token without a DPoP proof is refused",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            login.get_session(lab, &token).no_proof().send(lab);
        },
        "
        GET getSession 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "an access token that the server did not issue is refused",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            for (label, token) in [
                ("no token", "none"),
                ("three parts", "a.b.c"),
                ("a refresh token", &tokens.refresh),
                ("one with more behind it", &format!("{}x", tokens.access)),
            ] {
                login.get_session(lab, token).label(label).send(lab);
            }
        },
        "
        GET getSession 401 invalid_token nonce DPoP (no token)
        GET getSession 401 invalid_token nonce DPoP (three parts)
        GET getSession 401 invalid_token nonce DPoP (a refresh token)
        GET getSession 401 invalid_token nonce DPoP (one with more behind it)
        ",
    ),
    Case::new(
        "an access token of another server is refused",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            login.get_session_at(lab, Server::B, &token).send(lab);
        },
        "
        GET getSession@b 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "an expired access token is refused, and its session can still be refreshed",
        |lab| {
            lab.target.access_token_lifetime(Server::A, Duration::from_secs(2));
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let answer = login.code_grant(lab, &code).send(lab);
            let lifetime = answer.json["expires_in"].as_u64().unwrap();
            lab.note(format!("+ at most two seconds: {}", lifetime <= 2));
            lab.target.access_token_lifetime(Server::A, Duration::from_secs(3600));
            lab.target.wait(Duration::from_millis(3200));
            login.get_session(lab, &answer.text("access_token")).send(lab);
            let answer = login.refresh_grant(lab, &answer.text("refresh_token")).send(lab);
            lab.members(&answer);
            login.get_session(lab, &answer.text("access_token")).send(lab);
        },
        "
        POST token 200 - nonce
        + at most two seconds: true
        GET getSession 401 invalid_token nonce DPoP
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto transition:generic\" sub token_type=\"DPoP\"
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a request for an unknown XRPC method",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let nsid = "com.example.unknown";
            login.xrpc(lab, Server::A, Method::GET, nsid, &token).send(lab);
            let draft = login.xrpc(lab, Server::A, Method::POST, nsid, &token);
            draft.body("application/json", "{}").send(lab);
        },
        "
        GET unknown 502 UpstreamFailure nonce
        POST unknown 502 UpstreamFailure nonce
        ",
    )
    .stricter(
        "the reference server forwards unknown methods to its AppView, which does not exist in the \
         reference network; a server without an AppView does not implement the method",
        "
        GET unknown 501 MethodNotImplemented nonce
        POST unknown 501 MethodNotImplemented nonce
        ",
    ),
    Case::new(
        "a query is called with GET only, and a procedure with POST only",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let get_session = "com.atproto.server.getSession";
            let draft = login.xrpc(lab, Server::A, Method::POST, get_session, &token);
            draft.body("application/json", "{}").show("allow").send(lab);
            let create = "com.atproto.repo.createRecord";
            login.xrpc(lab, Server::A, Method::GET, create, &token).show("allow").send(lab);
            login.xrpc(lab, Server::A, Method::PUT, get_session, &token).show("allow").send(lab);
        },
        "
        POST getSession 400 InvalidRequest allow=-
        GET createRecord 400 InvalidRequest allow=-
        PUT getSession 400 InvalidRequest allow=-
        ",
    ),
    Case::new(
        "a public XRPC method needs no access token",
        |lab| {
            let did = lab.account("alice").did;
            let get = |path: &str| Draft::new(Server::A, Method::GET, path);
            let answer = get("/xrpc/com.atproto.server.describeServer").send(lab);
            lab.note(format!("+ did: {}", answer.json["did"].is_string()));
            let path = format!("/xrpc/com.atproto.repo.describeRepo?repo={did}");
            let answer = get(&path).send(lab);
            lab.note(format!("+ alice: {}", answer.text("did") == did));
        },
        "
        GET describeServer 200 -
        + did: true
        GET describeRepo 200 -
        + alice: true
        ",
    ),
    Case::new(
        "a response allows any origin to read it (CORS)",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let origin = "access-control-allow-origin";
            login.par(lab).show(origin).send(lab);
            login.get_session(lab, &token).show(origin).send(lab);
            let get = |path: &str| Draft::new(Server::A, Method::GET, path);
            get("/.well-known/oauth-authorization-server").show(origin).send(lab);
            get("/.well-known/oauth-protected-resource").show(origin).send(lab);
        },
        "
        POST par 201 - nonce access-control-allow-origin=*
        GET getSession 200 - nonce access-control-allow-origin=*
        GET oauth-authorization-server 200 - access-control-allow-origin=*
        GET oauth-protected-resource 200 - access-control-allow-origin=*
        ",
    ),
];
