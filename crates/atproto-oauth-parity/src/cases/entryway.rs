//! Accounts whose authorization server is not their PDS but an entryway.

use http::Method;

use crate::Case;
use crate::draft::Draft;
use crate::flow::Client;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "an access token of the authorization server is valid at the PDS of the account",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "rita");
            let answer = login.code_grant(lab, &code).send(lab);
            let is_rita = answer.text("sub") == lab.account("rita").did;
            lab.note(format!("+ rita: {is_rita}"));
            let token = answer.text("access_token");
            let answer = login.get_session_at(lab, Server::R, &token).send(lab);
            lab.note(format!("+ rita: {}", answer.text("did") == lab.account("rita").did));
        },
        "
        POST token 200 - nonce
        + rita: true
        GET getSession@r 200 - nonce
        + rita: true
        ",
    ),
    Case::new(
        "a refresh and a revocation at the authorization server take effect at the PDS",
        |lab| {
            let login = Client::loopback().login();
            let old = login.tokens(lab, "rita");
            let new = login.refresh_grant(lab, &old.refresh).send(lab);
            login.get_session_at(lab, Server::R, &old.access).label("old").send(lab);
            let token = new.text("access_token");
            login.get_session_at(lab, Server::R, &token).label("new").send(lab);
            login.revocation(lab, &token).send(lab);
            login.get_session_at(lab, Server::R, &token).label("revoked").send(lab);
        },
        "
        POST token 200 - nonce
        GET getSession@r 401 invalid_token nonce DPoP (old)
        GET getSession@r 200 - nonce (new)
        POST revoke 200 - nonce
        GET getSession@r 401 invalid_token nonce DPoP (revoked)
        ",
    ),
    Case::new(
        "the PDS checks the nonce, the htu and the jti of DPoP proofs itself",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "rita").access;
            let draft = login.get_session_at(lab, Server::R, &token);
            draft.claim("nonce", "made-up").send(lab);
            let at_a = lab.url(Server::A, "/xrpc/com.atproto.server.getSession");
            login.get_session_at(lab, Server::R, &token).claim("htu", at_a).label("htu").send(lab);
            let draft = login.get_session_at(lab, Server::R, &token);
            draft.clone().send(lab);
            draft.label("again").send(lab);
        },
        "
        GET getSession@r 401 use_dpop_nonce nonce DPoP
        GET getSession@r 401 invalid_dpop_proof nonce DPoP (htu)
        GET getSession@r 200 - nonce
        GET getSession@r 401 invalid_dpop_proof nonce DPoP (again)
        ",
    ),
    Case::new(
        "the PDS refuses a nonce of the authorization server",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "rita").access;
            // Until this reset, the two reference servers share the secret of their nonces.
            lab.target.reset_nonces(Server::A);
            lab.forget_nonces();
            let nonce = lab.nonce(Server::A);
            login.get_session_at(lab, Server::R, &token).claim("nonce", nonce).send(lab);
        },
        "
        GET getSession@r 401 use_dpop_nonce nonce DPoP
        ",
    ),
    Case::new(
        "a PDS with a separate authorization server has no OAuth endpoints",
        |lab| {
            let login = Client::loopback().login().at(Server::R);
            for draft in
                [login.par(lab), login.code_grant(lab, "none"), login.revocation(lab, "none")]
            {
                let status = draft.send_quietly(lab).status;
                lab.note(status.as_str());
            }
        },
        "
        404
        404
        404
        ",
    ),
    Case::new(
        "the metadata of a PDS names its separate authorization server",
        |lab| {
            let get = |path: &str| Draft::new(Server::R, Method::GET, path);
            let answer = get("/.well-known/oauth-authorization-server").send_quietly(lab);
            lab.note(answer.status.as_str());
            let answer = get("/.well-known/oauth-protected-resource").send(lab);
            let resource = answer.text("resource") == lab.url(Server::R, "");
            let issuer = answer.json["authorization_servers"][0] == lab.url(Server::A, "");
            lab.note(format!("+ itself: {resource}, its authorization server: {issuer}"));
        },
        "
        404
        GET oauth-protected-resource@r 200 -
        + itself: true, its authorization server: true
        ",
    ),
    Case::new(
        "the account cannot sign in at another authorization server than its own",
        |lab| {
            let login = Client::loopback().login().at(Server::B);
            let url = login.url(lab);
            let landing = lab.approve(&url, "rita", None);
            login.note(lab, &landing);
        },
        "
        browser page 400
        ",
    ),
    Case::new(
        "a PDS refuses an access token of another authorization server than its own",
        |lab| {
            let login = Client::loopback().login().at(Server::B);
            let token = login.tokens(lab, "bob").access;
            login.get_session(lab, &token).send(lab);
            login.get_session_at(lab, Server::R, &token).send(lab);
            login.get_session_at(lab, Server::A, &token).send(lab);
        },
        "
        GET getSession@b 200 - nonce
        GET getSession@r 401 invalid_token nonce DPoP
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "an access token at another PDS of the same authorization server",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "rita").access;
            login.get_session_at(lab, Server::A, &token).send(lab);
        },
        "
        GET getSession 200 - nonce
        ",
    )
    .stricter(
        "RFC 9068 section 4: the aud of a token names its resource server; only in the reference \
         network do two servers share one database",
        "GET getSession 401 invalid_token nonce DPoP",
    ),
];
