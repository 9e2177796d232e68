//! Parameters of the pushed authorization request (RFC 9126, RFC 7636).

use crate::Case;
use crate::flow::{Client, challenge};
use crate::jwt::Key;
use crate::lab::Lab;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a pushed request is answered with a request_uri and its lifetime",
        |lab| {
            let draft = Client::loopback().login().par(lab);
            let answer = draft.show("cache-control").show("content-type").send(lab);
            lab.members(&answer);
            let uri = answer.text("request_uri");
            lab.note(format!("+ urn: {}", uri.starts_with("urn:ietf:params:oauth:request_uri:")));
        },
        "
        POST par 201 - nonce cache-control=no-store content-type=application/json
        + expires_in~300 request_uri
        + urn: true
        ",
    ),
    Case::new(
        "a pushed request without a required parameter is refused; the state is optional",
        |lab| {
            for name in
                ["client_id", "response_type", "scope", "code_challenge", "code_challenge_method"]
            {
                Client::loopback().login().par(lab).no_field(name).label(name).send(lab);
            }
            let draft = Client::loopback().login().par(lab).no_field("state");
            draft.label("a state is the client's affair").send(lab);
        },
        "
        POST par 400 invalid_client nonce (client_id)
        POST par 400 invalid_request nonce (response_type)
        POST par 400 invalid_scope nonce (scope)
        POST par 400 invalid_request nonce (code_challenge)
        POST par 400 invalid_request nonce (code_challenge_method)
        POST par 201 - nonce (a state is the client's affair)
        ",
    ),
    Case::new(
        "the only response_type is code",
        |lab| {
            for kind in ["token", "code token", "code id_token", "none", "CODE", ""] {
                with(lab, "response_type", kind);
            }
        },
        "
        POST par 400 unsupported_response_type nonce (token)
        POST par 400 unsupported_response_type nonce (code token)
        POST par 400 unsupported_response_type nonce (code id_token)
        POST par 400 unsupported_response_type nonce (none)
        POST par 400 invalid_request nonce (CODE)
        POST par 400 invalid_request nonce (empty)
        ",
    ),
    Case::new(
        "the only code_challenge_method is S256",
        |lab| {
            for method in ["plain", "s256", "S512", ""] {
                with(lab, "code_challenge_method", method);
            }
        },
        "
        POST par 400 invalid_request nonce (plain)
        POST par 400 invalid_request nonce (s256)
        POST par 400 invalid_request nonce (S512)
        POST par 400 invalid_request nonce (empty)
        ",
    ),
    Case::new(
        "a code_challenge that is not the base64url of 32 bytes",
        |lab| {
            for challenge in ["", "short", "not base64url!", &challenge("x").repeat(4)] {
                let draft = Client::loopback().login().par(lab);
                let label = format!("{} characters", challenge.len());
                draft.field("code_challenge", challenge).label(label).send(lab);
            }
        },
        "
        POST par 400 invalid_request nonce (0 characters)
        POST par 201 - nonce (5 characters)
        POST par 201 - nonce (14 characters)
        POST par 201 - nonce (172 characters)
        ",
    )
    .stricter(
        "RFC 7636 section 4.2: an S256 challenge is the base64url of 32 bytes",
        "
        POST par 400 invalid_request nonce (0 characters)
        POST par 400 invalid_request nonce (5 characters)
        POST par 400 invalid_request nonce (14 characters)
        POST par 400 invalid_request nonce (172 characters)
        ",
    ),
    Case::new(
        "the scope of a request includes atproto, and only scopes that the client declared",
        |lab| {
            for scope in [
                "atproto",
                "transition:generic",
                "",
                "atproto transition:email",
                "atproto openid",
                "ATPROTO",
                "atproto atproto",
                "atproto  transition:generic",
                "transition:generic atproto",
            ] {
                with(lab, "scope", scope);
            }
        },
        "
        POST par 201 - nonce (atproto)
        POST par 400 invalid_scope nonce (transition:generic)
        POST par 400 invalid_request nonce (empty)
        POST par 400 invalid_scope nonce (atproto transition:email)
        POST par 400 invalid_scope nonce (atproto openid)
        POST par 400 invalid_scope nonce (ATPROTO)
        POST par 201 - nonce (atproto atproto)
        POST par 400 invalid_request nonce (atproto  transition:generic)
        POST par 201 - nonce (transition:generic atproto)
        ",
    ),
    Case::new(
        "a declared scope that the server does not know is not granted",
        |lab| {
            let client = Client::loopback_with("http://127.0.0.1/", "atproto com.example.unknown");
            let login = client.login();
            let code = login.code(lab, "alice");
            let answer = login.code_grant(lab, &code).send(lab);
            lab.members(&answer);
        },
        "
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto\" sub token_type=\"DPoP\"
        ",
    ),
    Case::new(
        "the scope openid is refused, even if the client declared it",
        |lab| {
            let client = Client::loopback_with("http://127.0.0.1/", "atproto openid");
            client.login().par(lab).send(lab);
        },
        "
        POST par 400 invalid_scope nonce
        ",
    ),
    Case::new(
        "a public client may send every known prompt except none",
        |lab| {
            for prompt in ["none", "login", "consent", "select_account", "create", "other"] {
                with(lab, "prompt", prompt);
            }
        },
        "
        POST par 400 invalid_request nonce (none)
        POST par 201 - nonce (login)
        POST par 201 - nonce (consent)
        POST par 201 - nonce (select_account)
        POST par 201 - nonce (create)
        POST par 400 invalid_request nonce (other)
        ",
    ),
    Case::new(
        "a login_hint is a handle or a DID, and the account need not exist",
        |lab| {
            let alice = lab.account("alice");
            for (label, hint) in [
                ("handle", alice.handle.as_str()),
                ("DID", alice.did.as_str()),
                ("upper case", "NOBODY.EXAMPLE.DEV"),
                ("email", "alice@example.dev"),
                ("at sign", "@alice.example.dev"),
                ("one label", "alice"),
                ("URL", "https://pds.example.dev"),
                ("empty", ""),
            ] {
                let draft = Client::loopback().login().par(lab);
                draft.field("login_hint", hint).label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (handle)
        POST par 201 - nonce (DID)
        POST par 201 - nonce (upper case)
        POST par 400 invalid_request nonce (email)
        POST par 400 invalid_request nonce (at sign)
        POST par 400 invalid_request nonce (one label)
        POST par 400 invalid_request nonce (URL)
        POST par 400 invalid_request nonce (empty)
        ",
    ),
    Case::new(
        "the dpop_jkt is the thumbprint of the key of the DPoP proof",
        |lab| {
            let login = Client::loopback().login();
            let thumbprint = login.key.thumbprint();
            login.par(lab).field("dpop_jkt", &thumbprint).send(lab);
            let other = Key::new().thumbprint();
            login.par(lab).field("dpop_jkt", &other).label("another key").send(lab);
            login.par(lab).field("dpop_jkt", "short").label("no thumbprint").send(lab);
        },
        "
        POST par 201 - nonce
        POST par 401 invalid_token nonce DPoP (another key)
        POST par 401 invalid_token nonce DPoP (no thumbprint)
        ",
    ),
    Case::new(
        "the response_mode is query, fragment or form_post",
        |lab| {
            for mode in ["query", "fragment", "form_post", "query.jwt", "web_message", ""] {
                with(lab, "response_mode", mode);
            }
        },
        "
        POST par 201 - nonce (query)
        POST par 201 - nonce (fragment)
        POST par 201 - nonce (form_post)
        POST par 400 invalid_request nonce (query.jwt)
        POST par 400 invalid_request nonce (web_message)
        POST par 400 invalid_request nonce (empty)
        ",
    ),
    Case::new(
        "parameters of OpenID Connect and of RFC 9396 are refused",
        |lab| {
            for (name, value) in [
                ("nonce", "anything"),
                ("claims", "{}"),
                ("id_token_hint", "a.b.c"),
                ("authorization_details", r#"[{"type":"any"}]"#),
            ] {
                let draft = Client::loopback().login().par(lab);
                draft.field(name, value).label(name).send(lab);
            }
        },
        "
        POST par 400 invalid_request nonce (nonce)
        POST par 400 invalid_request nonce (claims)
        POST par 400 invalid_request nonce (id_token_hint)
        POST par 400 invalid_request nonce (authorization_details)
        ",
    ),
    Case::new(
        "a pushed request with the parameter request or request_uri",
        |lab| {
            let login = Client::loopback().login();
            login.par(lab).field("request", "a.b.c").label("request").send(lab);
            let uri = "urn:ietf:params:oauth:request_uri:req-1";
            login.par(lab).field("request_uri", uri).label("request_uri").send(lab);
        },
        "
        POST par 201 - nonce (request)
        POST par 201 - nonce (request_uri)
        ",
    )
    .stricter(
        "RFC 9126 section 2.1: request_uri must not be provided; request objects are not supported",
        "
        POST par 400 invalid_request nonce (request)
        POST par 400 invalid_request nonce (request_uri)
        ",
    ),
    Case::new(
        "an unknown parameter of a pushed request is ignored",
        |lab| {
            let draft = Client::loopback().login().par(lab);
            draft.field("example", "anything").field("ui_locales", "de fr").send(lab);
        },
        "
        POST par 201 - nonce
        ",
    ),
];

/// Sends a pushed request of a loopback client with one parameter changed.
fn with(lab: &mut Lab<'_>, name: &str, value: &str) {
    let draft = Client::loopback().login().par(lab);
    let label = if value.is_empty() { "empty" } else { value };
    draft.field(name, value).label(label).send(lab);
}
