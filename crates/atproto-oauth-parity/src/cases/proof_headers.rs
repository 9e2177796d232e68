//! Headers and signatures of DPoP proofs, and the `DPoP` header (RFC 9449 sections 4.1 to 4.3).

use serde_json::{Value, json};

use crate::Case;
use crate::flow::{Client, Login};
use crate::jwt::Key;
use crate::lab::Lab;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the typ of a proof is dpop+jwt",
        |lab| {
            for (label, typ) in [
                ("none", Value::Null),
                ("JWT", json!("JWT")),
                ("at+jwt", json!("at+jwt")),
                ("number", json!(1)),
            ] {
                Client::loopback().login().par(lab).jose("typ", typ).label(label).send(lab);
            }
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (none)
        POST par 401 invalid_dpop_proof nonce DPoP (JWT)
        POST par 401 invalid_dpop_proof nonce DPoP (at+jwt)
        POST par 401 invalid_dpop_proof nonce DPoP (number)
        ",
    ),
    Case::new(
        "the alg of a proof is a known asymmetric algorithm that fits the key",
        |lab| {
            for (label, alg) in [
                ("no alg", Value::Null),
                ("none", json!("none")),
                ("HS256", json!("HS256")),
                ("RS256", json!("RS256")),
                ("ES384", json!("ES384")),
                ("es256", json!("es256")),
                ("unknown", json!("XX256")),
            ] {
                Client::loopback().login().par(lab).jose("alg", alg).label(label).send(lab);
            }
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (no alg)
        POST par 401 invalid_dpop_proof nonce DPoP (none)
        POST par 401 invalid_dpop_proof nonce DPoP (HS256)
        POST par 401 invalid_dpop_proof nonce DPoP (RS256)
        POST par 401 invalid_dpop_proof nonce DPoP (ES384)
        POST par 401 invalid_dpop_proof nonce DPoP (es256)
        POST par 401 invalid_dpop_proof nonce DPoP (unknown)
        ",
    ),
    Case::new(
        "an unsigned proof is refused",
        |lab| {
            let draft = Client::loopback().login().par(lab).jose("alg", "none");
            let proof = draft.signed_proof();
            let unsigned = &proof[..=proof.rfind('.').unwrap()];
            draft.header("dpop", unsigned).send(lab);
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "the jwk of a proof is a valid public key that fits the algorithm",
        |lab| {
            let login = Client::loopback().login();
            let jwk = login.key.public_jwk();
            let with = |name: &str, value: Value| {
                let mut jwk = jwk.clone();
                jwk[name] = value;
                jwk
            };
            let private = login.key.private_jwk();
            for (label, jwk) in [
                ("none", Value::Null),
                ("with d", private),
                ("not an object", json!("key")),
                ("another curve", with("crv", json!("P-384"))),
                ("secp256k1", with("crv", json!("secp256k1"))),
                ("another type", with("kty", json!("RSA"))),
                ("symmetric", json!({"kty": "oct", "k": "c2VjcmV0"})),
                ("not on the curve", with("x", with("", json!(""))["y"].clone())),
                ("no y", with("y", Value::Null)),
            ] {
                login.par(lab).jose("jwk", jwk).label(label).send(lab);
            }
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (none)
        POST par 401 invalid_dpop_proof nonce DPoP (with d)
        POST par 401 invalid_dpop_proof nonce DPoP (not an object)
        POST par 401 invalid_dpop_proof nonce DPoP (another curve)
        POST par 401 invalid_dpop_proof nonce DPoP (secp256k1)
        POST par 401 invalid_dpop_proof nonce DPoP (another type)
        POST par 401 invalid_dpop_proof nonce DPoP (symmetric)
        POST par 401 invalid_dpop_proof nonce DPoP (not on the curve)
        POST par 401 invalid_dpop_proof nonce DPoP (no y)
        ",
    ),
    Case::new(
        "a DPoP key may be of secp256k1, and its signatures may have a low or a high s",
        |lab| {
            for is_high in [false, true] {
                let key = Key::secp256k1(is_high);
                let login = Login { key, ..Client::loopback().login() };
                let code = login.code(lab, "alice");
                let tokens = login.code_grant(lab, &code).send(lab);
                login.get_session(lab, &tokens.text("access_token")).send(lab);
                login.refresh_grant(lab, &tokens.text("refresh_token")).send(lab);
                login.par(lab).jose("alg", "ES256").label("ES256").send(lab);
                let another = Key::secp256k1(is_high).public_jwk();
                login.par(lab).jose("jwk", another).label("another key").send(lab);
            }
            let login = Client::loopback().login();
            login.par(lab).jose("alg", "ES256K").label("ES256K with P-256").send(lab);
        },
        "
        POST token 200 - nonce
        GET getSession 200 - nonce
        POST token 200 - nonce
        POST par 401 invalid_dpop_proof nonce DPoP (ES256)
        POST par 401 invalid_dpop_proof nonce DPoP (another key)
        POST token 200 - nonce
        GET getSession 200 - nonce
        POST token 200 - nonce
        POST par 401 invalid_dpop_proof nonce DPoP (ES256)
        POST par 401 invalid_dpop_proof nonce DPoP (another key)
        POST par 401 invalid_dpop_proof nonce DPoP (ES256K with P-256)
        ",
    ),
    Case::new(
        "the jwk of a proof may have additional members, such as kid and alg",
        |lab| {
            let login = Client::loopback().login();
            let mut jwk = login.key.public_jwk();
            jwk["kid"] = "anything".into();
            jwk["alg"] = "ES256".into();
            login.par(lab).jose("jwk", jwk).send(lab);
        },
        "
        POST par 201 - nonce
        ",
    ),
    Case::new(
        "the signature of a proof is valid for the key in its jwk",
        |lab| {
            let login = Client::loopback().login();
            let jwk = Key::new().public_jwk();
            login.par(lab).jose("jwk", jwk).label("another key").send(lab);
            send_altered(lab, "one bit is another", |proof| {
                let at = proof.rfind('.').unwrap() + 5;
                let other = if proof[at..].starts_with('A') { "B" } else { "A" };
                format!("{}{other}{}", &proof[..at], &proof[at + 1..])
            });
            send_altered(lab, "no signature", |proof| {
                proof[..=proof.rfind('.').unwrap()].to_owned()
            });
            send_altered(lab, "half of it", |proof| proof[..proof.len() - 43].to_owned());
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (another key)
        POST par 401 invalid_dpop_proof nonce DPoP (one bit is another)
        POST par 401 invalid_dpop_proof nonce DPoP (no signature)
        POST par 401 invalid_dpop_proof nonce DPoP (half of it)
        ",
    ),
    Case::new(
        "a proof has three parts in base64url, and the first two are JSON",
        |lab| {
            send_altered(lab, "two parts", |proof| proof[..proof.rfind('.').unwrap()].to_owned());
            send_altered(lab, "four parts", |proof| format!("{proof}.AAAA"));
            send_altered(lab, "one word", |_| "proof".to_owned());
            send_altered(lab, "dots", |_| "..".to_owned());
            send_altered(lab, "no JSON", |proof| {
                format!("AAAA.AAAA.{}", proof.rsplit('.').next().unwrap())
            });
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (two parts)
        POST par 401 invalid_dpop_proof nonce DPoP (four parts)
        POST par 401 invalid_dpop_proof nonce DPoP (one word)
        POST par 401 invalid_dpop_proof nonce DPoP (dots)
        POST par 401 invalid_dpop_proof nonce DPoP (no JSON)
        ",
    ),
    Case::new(
        "a proof whose signature has base64 padding",
        |lab| send_altered(lab, "padded", |proof| format!("{proof}==")),
        "
        POST par 201 - nonce (padded)
        ",
    )
    .stricter(
        "RFC 7515 section 2: base64url has all trailing '=' characters omitted",
        "POST par 401 invalid_dpop_proof nonce DPoP (padded)",
    ),
    Case::new(
        "a request has exactly one DPoP header with exactly one proof",
        |lab| {
            let login = Client::loopback().login();
            let proofs = [login.par(lab).signed_proof(), login.par(lab).signed_proof()];
            let draft = login.par(lab).header("dpop", &proofs[0]);
            draft.one_more_header("dpop", &proofs[1]).label("two headers").send(lab);
            let proof = login.par(lab).signed_proof();
            let draft = login.par(lab).header("dpop", &proof);
            draft.one_more_header("dpop", &proof).label("the same twice").send(lab);
            let both = proofs.join(", ");
            login.par(lab).header("dpop", &both).label("a list of two").send(lab);
            login.par(lab).header("dpop", "").label("an empty header").send(lab);
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (two headers)
        POST par 401 invalid_dpop_proof nonce DPoP (the same twice)
        POST par 401 invalid_dpop_proof nonce DPoP (a list of two)
        POST par 401 invalid_dpop_proof nonce DPoP (an empty header)
        ",
    ),
    Case::new(
        "a token request without a proof is refused, and leaves code and refresh token valid",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).no_proof().send(lab);
            let tokens = login.code_grant(lab, &code).send(lab);
            let refresh = tokens.text("refresh_token");
            login.refresh_grant(lab, &refresh).no_proof().send(lab);
            login.refresh_grant(lab, &refresh).send(lab);
        },
        "
        POST token 401 invalid_dpop_proof nonce DPoP
        POST token 200 - nonce
        POST token 401 invalid_dpop_proof nonce DPoP
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "a pushed request without a proof",
        |lab| {
            let login = Client::loopback().login();
            login.par(lab).no_proof().send(lab);
            let thumbprint = login.key.thumbprint();
            let draft = login.par(lab).no_proof().field("dpop_jkt", &thumbprint);
            draft.label("with dpop_jkt").send(lab);
        },
        "
        POST par 201 - nonce
        POST par 201 - nonce (with dpop_jkt)
        ",
    )
    .stricter(
        "AT Protocol OAuth: DPoP is mandatory, beginning with the pushed authorization request",
        "
        POST par 401 invalid_dpop_proof nonce DPoP
        POST par 401 invalid_dpop_proof nonce DPoP (with dpop_jkt)
        ",
    ),
    Case::new(
        "the resource server refuses the same invalid proofs as the authorization server",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            login.get_session(lab, &token).jose("typ", "JWT").label("typ").send(lab);
            login.get_session(lab, &token).jose("alg", "none").label("alg").send(lab);
            login.get_session(lab, &token).jose("jwk", Value::Null).label("no key").send(lab);
            login.get_session(lab, &token).claim("jti", Value::Null).label("no jti").send(lab);
            login.get_session(lab, &token).claim("htu", "http://a.test").label("htu").send(lab);
            login.get_session(lab, &token).header("dpop", "proof").label("a word").send(lab);
            login.get_session(lab, &token).header("dpop", "").label("empty").send(lab);
            let proof = login.get_session(lab, &token).signed_proof();
            let draft = login.get_session(lab, &token).header("dpop", &proof);
            draft.one_more_header("dpop", &proof).label("twice").send(lab);
        },
        "
        GET getSession 401 invalid_dpop_proof nonce DPoP (typ)
        GET getSession 401 invalid_dpop_proof nonce DPoP (alg)
        GET getSession 401 invalid_dpop_proof nonce DPoP (no key)
        GET getSession 401 invalid_dpop_proof nonce DPoP (no jti)
        GET getSession 401 invalid_dpop_proof nonce DPoP (htu)
        GET getSession 401 invalid_dpop_proof nonce DPoP (a word)
        GET getSession 401 invalid_dpop_proof nonce DPoP (empty)
        GET getSession 401 invalid_dpop_proof nonce DPoP (twice)
        ",
    ),
];

/// Sends a pushed request with a proof that `alter` changes after it was signed.
fn send_altered(lab: &mut Lab<'_>, label: &str, alter: fn(&str) -> String) {
    let draft = Client::loopback().login().par(lab);
    let proof = alter(&draft.signed_proof());
    draft.header("dpop", &proof).label(label).send(lab);
}
