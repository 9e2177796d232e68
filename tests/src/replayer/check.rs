//! Checks each request of the client: the conditions of its `>` line, and the rules that hold for
//! every request.

use std::collections::BTreeMap;

use atproto_sansio::{Body, HttpCall, Reach};
use http::{HeaderMap, Method, header};

use crate::replayer::proof::{Proof, hash};
use crate::replayer::transcript::Exchange;
use crate::replayer::world::World;

/// Checks `call`, which the client made in a step `verb`, against `exchange` and all earlier
/// requests. Remembers its `jti`, DPoP key and pushed parameters for later requests.
///
/// # Errors
///
/// Returns a description of the first difference.
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
        return Err(format!("its reach is {:?}, expected {reach:?}", call.reach));
    }
    let form = form(call)?;
    let is_lookup = url.contains("/.well-known/") || reach == Reach::Configured;
    let proof = if is_lookup {
        let none = ["dpop", "authorization", "cookie"];
        if none.iter().any(|name| request.headers().contains_key(*name)) {
            return Err(
                "a request for a document has a dpop, authorization or cookie header".to_owned()
            );
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
        // `proof` compares the time, because it depends on the clock of the environment.
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
        other => panic!("unknown condition `{other}`"),
    }
}

/// Checks the DPoP proof of a request, and returns it (Rules E-01 to E-11).
fn proof(
    world: &mut World,
    verb: &str,
    call: &HttpCall,
    exchange: &Exchange,
) -> Result<Proof, String> {
    let request = &call.request;
    let headers = request.headers();
    if headers.get_all("dpop").iter().count() != 1 {
        return Err("it must have exactly one DPoP header".to_owned());
    }
    let proof = Proof::read(&header_text(headers, "dpop").unwrap_or_default())?;
    let url = request.uri().to_string();
    let htu = url.split(['?', '#']).next().unwrap_or_default();
    if proof.text("htm") != Some(request.method().as_str()) || proof.text("htu") != Some(htu) {
        return Err(format!(
            "htm or htu of its proof do not match the request: {:?}",
            proof.claims
        ));
    }
    let skew = exchange.conditions.iter().find(|(name, _)| name == "dpop.iat");
    let skew: i64 =
        skew.map_or(0, |(_, skew)| skew.parse().expect("`dpop.iat` is a number of seconds"));
    // Rule E-08: a proof is dated 10 seconds back.
    let iat = world.environment.now.as_secs().saturating_add_signed(skew) - 10;
    if proof.claims.get("iat").and_then(serde_json::Value::as_u64) != Some(iat) {
        return Err(format!("iat of its proof is not {iat}: {:?}", proof.claims));
    }
    let token = header_text(headers, "authorization");
    let token = token.as_deref().map(|value| value.strip_prefix("DPoP ").unwrap_or("no DPoP"));
    if proof.text("ath").map(str::to_owned) != token.map(hash) {
        return Err("ath of its proof is not the hash of the token in Authorization".to_owned());
    }
    let jti = proof.text("jti").unwrap_or_default().to_owned();
    if !world.seen.jtis.insert(jti) {
        return Err("the jti of its proof was used by an earlier proof".to_owned());
    }
    check_key(world, verb, &proof)?;
    Ok(proof)
}

/// Checks the key of a proof: a login generates a new DPoP key, and all later requests of that
/// login and its session use the same key.
fn check_key(world: &mut World, verb: &str, proof: &Proof) -> Result<(), String> {
    let seen = &mut world.seen;
    match &seen.key {
        Some(key) if *key == proof.thumbprint => Ok(()),
        None if verb == "login" && !seen.old_keys.contains(&proof.thumbprint) => {
            seen.key = Some(proof.thumbprint.clone());
            Ok(())
        }
        _ => Err("its proof is not signed with the DPoP key of the login".to_owned()),
    }
}

/// Checks the form of a request to the authorization server (Rules D-01 to D-05, D-60).
fn check_form(world: &mut World, form: &BTreeMap<String, String>) -> Result<(), String> {
    let client_id = world.client.client_id().to_owned();
    let field = |name: &str| form.get(name).map(String::as_str);
    if field("client_id") != Some(&client_id) {
        return Err("client_id in the form is not the id of the client".to_owned());
    }
    for name in ["client_secret", "request_uri", "nonce", "claims", "id_token_hint"] {
        if field(name).is_some() {
            return Err(format!("the form must not have the field {name}"));
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
            return Err(
                "state has fewer than 22 characters, or was used by an earlier login".to_owned()
            );
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
            let problem = "code_verifier or redirect_uri do not match the pushed request";
            fits.then_some(()).ok_or_else(|| problem.to_owned())
        }
        Some("refresh_token") if field("scope").is_some() => {
            Err("a refresh request must not have the field scope".to_owned())
        }
        _ => Ok(()),
    }
}

/// Returns the fields of a form; empty if the content type is not that of a form.
fn form(call: &HttpCall) -> Result<BTreeMap<String, String>, String> {
    let content_type = call.request.headers().get(header::CONTENT_TYPE);
    if content_type.is_none_or(|value| value != "application/x-www-form-urlencoded") {
        return Ok(BTreeMap::new());
    }
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body(call)).into_owned() {
        if let Some(first) = fields.insert(name.clone(), value) {
            return Err(format!("the form field {name} is repeated; its first value is {first}"));
        }
    }
    if *call.request.method() != Method::POST {
        return Err("a form must be sent with POST".to_owned());
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
