//! The code grant (RFC 6749 section 4.1.3, RFC 7636 section 4.6).

use crate::Case;
use crate::flow::{Client, challenge};
use crate::jwt::{Key, random};
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a code is exchanged for tokens",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let draft = login.code_grant(lab, &code).show("cache-control").show("content-type");
            let answer = draft.send(lab);
            lab.members(&answer);
            let is_alice = answer.text("sub") == lab.account("alice").did;
            lab.note(format!("+ alice: {is_alice}"));
        },
        "
        POST token 200 - nonce cache-control=no-store content-type=application/json
        + access_token expires_in~3600 refresh_token scope=\"atproto transition:generic\" sub token_type=\"DPoP\"
        + alice: true
        ",
    ),
    Case::new(
        "a wrong code_verifier is refused, and makes the code invalid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let draft = login.code_grant(lab, &code).field("code_verifier", &random());
            draft.send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a malformed code_verifier leaves the code valid; a missing one makes the code invalid",
        |lab| {
            for (label, verifier) in [("short", "abc"), ("empty", ""), ("long", &*"a".repeat(129))]
            {
                let login = Client::loopback().login();
                let code = login.code(lab, "alice");
                let draft = login.code_grant(lab, &code).field("code_verifier", verifier);
                draft.label(label).send(lab);
                login.code_grant(lab, &code).send(lab);
            }
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let challenge = challenge(&login.verifier);
            let draft = login.code_grant(lab, &code).field("code_verifier", &challenge);
            draft.label("the challenge").send(lab);
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).no_field("code_verifier").label("missing").send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce (short)
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (empty)
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (long)
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (the challenge)
        POST token 400 invalid_grant nonce (missing)
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a matching code_verifier of fewer than 43 characters is refused",
        |lab| {
            let mut login = Client::loopback().login();
            "short".clone_into(&mut login.verifier);
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a matching code_verifier of more than 128 characters is refused",
        |lab| {
            let mut login = Client::loopback().login();
            login.verifier = random().repeat(3) + "a";
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a code_challenge can be used for one login only",
        |lab| {
            let login = Client::loopback().login();
            login.tokens(lab, "alice");
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a wrong redirect_uri makes the code invalid; a missing one leaves the code valid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let draft = login.code_grant(lab, &code).field("redirect_uri", "http://127.0.0.1/");
            draft.send(lab);
            login.code_grant(lab, &code).send(lab);
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).no_field("redirect_uri").label("missing").send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce (missing)
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a code exchange with another DPoP key than that of the request makes the code invalid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).key(&Key::new()).send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a code exchange by another client makes the code invalid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let other = Client::loopback_with("http://127.0.0.1/other", "atproto");
            login.code_grant(lab, &code).field("client_id", &other.id).send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a second use of a code ends the session",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let answer = login.code_grant(lab, &code).send(lab);
            login.get_session(lab, &answer.text("access_token")).send(lab);
            login.code_grant(lab, &code).send(lab);
            login.get_session(lab, &answer.text("access_token")).send(lab);
            login.refresh_grant(lab, &answer.text("refresh_token")).send(lab);
        },
        "
        POST token 200 - nonce
        GET getSession 200 - nonce
        POST token 400 invalid_grant nonce
        GET getSession 401 invalid_token nonce DPoP
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "a second use of a code by another client ends the session, too",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let token = login.code_grant(lab, &code).send(lab).text("access_token");
            let thief = Client::loopback_with("http://127.0.0.1/thief", "atproto").login();
            thief.code_grant(lab, &code).send(lab);
            login.get_session(lab, &token).send(lab);
        },
        "
        POST token 200 - nonce
        POST token 400 invalid_grant nonce
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "a code that the server did not issue is refused",
        |lab| {
            let login = Client::loopback().login();
            let like = format!("cod-{}", "0".repeat(64));
            for code in ["none", "", &like] {
                let label = format!("{} characters", code.len());
                login.code_grant(lab, code).label(label).send(lab);
            }
            let code = login.code(lab, "alice");
            let elsewhere = login.clone().at(Server::B);
            elsewhere.code_grant(lab, &code).label("at another server").send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce (4 characters)
        POST token 400 invalid_grant nonce (0 characters)
        POST token 400 invalid_grant nonce (68 characters)
        POST token@b 400 invalid_grant nonce (at another server)
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a token request without a required parameter is refused, and leaves the code valid",
        |lab| {
            for name in ["grant_type", "client_id", "code"] {
                let login = Client::loopback().login();
                let code = login.code(lab, "alice");
                login.code_grant(lab, &code).no_field(name).label(name).send(lab);
                login.code_grant(lab, &code).send(lab);
            }
        },
        "
        POST token 400 invalid_grant nonce (grant_type)
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (client_id)
        POST token 200 - nonce
        POST token 400 invalid_grant nonce (code)
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a grant_type other than authorization_code and refresh_token is refused",
        |lab| {
            let login = Client::loopback().login();
            for grant in ["client_credentials", "password", "implicit", "none", ""] {
                let draft = login.code_grant(lab, "none").field("grant_type", grant);
                draft.field("username", "alice").field("password", "x").label(grant).send(lab);
            }
            let draft = login.code_grant(lab, "none").field("grant_type", DEVICE_CODE);
            draft.field("device_code", "x").label("device code").send(lab);
        },
        "
        POST token 400 invalid_grant nonce (client_credentials)
        POST token 400 invalid_grant nonce (password)
        POST token 400 invalid_grant nonce (implicit)
        POST token 400 invalid_grant nonce (none)
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce (device code)
        ",
    ),
    Case::new(
        "an unknown parameter of a token request is ignored",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).field("scope", "other").field("x", "y").send(lab);
        },
        "
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a token request with a repeated parameter",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let draft = login.code_grant(lab, &code);
            let draft = draft.one_more_field("grant_type", "authorization_code");
            draft.send(lab);
        },
        "
        POST token 200 - nonce
        ",
    )
    .stricter(
        "RFC 6749 section 3.2: parameters must not be included more than once",
        "POST token 400 invalid_request nonce",
    ),
    Case::new(
        "a token request in JSON",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).json_fields().send(lab);
        },
        "
        POST token 200 - nonce
        ",
    )
    .stricter(
        "RFC 6749 section 4.1.3: the parameters are sent as application/x-www-form-urlencoded",
        "POST token 415 invalid_request nonce",
    ),
    Case::new(
        "after a pushed request without a proof, the token request sets the DPoP key",
        |lab| {
            let login = Client::loopback().login();
            let pushed = login.par(lab).no_proof().send(lab);
            let Some(request_uri) = pushed.json["request_uri"].as_str() else { return };
            let url = login.url_with(lab, request_uri);
            let code = lab.approve(&url, "alice", None).parameter("code").unwrap();
            let token = login.code_grant(lab, &code).send(lab).text("access_token");
            login.get_session(lab, &token).send(lab);
        },
        "
        POST par 201 - nonce
        POST token 200 - nonce
        GET getSession 200 - nonce
        ",
    )
    .stricter(
        "AT Protocol OAuth: DPoP is mandatory, beginning with the pushed authorization request",
        "POST par 401 invalid_dpop_proof nonce DPoP",
    ),
    Case::new(
        "after a pushed request without a proof, dpop_jkt sets the DPoP key",
        |lab| {
            let login = Client::loopback().login();
            let draft = login.par(lab).no_proof().field("dpop_jkt", &login.key.thumbprint());
            let pushed = draft.send(lab);
            let Some(request_uri) = pushed.json["request_uri"].as_str() else { return };
            let url = login.url_with(lab, request_uri);
            let code = lab.approve(&url, "alice", None).parameter("code").unwrap();
            login.code_grant(lab, &code).key(&Key::new()).send(lab);
        },
        "
        POST par 201 - nonce
        POST token 400 invalid_grant nonce
        ",
    )
    .stricter(
        "AT Protocol OAuth: DPoP is mandatory, beginning with the pushed authorization request",
        "POST par 401 invalid_dpop_proof nonce DPoP",
    ),
];

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
