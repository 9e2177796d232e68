//! Client assertions (RFC 7523 section 3, AT Protocol OAuth: confidential client authentication).

use serde_json::{Value, json};

use crate::Case;
use crate::flow::Client;
use crate::jwt::{Jwt, Key, random};
use crate::lab::Lab;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the aud of a client assertion is the issuer, or a list that includes the issuer",
        |lab| {
            let issuer = lab.url(Server::A, "");
            for (label, aud) in [
                ("the endpoint", json!(lab.url(Server::A, "/oauth/par"))),
                ("the token endpoint", json!(lab.url(Server::A, "/oauth/token"))),
                ("with a slash", json!(format!("{issuer}/"))),
                ("another server", json!(lab.url(Server::B, ""))),
                ("none", Value::Null),
                ("empty list", json!([])),
                ("a list of it", json!([issuer])),
                ("a list with it", json!(["https://other.dev", issuer])),
            ] {
                with(lab, label, |jwt| jwt.claim("aud", aud));
            }
        },
        "
        POST par 400 invalid_client nonce (the endpoint)
        POST par 400 invalid_client nonce (the token endpoint)
        POST par 400 invalid_client nonce (with a slash)
        POST par 400 invalid_client nonce (another server)
        POST par 400 invalid_client nonce (none)
        POST par 400 invalid_client nonce (empty list)
        POST par 201 - nonce (a list of it)
        POST par 201 - nonce (a list with it)
        ",
    ),
    Case::new(
        "the iss and the sub of a client assertion are the client id",
        |lab| {
            for name in ["iss", "sub"] {
                with(lab, &format!("no {name}"), |jwt| jwt.claim(name, Value::Null));
                with(lab, &format!("another {name}"), |jwt| {
                    jwt.claim(name, "https://app.client.dev/other.json")
                });
            }
        },
        "
        POST par 400 invalid_client nonce (no iss)
        POST par 400 invalid_client nonce (another iss)
        POST par 400 invalid_client nonce (no sub)
        POST par 400 invalid_client nonce (another sub)
        ",
    ),
    Case::new(
        "the iat of a client assertion lies within the last minute",
        |lab| {
            let now = lab.target.now();
            for seconds in [-55_i64, -65, 5, 120] {
                let iat = now.checked_add_signed(seconds).unwrap();
                with(lab, &format!("{seconds:+} seconds"), |jwt| {
                    jwt.claim("iat", iat).claim("exp", now + 600)
                });
            }
            with(lab, "no iat", |jwt| jwt.claim("iat", Value::Null));
            with(lab, "text", |jwt| jwt.claim("iat", "now"));
        },
        "
        POST par 201 - nonce (-55 seconds)
        POST par 400 invalid_client nonce (-65 seconds)
        POST par 400 invalid_client nonce (+5 seconds)
        POST par 400 invalid_client nonce (+120 seconds)
        POST par 400 invalid_client nonce (no iat)
        POST par 400 invalid_client nonce (text)
        ",
    ),
    Case::new(
        "a client assertion is refused after its exp and before its nbf",
        |lab| {
            let now = lab.target.now();
            with(lab, "expired", |jwt| jwt.claim("exp", now - 5));
            with(lab, "expires after a day", |jwt| jwt.claim("exp", now + 86_400));
            with(lab, "exp is text", |jwt| jwt.claim("exp", "tomorrow"));
            with(lab, "not before", |jwt| jwt.claim("nbf", now + 60));
        },
        "
        POST par 400 invalid_client nonce (expired)
        POST par 201 - nonce (expires after a day)
        POST par 400 invalid_client nonce (exp is text)
        POST par 400 invalid_client nonce (not before)
        ",
    ),
    Case::new(
        "a client assertion without an exp",
        |lab| with(lab, "no exp", |jwt| jwt.claim("exp", Value::Null)),
        "
        POST par 201 - nonce (no exp)
        ",
    )
    .stricter(
        "RFC 7523 section 3: the JWT must contain an exp claim",
        "POST par 400 invalid_client nonce (no exp)",
    ),
    Case::new(
        "a client assertion needs a jti, which may be any text",
        |lab| {
            with(lab, "none", |jwt| jwt.claim("jti", Value::Null));
            with(lab, "another one", |jwt| jwt.claim("jti", "any text, once"));
        },
        "
        POST par 400 invalid_client nonce (none)
        POST par 201 - nonce (another one)
        ",
    ),
    Case::new(
        "a replay of a client assertion fails with invalid_grant, even at another endpoint",
        |lab| {
            let login = Client::confidential(lab).login();
            let jti = random();
            let replay = |jwt: Jwt| jwt.claim("jti", jti.clone());
            login.par(lab).asserting(replay).send(lab);
            login.par(lab).asserting(replay).send(lab);
            let tokens = login.tokens(lab, "alice");
            login.refresh_grant(lab, &tokens.refresh).asserting(replay).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
        },
        "
        POST par 201 - nonce
        POST par 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "two clients may use the same jti in their client assertions",
        |lab| {
            let jti = random();
            for _ in 0..2 {
                with(lab, "the same", |jwt| jwt.claim("jti", jti.clone()));
            }
        },
        "
        POST par 201 - nonce (the same)
        POST par 201 - nonce (the same)
        ",
    ),
    Case::new(
        "a client assertion is used up even if the request is refused for its scope",
        |lab| {
            let login = Client::confidential(lab).login();
            let jti = random();
            let replay = |jwt: Jwt| jwt.claim("jti", jti.clone());
            login.par(lab).field("scope", "openid").asserting(replay).send(lab);
            login.par(lab).asserting(replay).send(lab);
        },
        "
        POST par 400 invalid_scope nonce
        POST par 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "the kid of a client assertion names a key of the client, and that key signed it",
        |lab| {
            with(lab, "unknown kid", |jwt| jwt.jose("kid", "key-2"));
            with(lab, "no kid", |jwt| jwt.jose("kid", Value::Null));
            with(lab, "another key", |jwt| jwt.key(&Key::new()));
            with(lab, "alg none", |jwt| jwt.jose("alg", "none"));
            with(lab, "HS256", |jwt| jwt.jose("alg", "HS256"));
            with(lab, "ES384", |jwt| jwt.jose("alg", "ES384"));
            with(lab, "its own key", |jwt| {
                let key = Key::new();
                jwt.jose("jwk", key.public_jwk()).key(&key)
            });
            with(lab, "typ JWT", |jwt| jwt.jose("typ", "JWT"));
        },
        "
        POST par 400 invalid_client nonce (unknown kid)
        POST par 400 invalid_client nonce (no kid)
        POST par 400 invalid_client nonce (another key)
        POST par 400 invalid_client nonce (alg none)
        POST par 400 invalid_client nonce (HS256)
        POST par 400 invalid_client nonce (ES384)
        POST par 400 invalid_client nonce (its own key)
        POST par 201 - nonce (typ JWT)
        ",
    ),
];

/// Sends a pushed request of a new confidential client with a changed assertion.
fn with(lab: &mut Lab<'_>, label: &str, change: impl FnOnce(Jwt) -> Jwt) {
    let draft = Client::confidential(lab).login().par(lab);
    draft.asserting(change).label(label).send(lab);
}
