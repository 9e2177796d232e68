//! JWK sets of clients (RFC 7517).

use std::collections::BTreeSet;

use atproto_dpop::Jwk;
use serde_json::Value;

use crate::server::refusal::Refusal;

/// Returns the ES256 keys of a JWK set that can verify client assertions, each paired with its
/// `kid`.
///
/// # Errors
///
/// Fails if `set` has no array `keys`, or if any of its keys is a private or symmetric key, has no
/// `kid`, or has `key_ops` that are not those of a public key.
pub(crate) fn keys(set: &Value) -> Result<Vec<(String, Jwk)>, Refusal> {
    let bad = Refusal::invalid_client_metadata;
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or_else(|| bad("the JWK set has no array of keys"))?;
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return Err(bad("the JWK set contains a private or symmetric key"));
    }
    let has_name =
        |key: &Value| key.get("kid").and_then(Value::as_str).is_some_and(|k| !k.is_empty());
    if !keys.iter().all(has_name) {
        return Err(bad("the JWK set contains a key without kid"));
    }
    if !keys.iter().filter_map(|key| key.get("key_ops")).all(are_operations) {
        return Err(bad("the JWK set contains a key whose key_ops are not those of a public key"));
    }
    Ok(keys.iter().filter_map(usable).collect())
}

/// Returns the public key of one JWK and its `kid`, or `None` if the JWK can't verify ES256
/// signatures.
fn usable(key: &Value) -> Option<(String, Jwk)> {
    let kid = key.get("kid")?.as_str()?.to_owned();
    let for_signatures = key.get("use").is_none_or(|value| value == "sig");
    let alg = key.get("alg").is_none_or(|value| value == "ES256");
    let operations = key.get("key_ops").and_then(Value::as_array);
    let verifies = operations.is_none_or(|all| all.iter().any(|operation| operation == "verify"));
    let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
    (for_signatures && alg && jwk.alg() == "ES256" && verifies).then_some((kid, jwk))
}

/// Checks that `key_ops` is a non-empty list of different operations of a public key (RFC 7517
/// section 4.3).
fn are_operations(operations: &Value) -> bool {
    const PUBLIC: [&str; 3] = ["verify", "encrypt", "wrapKey"];
    let Some(operations) = operations.as_array() else { return false };
    let known: BTreeSet<&str> = operations
        .iter()
        .filter_map(Value::as_str)
        .filter(|operation| PUBLIC.contains(operation))
        .collect();
    !operations.is_empty() && known.len() == operations.len()
}
