//! Client authentication at the PAR, token and revocation endpoints: `none` for public clients,
//! `private_key_jwt` for confidential clients (RFC 7521 section 4.2, RFC 7523 section 3).

use std::sync::Arc;
use std::time::Duration;

use atproto_dpop::Jwk;
use atproto_sansio::UnixTime;
use serde_json::Value;

use crate::form::Form;
use crate::jwt::Jwt;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::client::find;
use crate::server::client_metadata::ClientInfo;
use crate::server::proof::Proven;
use crate::server::refusal::Refusal;

/// The authentication of a client in one request.
///
/// A session stays bound to the authentication that it began with, except that a public client may
/// become a confidential one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ClientAuth {
    /// `none`: a public client, which does not authenticate.
    None,
    /// `private_key_jwt` with the key that has this `kid` and this JWK thumbprint (`jkt`).
    Key { kid: String, jkt: String },
}

/// Maximum age of a client assertion, by its `iat`.
const OLDEST: Duration = Duration::from_secs(60);

/// Loads the metadata of the client `client_id` and verifies the `client_assertion` of the form.
///
/// # Errors
///
/// Fails if the client's metadata can't be loaded or is invalid, or if the request has no DPoP
/// proof. For a confidential client, also fails if the client assertion is missing, invalid, used
/// before, or signed by the key of the DPoP proof.
pub(crate) fn authenticate(
    sandbox: &mut Sandbox,
    at: ServerId,
    client_id: &str,
    form: &Form,
    proof: Option<&Proven>,
) -> Result<(Arc<ClientInfo>, ClientAuth), Refusal> {
    let client = find(sandbox, at, client_id)?;
    let Some(proof) = proof else {
        return Err(Refusal::invalid_dpop_proof("A DPoP proof is required"));
    };
    if !client.is_confidential {
        return Ok((client, ClientAuth::None));
    }
    let is_jwt_bearer = form.get("client_assertion_type")
        == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let assertion = form.get("client_assertion").filter(|text| is_jwt_bearer && is_jws(text));
    let assertion =
        assertion.ok_or_else(|| Refusal::invalid_request("A client_assertion is required"))?;

    let (issuer, now) = (sandbox.server(at).origin.clone(), sandbox.clock(at));
    let (auth, jti, exp) = verify(&client, &issuer, assertion, now)?;
    if matches!(&auth, ClientAuth::Key { jkt, .. } if *jkt == proof.jkt) {
        // AT Protocol "OAuth": DPoP proofs and client assertions must be signed by different keys.
        return Err(Refusal::invalid_request(
            "The DPoP key must not be the key of the client assertion",
        ));
    }
    let name = format!("{client_id} {jti}");
    if !sandbox.server_mut(at).assertions.is_first(&name, now, exp) {
        return Err(Refusal::invalid_grant("The jti of the client assertion was used before"));
    }
    Ok((client, auth))
}

/// Verifies a client assertion. Returns the key that signed the assertion, its `jti`, and its
/// `exp`, until which the `jti` must not be accepted again.
fn verify(
    client: &ClientInfo,
    issuer: &str,
    assertion: &str,
    now: UnixTime,
) -> Result<(ClientAuth, String, UnixTime), Refusal> {
    let bad = Refusal::invalid_client;
    let jwt = Jwt::parse(assertion).ok_or_else(|| bad("The client assertion is not a JWT"))?;
    let kid = jwt.header("kid").ok_or_else(|| bad("The client assertion has no kid"))?;
    let of_name: Vec<&Jwk> =
        client.keys.iter().filter(|(this, _)| this == kid).map(|(_, key)| key).collect();
    let [key] = of_name[..] else {
        return Err(bad("The client must have exactly one key with the kid of its assertion"));
    };
    if !jwt.is_signed_by(key) {
        return Err(bad("The client assertion is not signed by the key with its kid"));
    }
    if jwt.claim("iss") != Some(&client.id) || jwt.claim("sub") != Some(&client.id) {
        return Err(bad("iss and sub of the client assertion must be the client_id"));
    }
    let is_for_us = match jwt.claims.get("aud") {
        Some(Value::String(audience)) => audience == issuer,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == issuer),
        _ => false,
    };
    if !is_for_us {
        return Err(bad("The aud of the client assertion is not this issuer"));
    }
    let exp = check_times(&jwt, now)?;
    let jti = jwt.claim("jti").filter(|jti| !jti.is_empty());
    let jti = jti.ok_or_else(|| bad("The client assertion has no jti"))?;
    let auth = ClientAuth::Key { kid: kid.to_owned(), jkt: key.thumbprint() };
    Ok((auth, jti.to_owned(), exp))
}

/// Checks `iat`, `exp` and `nbf` of a client assertion and returns `exp`. Clock skew is not
/// tolerated, because the reference server does not tolerate any.
fn check_times(jwt: &Jwt, now: UnixTime) -> Result<UnixTime, Refusal> {
    let bad =
        |()| Refusal::invalid_client("iat, exp or nbf of the client assertion is not a number");
    let missing = |name| Refusal::invalid_client(&format!("The client assertion has no {name}"));
    let now = now.as_secs() as f64;
    let iat = jwt.time("iat").map_err(bad)?.ok_or_else(|| missing("iat"))?;
    let exp = jwt.time("exp").map_err(bad)?.ok_or_else(|| missing("exp"))?;
    if now - iat > OLDEST.as_secs_f64() || iat > now {
        return Err(Refusal::invalid_client(
            "The iat of the client assertion is in the future or over 60 s old",
        ));
    }
    if exp <= now || jwt.time("nbf").map_err(bad)?.is_some_and(|nbf| nbf > now) {
        return Err(Refusal::invalid_client(
            "The client assertion has expired, or its nbf is in the future",
        ));
    }
    // The assertion could be replayed until its `exp`, so its `jti` is remembered until then.
    Ok(UnixTime::from_secs(exp as u64))
}

/// Whether `text` looks like a JWS in compact serialization: three base64url parts of at least two
/// characters each. The parts are not decoded.
fn is_jws(text: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.len() > 1 && part.bytes().all(is_base64url))
}
