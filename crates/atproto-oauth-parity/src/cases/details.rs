//! Details that implementations often miss: types, syntax, and comparisons of unparsed text.

use serde_json::{Value, json};

use crate::Case;
use crate::flow::{CALLBACK, Client, KID, confidential_metadata, jwks};
use crate::jwt::Key;
use crate::lab::{Lab, metadata};
use crate::target::Act;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "an optional parameter of a pushed request is refused if it is malformed",
        |lab| {
            let login = Client::loopback().login();
            for (name, value) in [
                ("max_age", "3600"),
                ("max_age", "-1"),
                ("max_age", "1.5"),
                ("max_age", "soon"),
                ("ui_locales", "en"),
                ("ui_locales", "fr-CA de"),
                ("ui_locales", "en_US"),
                ("ui_locales", "EN"),
                ("display", "page"),
                ("display", "wall"),
                ("login_hint", "did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
                ("login_hint", "did:web:alice.dev"),
                ("login_hint", "did:web:alice.dev:path"),
                ("login_hint", "did:web:alice.dev%3A8443"),
                ("login_hint", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
                ("login_hint", "did:plc:tooshort"),
            ] {
                login.par(lab).field(name, value).label(format!("{name}={value}")).send(lab);
            }
        },
        "
        POST par 201 - nonce (max_age=3600)
        POST par 400 invalid_request nonce (max_age=-1)
        POST par 400 invalid_request nonce (max_age=1.5)
        POST par 400 invalid_request nonce (max_age=soon)
        POST par 201 - nonce (ui_locales=en)
        POST par 201 - nonce (ui_locales=fr-CA de)
        POST par 400 invalid_request nonce (ui_locales=en_US)
        POST par 400 invalid_request nonce (ui_locales=EN)
        POST par 201 - nonce (display=page)
        POST par 400 invalid_request nonce (display=wall)
        POST par 201 - nonce (login_hint=did:plc:ewvi7nxzyoun6zhxrhs64oiz)
        POST par 201 - nonce (login_hint=did:web:alice.dev)
        POST par 400 invalid_request nonce (login_hint=did:web:alice.dev:path)
        POST par 400 invalid_request nonce (login_hint=did:web:alice.dev%3A8443)
        POST par 400 invalid_request nonce (login_hint=did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK)
        POST par 400 invalid_request nonce (login_hint=did:plc:tooshort)
        ",
    ),
    Case::new(
        "a member of a client metadata document is refused if its type or value is invalid",
        |lab| {
            for (name, value) in [
                ("client_name", json!(7)),
                ("client_name", Value::Null),
                ("logo_uri", json!("https://app.client.dev/logo.png")),
                ("logo_uri", json!(7)),
                ("logo_uri", json!("ftp://app.client.dev/logo.png")),
                ("policy_uri", json!("http://app.client.dev/policy")),
                ("tos_uri", json!("terms")),
                ("contacts", json!(["somebody@client.dev"])),
                ("contacts", json!(["somebody"])),
                ("contacts", json!("somebody@client.dev")),
                ("require_auth_time", json!("yes")),
                ("request_object_signing_alg", json!(1)),
                ("tls_client_certificate_bound_access_tokens", json!("yes")),
                ("default_max_age", Value::Null),
                ("subject_type", json!("pairwise")),
                ("unheard_of", json!(7)),
            ] {
                let id = lab.client_id();
                let mut document = metadata(&id);
                let label = format!("{name} {value}");
                document[name] = value;
                let draft = Client::with(lab, &id, &document).login().par(lab);
                draft.no_field("redirect_uri").label(label).send(lab);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (client_name 7)
        POST par 400 invalid_client_metadata nonce (client_name null)
        POST par 201 - nonce (logo_uri \"https://app.client.dev/logo.png\")
        POST par 400 invalid_client_metadata nonce (logo_uri 7)
        POST par 400 invalid_client_metadata nonce (logo_uri \"ftp://app.client.dev/logo.png\")
        POST par 400 invalid_client_metadata nonce (policy_uri \"http://app.client.dev/policy\")
        POST par 400 invalid_client_metadata nonce (tos_uri \"terms\")
        POST par 201 - nonce (contacts [\"somebody@client.dev\"])
        POST par 400 invalid_client_metadata nonce (contacts [\"somebody\"])
        POST par 400 invalid_client_metadata nonce (contacts \"somebody@client.dev\")
        POST par 400 invalid_client_metadata nonce (require_auth_time \"yes\")
        POST par 400 invalid_client_metadata nonce (request_object_signing_alg 1)
        POST par 400 invalid_client_metadata nonce (tls_client_certificate_bound_access_tokens \"yes\")
        POST par 400 invalid_client_metadata nonce (default_max_age null)
        POST par 400 invalid_client_metadata nonce (subject_type \"pairwise\")
        POST par 201 - nonce (unheard_of 7)
        ",
    ),
    Case::new(
        "the kid of a client assertion names exactly one key, whose key_ops allow verifying",
        |lab| {
            keyed(lab, "two of one kid", |set, other| {
                *set = jwks(&[(other, KID), (other, KID)]);
            });
            for operations in [json!(["verify"]), json!([]), json!(["sign"]),
                json!(["encrypt"]), json!(["verify", "verify"])] {
                keyed(lab, &format!("key_ops {operations}"), |set, _| {
                    set["keys"][0]["key_ops"] = operations.clone();
                });
            }
        },
        "
        POST par 400 invalid_client nonce (two of one kid)
        POST par 201 - nonce (key_ops [\"verify\"])
        POST par 400 invalid_client_metadata nonce (key_ops [])
        POST par 400 invalid_client_metadata nonce (key_ops [\"sign\"])
        POST par 400 invalid_client nonce (key_ops [\"encrypt\"])
        POST par 400 invalid_client_metadata nonce (key_ops [\"verify\",\"verify\"])
        ",
    ),
    Case::new(
        "a client_assertion with the syntax but not the content of a JWT is invalid_client",
        |lab| {
            for assertion in ["aa.bb.cc", "e30.e30.e30", "a.b.c", "aa.bb", "a a.bb.cc"] {
                let draft = Client::confidential(lab).login().par(lab);
                draft.field("client_assertion", assertion).label(assertion).send(lab);
            }
        },
        "
        POST par 400 invalid_client nonce (aa.bb.cc)
        POST par 400 invalid_client nonce (e30.e30.e30)
        POST par 400 invalid_request nonce (a.b.c)
        POST par 400 invalid_request nonce (aa.bb)
        POST par 400 invalid_request nonce (a a.bb.cc)
        ",
    ),
    Case::new(
        "a token request with a redirect_uri that no client may have leaves the code valid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            for (label, uri) in [
                ("empty", ""),
                ("callback", "callback"),
                ("http://localhost/callback", "http://localhost/callback"),
            ] {
                let draft = login.code_grant(lab, &code).field("redirect_uri", uri);
                draft.label(label).send(lab);
            }
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce (empty)
        POST token 400 invalid_grant nonce (callback)
        POST token 400 invalid_grant nonce (http://localhost/callback)
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a redirect_uri that only a lenient URL parser accepts is refused",
        |lab| {
            let login = Client::loopback().login();
            for uri in ["http:127.0.0.1/callback", "HTTP://127.0.0.1/callback", " http://127.0.0.1/callback"] {
                login.par(lab).field("redirect_uri", uri).label(uri).send(lab);
            }
        },
        "
        POST par 400 invalid_request nonce (http:127.0.0.1/callback)
        POST par 400 invalid_request nonce (HTTP://127.0.0.1/callback)
        POST par 400 invalid_request nonce ( http://127.0.0.1/callback)
        ",
    ),
    Case::new(
        "a client metadata document of more than half a megabyte is refused",
        |lab| {
            for (label, size) in [("within", 500_000), ("beyond", 600_000)] {
                let id = lab.client_id();
                let mut document = metadata(&id);
                document["unheard_of"] = "x".repeat(size).into();
                let draft = Client::with(lab, &id, &document).login().par(lab);
                draft.no_field("redirect_uri").label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (within)
        POST par 400 invalid_client_metadata nonce (beyond)
        ",
    ),
    Case::new(
        "a session survives while its client does not declare the grant type refresh_token",
        |lab| {
            let client = Client::public(lab);
            let login = client.login();
            let tokens = login.tokens(lab, "alice");
            let mut document = metadata(&client.id);
            document["grant_types"] = json!(["authorization_code"]);
            lab.publish(&client.id, &document);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
            document["grant_types"] = json!(["authorization_code", "refresh_token"]);
            lab.publish(&client.id, &document);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "the client id http://localhost with a fragment is refused",
        |lab| {
            let id = "http://localhost?scope=atproto%20a#b";
            let client = Client { id: id.to_owned(), ..Client::loopback_with(CALLBACK, "atproto") };
            client.login().par(lab).no_field("redirect_uri").send(lab);
        },
        "
        POST par 400 invalid_client_metadata nonce
        ",
    ),
    Case::new(
        "a user who is signed in is asked for consent to a new client",
        |lab| {
            let known = Client::confidential(lab).login();
            let url = known.url(lab);
            lab.approve(&url, "alice", Some("one"));
            let other = Client::confidential(lab).login();
            let hint = lab.account("alice").handle;
            let draft = other.par(lab).field("login_hint", &hint);
            let url = other.url_of(lab, draft);
            // The user can deny only if the server shows the page, and does not sign in silently.
            let landing = lab.browse(&url, Act::Deny, Some("one"));
            other.note(lab, &landing);
        },
        "
        browser query: error=access_denied iss state
        ",
    ),
    Case::new(
        "an empty parameter is treated like a missing parameter",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.par(lab).field("client_id", "").label("client_id").send(lab);
            for name in ["client_id", "grant_type", "refresh_token"] {
                let draft = login.refresh_grant(lab, &tokens.refresh).field(name, "");
                draft.label(name).send(lab);
            }
            for name in ["client_id", "token"] {
                login.revocation(lab, &tokens.refresh).field(name, "").label(name).send(lab);
            }
            login.get_session(lab, &tokens.access).send(lab);
        },
        "
        POST par 400 invalid_client nonce (client_id)
        POST token 400 invalid_grant nonce (client_id)
        POST token 400 invalid_grant nonce (grant_type)
        POST token 400 invalid_grant nonce (refresh_token)
        POST revoke 400 invalid_request nonce (client_id)
        POST revoke 400 invalid_request nonce (token)
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a client assertion with an empty jti",
        |lab| {
            let draft = Client::confidential(lab).login().par(lab);
            draft.asserting(|jwt| jwt.claim("jti", "")).send(lab);
        },
        "
        POST par 201 - nonce
        ",
    )
    .stricter(
        "RFC 7519 section 4.1.7: the jti is a unique identifier, and an empty text is not unique",
        "POST par 400 invalid_client nonce",
    ),
];

/// Sends a pushed request of a confidential client whose key set `change` edits; the second
/// argument of `change` is the client's key.
fn keyed(lab: &mut Lab<'_>, label: &str, change: impl FnOnce(&mut Value, &Key)) {
    let (id, key) = (lab.client_id(), Key::new());
    let mut document = confidential_metadata(&id, &[(&key, KID)]);
    change(&mut document["jwks"], &key);
    let client = Client { secret: Some(key), ..Client::with(lab, &id, &document) };
    client.login().par(lab).no_field("redirect_uri").label(label).send(lab);
}
