//! The refresh grant (RFC 6749 section 6, RFC 9700 section 4.14).

use serde_json::json;

use crate::Case;
use crate::flow::Client;
use crate::jwt::Key;
use crate::lab::metadata;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a refresh issues new tokens, and makes the old access token invalid at once",
        |lab| {
            let login = Client::loopback().login();
            let old = login.tokens(lab, "alice");
            let draft = login.refresh_grant(lab, &old.refresh).show("cache-control");
            let answer = draft.send(lab);
            lab.members(&answer);
            let is_new = answer.text("access_token") != old.access;
            lab.note(format!("+ another access token: {is_new}"));
            let is_new = answer.text("refresh_token") != old.refresh;
            lab.note(format!("+ another refresh token: {is_new}"));
            login.get_session(lab, &old.access).label("old").send(lab);
            login.get_session(lab, &answer.text("access_token")).label("new").send(lab);
        },
        "
        POST token 200 - nonce cache-control=no-store
        + access_token expires_in~3600 refresh_token scope=\"atproto transition:generic\" sub token_type=\"DPoP\"
        + another access token: true
        + another refresh token: true
        GET getSession 401 invalid_token nonce DPoP (old)
        GET getSession 200 - nonce (new)
        ",
    ),
    Case::new(
        "a session can be refreshed many times",
        |lab| {
            let login = Client::loopback().login();
            let mut refresh = login.tokens(lab, "alice").refresh;
            for _ in 0..3 {
                refresh = login.refresh_grant(lab, &refresh).send(lab).text("refresh_token");
            }
        },
        "
        POST token 200 - nonce
        POST token 200 - nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a second use of a refresh token ends the session",
        |lab| {
            let login = Client::loopback().login();
            let old = login.tokens(lab, "alice");
            let answer = login.refresh_grant(lab, &old.refresh).send(lab);
            login.refresh_grant(lab, &old.refresh).label("again").send(lab);
            login.get_session(lab, &answer.text("access_token")).send(lab);
            login.refresh_grant(lab, &answer.text("refresh_token")).send(lab);
        },
        "
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (again)
        GET getSession 401 invalid_token nonce DPoP
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a second use of an older refresh token ends the session, too",
        |lab| {
            let login = Client::loopback().login();
            let first = login.tokens(lab, "alice").refresh;
            let second = login.refresh_grant(lab, &first).send(lab).text("refresh_token");
            let answer = login.refresh_grant(lab, &second).send(lab);
            login.refresh_grant(lab, &first).label("the first").send(lab);
            login.get_session(lab, &answer.text("access_token")).send(lab);
        },
        "
        POST token 200 - nonce
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (the first)
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "a refresh with another DPoP key ends the session",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.refresh_grant(lab, &tokens.refresh).key(&Key::new()).send(lab);
            login.get_session(lab, &tokens.access).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        GET getSession 401 invalid_token nonce DPoP
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a refresh by another client ends the session",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            let other = Client::loopback_with("http://127.0.0.1/other", "atproto");
            login.refresh_grant(lab, &tokens.refresh).field("client_id", &other.id).send(lab);
            login.get_session(lab, &tokens.access).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "a refresh token that the server did not issue is refused",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            let like = format!("ref-{}", "0".repeat(64));
            for (label, token) in [
                ("a word", "none"),
                ("empty", ""),
                ("another", &*like),
                ("an access token", &*tokens.access),
            ] {
                login.refresh_grant(lab, token).label(label).send(lab);
            }
            let elsewhere = login.clone().at(Server::B);
            elsewhere.refresh_grant(lab, &tokens.refresh).label("of another server").send(lab);
            login.refresh_grant(lab, &tokens.refresh).no_field("refresh_token").send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST token 400 invalid_grant nonce (a word)
        POST token 400 invalid_grant nonce (empty)
        POST token 400 invalid_grant nonce (another)
        POST token 400 invalid_grant nonce (an access token)
        POST token@b 400 invalid_grant nonce (of another server)
        POST token 400 invalid_grant nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a refresh without a valid client_id is refused, and leaves the refresh token valid",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.refresh_grant(lab, &tokens.refresh).no_field("client_id").send(lab);
            let unknown = "https://app.client.dev";
            login.refresh_grant(lab, &tokens.refresh).field("client_id", unknown).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_client_metadata nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a refresh keeps the scope of the session, and ignores the parameter scope",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            let draft = login.refresh_grant(lab, &tokens.refresh).field("scope", "atproto");
            let answer = draft.send(lab);
            lab.members(&answer);
        },
        "
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto transition:generic\" sub token_type=\"DPoP\"
        ",
    ),
    Case::new(
        "a client without the refresh_token grant gets no refresh token",
        |lab| {
            let id = lab.client_id();
            let mut document = metadata(&id);
            document["grant_types"] = json!(["authorization_code"]);
            let login = Client::with(lab, &id, &document).login();
            let code = login.code(lab, "alice");
            let answer = login.code_grant(lab, &code).send(lab);
            lab.members(&answer);
            login.refresh_grant(lab, "none").send(lab);
        },
        "
        POST token 200 - nonce
        + access_token expires_in~3600 scope=\"atproto transition:generic\" sub token_type=\"DPoP\"
        POST token 400 invalid_grant nonce
        ",
    ),
];
