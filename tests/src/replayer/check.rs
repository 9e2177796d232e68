//! What is checked of every request, whether a transcript says so or not.

use std::collections::BTreeMap;

use atproto_sansio::{Body, HttpCall, Reach};
use http::{HeaderMap, Method, header};

use crate::replayer::proof::{Proof, hash};
use crate::replayer::transcript::Exchange;
use crate::replayer::world::World;

/// Checks `call`, which was made in a step of this name, and learns what is to be known of it.
///
/// # Errors
///
/// What is wrong with it.
pub fn check(
    world: &mut World,
    verb: &str,
    exchange: &Exchange,
    call: &HttpCall,
) -> Result<(), String> {
    let request = &call.request;
    let url = request.uri().to_string();
    let reach =
        if url.starts_with("https://plc.directory/") { Reach::Configured } else { Reach::Public };
    if call.reach != reach {
        return Err(format!("its reach is {:?}", call.reach));
    }
    let form = form(call)?;
    let is_lookup = url.contains("/.well-known/") || reach == Reach::Configured;
    let proof = if is_lookup {
        let none = ["dpop", "authorization", "cookie"];
        if none.iter().any(|name| request.headers().contains_key(*name)) {
            return Err("a look-up carries credentials".to_owned());
        }
        None
    } else {
        Some(proof(world, verb, call, exchange)?)
    };
    if !form.is_empty() {
        check_form(world, &form)?;
    }
    for (name, value) in &exchange.conditions {
        let found = found(call, &form, proof.as_ref(), name);
        let expected = match value.as_str() {
            "(none)" => None,
            token if name == "dpop.ath" => Some(hash(token)),
            value => Some(world.expand(value)),
        };
        // The time is compared where the proof is.
        if name != "dpop.iat" && found != expected {
            return Err(format!("{name} is {found:?}, not {expected:?}"));
        }
    }
    Ok(())
}

fn found(
    call: &HttpCall,
    form: &BTreeMap<String, String>,
    proof: Option<&Proof>,
    name: &str,
) -> Option<String> {
    let (kind, name) = name.split_once('.').unwrap_or((name, ""));
    match kind {
        "dpop" => proof?.text(name).map(str::to_owned),
        "form" => form.get(name).cloned(),
        "header" => header_text(call.request.headers(), name),
        "body" => Some(String::from_utf8_lossy(body(call)).into_owned()),
        "reach" => Some(format!("{:?}", call.reach)),
        other => panic!("there is no condition {other}"),
    }
}

/// The one proof of a request that needs one: Rules E-01 to E-11.
fn proof(
    world: &mut World,
    verb: &str,
    call: &HttpCall,
    exchange: &Exchange,
) -> Result<Proof, String> {
    let request = &call.request;
    let headers = request.headers();
    if headers.get_all("dpop").iter().count() != 1 {
        return Err("it has not exactly one proof".to_owned());
    }
    let proof = Proof::read(&header_text(headers, "dpop").unwrap_or_default())?;
    let url = request.uri().to_string();
    let htu = url.split(['?', '#']).next().unwrap_or_default();
    if proof.text("htm") != Some(request.method().as_str()) || proof.text("htu") != Some(htu) {
        return Err(format!("its proof is for another request: {:?}", proof.claims));
    }
    let skew = exchange.conditions.iter().find(|(name, _)| name == "dpop.iat");
    let skew: i64 = skew.map_or(0, |(_, skew)| skew.parse().expect("seconds"));
    let iat = world.environment.now.as_secs().saturating_add_signed(skew);
    if proof.claims.get("iat").and_then(serde_json::Value::as_u64) != Some(iat) {
        return Err(format!("its proof is not of this time, {iat}: {:?}", proof.claims));
    }
    let token = header_text(headers, "authorization");
    let token = token.as_deref().map(|value| value.strip_prefix("DPoP ").unwrap_or("no DPoP"));
    if proof.text("ath").map(str::to_owned) != token.map(hash) {
        return Err("its proof is for another token".to_owned());
    }
    let jti = proof.text("jti").unwrap_or_default().to_owned();
    if !world.seen.jtis.insert(jti) {
        return Err("the jti of its proof was used before".to_owned());
    }
    check_key(world, verb, &proof)?;
    Ok(proof)
}

/// A login has a key of its own, and everything after it has that of the login.
fn check_key(world: &mut World, verb: &str, proof: &Proof) -> Result<(), String> {
    let seen = &mut world.seen;
    match &seen.key {
        Some(key) if *key == proof.thumbprint => Ok(()),
        None if verb == "login" && !seen.old_keys.contains(&proof.thumbprint) => {
            seen.key = Some(proof.thumbprint.clone());
            Ok(())
        }
        _ => Err("its proof is by a key that is not the login's".to_owned()),
    }
}

/// Rules D-01 to D-05, D-60.
fn check_form(world: &mut World, form: &BTreeMap<String, String>) -> Result<(), String> {
    let client_id = world.client.client_id().to_owned();
    let field = |name: &str| form.get(name).map(String::as_str);
    if field("client_id") != Some(&client_id) {
        return Err("client_id is not the client's".to_owned());
    }
    for name in ["client_secret", "request_uri", "nonce", "claims", "id_token_hint"] {
        if field(name).is_some() {
            return Err(format!("{name} has no place in it"));
        }
    }
    if field("response_type").is_some() {
        let known = [("response_type", "code"), ("code_challenge_method", "S256")];
        if let Some((name, _)) = known.iter().find(|(name, value)| field(name) != Some(*value)) {
            return Err(format!("{name} is {:?}", field(name)));
        }
        let state = field("state").unwrap_or_default().to_owned();
        let is_repeated = world.seen.pushed.get("state") == Some(&state);
        if state.len() < 22 || !(world.seen.states.insert(state) || is_repeated) {
            return Err("the state is short, or was used before".to_owned());
        }
        world.seen.pushed = form.clone();
    }
    match field("grant_type") {
        Some("authorization_code") => {
            let pushed = |name: &str| world.seen.pushed.get(name).cloned();
            let verifier = field("code_verifier").unwrap_or_default();
            let fits = (43..=128).contains(&verifier.len())
                && pushed("code_challenge") == Some(hash(verifier))
                && pushed("redirect_uri").as_deref() == field("redirect_uri");
            fits.then_some(()).ok_or_else(|| "it is not the code request of this login".to_owned())
        }
        Some("refresh_token") if field("scope").is_some() => Err("a scope is sent".to_owned()),
        _ => Ok(()),
    }
}

/// The fields of a form; empty if the body is none.
fn form(call: &HttpCall) -> Result<BTreeMap<String, String>, String> {
    let content_type = call.request.headers().get(header::CONTENT_TYPE);
    if content_type.is_none_or(|value| value != "application/x-www-form-urlencoded") {
        return Ok(BTreeMap::new());
    }
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body(call)).into_owned() {
        if let Some(first) = fields.insert(name.clone(), value) {
            return Err(format!("{name} is there twice, the first time as {first}"));
        }
    }
    if *call.request.method() != Method::POST {
        return Err("a form that is not posted".to_owned());
    }
    Ok(fields)
}

fn body(call: &HttpCall) -> &[u8] {
    match call.request.body() {
        Body::Bytes(bytes) => bytes,
        Body::Attached => b"",
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
