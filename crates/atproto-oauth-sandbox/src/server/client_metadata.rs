//! Validation of client metadata (AT Protocol "OAuth": client ID metadata document, RFC 7591
//! section 2, and additional rules of the reference server).

use std::collections::BTreeSet;

use atproto_dpop::Jwk;
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::server::jwks;
use crate::server::redirect_uri::{self, Kind};
use crate::server::refusal::Refusal;

/// The validated metadata of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientInfo {
    pub(crate) id: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) grant_types: Vec<String>,
    pub(crate) is_confidential: bool,
    /// URL of the client's key set, if the keys are not in the metadata document.
    pub(crate) jwks_uri: Option<String>,
    /// Public keys for client authentication, each paired with its `kid`.
    pub(crate) keys: Vec<(String, Jwk)>,
}

/// Response types of OAuth 2.0 and OpenID Connect, spelled as in the reference server.
pub(crate) const RESPONSE_TYPES: [&str; 8] = [
    "code",
    "token",
    "none",
    "code id_token token",
    "code id_token",
    "code token",
    "id_token token",
    "id_token",
];

/// Parses a `client_id` that is the URL of a metadata document; `None` if the URL is not allowed.
///
/// The URL must be in canonical form, with the scheme `https`, a path that does not end in `/`, and
/// a host name with a dot. User name, password and fragment must be absent.
pub(crate) fn discoverable(client_id: &str) -> Option<Url> {
    let url = Url::parse(client_id).ok().filter(|_| client_id.starts_with("https://"))?;
    let Host::Domain(host) = url.host()? else { return None };
    let canonical = url.as_str() == client_id;
    let anonymous = url.username().is_empty() && url.password().is_none();
    let has_path = url.path() != "/" && !url.path().ends_with('/');
    let is_dotted = redirect_uri::is_dotted(host);
    (canonical && anonymous && has_path && is_dotted && url.fragment().is_none()).then_some(url)
}

/// Derives the metadata of a loopback client from its `client_id`:
/// `http://localhost?redirect_uri=…&scope=…`.
///
/// # Errors
///
/// Fails if anything but an optional `/` and a query follows `http://localhost`, if the query has
/// other parameters than `redirect_uri` and one `scope`, or if a value is invalid.
pub(crate) fn loopback(client_id: &str) -> Result<ClientInfo, Refusal> {
    let bad = || Refusal::invalid_client_metadata(&format!("Invalid client ID {client_id}"));
    let rest = client_id.strip_prefix("http://localhost").ok_or_else(bad)?;
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let query = match rest.strip_prefix('?') {
        Some(query) if !query.contains('#') => query,
        None if rest.is_empty() => "",
        _ => return Err(bad()),
    };
    let (mut redirect_uris, mut scope) = (Vec::new(), None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match &*name {
            "redirect_uri" => match redirect_uri::kind(&value) {
                Some((url, Kind::Loopback)) if redirect_uri::is_out_of_place(&url) => {
                    return Err(Refusal::invalid_redirect_uri(
                        "a redirect_uri contains a user name or a password",
                    ));
                }
                Some((_, Kind::Loopback)) => redirect_uris.push(value),
                _ => return Err(bad()),
            },
            "scope" if scope.is_none() => scope = Some(value),
            _ => return Err(bad()),
        }
    }
    if redirect_uris.is_empty() {
        redirect_uris = ["http://127.0.0.1/", "http://[::1]/"].map(str::to_owned).to_vec();
    }
    let scopes = scopes(scope.as_deref().unwrap_or("atproto"))?;
    Ok(ClientInfo {
        id: client_id.to_owned(),
        redirect_uris,
        scopes,
        grant_types: ["authorization_code", "refresh_token"].map(str::to_owned).to_vec(),
        is_confidential: false,
        jwks_uri: None,
        keys: Vec::new(),
    })
}

/// Checks the metadata document that was fetched from `client_id`.
///
/// # Errors
///
/// Fails with the first rule that the document breaks.
pub(crate) fn check(client_id: &Url, document: &Value) -> Result<ClientInfo, Refusal> {
    let bad = Refusal::invalid_client_metadata;
    let members = document.as_object().ok_or_else(|| bad("the document is not a JSON object"))?;
    if text(members, "client_id")? != Some(client_id.as_str()) {
        return Err(bad("client_id is not the URL of the document"));
    }
    if members.get("dpop_bound_access_tokens") != Some(&Value::Bool(true)) {
        return Err(bad("dpop_bound_access_tokens must be true"));
    }
    for name in [
        "default_max_age",
        "userinfo_signed_response_alg",
        "id_token_signed_response_alg",
        "userinfo_encrypted_response_alg",
        "authorization_encrypted_response_enc",
        "authorization_details_types",
    ] {
        if members.contains_key(name) {
            return Err(bad(&format!("{name} is not supported")));
        }
    }
    check_types(members)?;
    if members.get("tls_client_certificate_bound_access_tokens") == Some(&Value::Bool(true)) {
        return Err(bad("tls_client_certificate_bound_access_tokens must not be true"));
    }
    if !matches!(text(members, "subject_type")?, None | Some("public")) {
        return Err(bad("subject_type must be public"));
    }
    let is_native = match text(members, "application_type")? {
        None | Some("web") => false,
        Some("native") => true,
        Some(_) => return Err(bad("application_type must be web or native")),
    };
    let scopes = scopes(text(members, "scope")?.ok_or_else(|| bad("scope is missing"))?)?;
    let grant_types = grant_types(members)?;
    let response_types =
        texts(members, "response_types")?.unwrap_or_else(|| vec!["code".to_owned()]);
    if !response_types.iter().any(|this| this == "code")
        || !response_types.iter().all(|this| RESPONSE_TYPES.contains(&this.as_str()))
    {
        return Err(bad("response_types must contain code, and only known response types"));
    }
    check_client_uri(client_id, members)?;
    let (is_confidential, jwks_uri, keys) = authentication(members)?;
    if is_native && is_confidential {
        // A native client can't keep a private key secret (RFC 8252 section 8.4).
        return Err(bad("a native client must not use private_key_jwt"));
    }
    Ok(ClientInfo {
        id: client_id.as_str().to_owned(),
        redirect_uris: redirect_uris(client_id, is_native, members)?,
        scopes,
        grant_types,
        is_confidential,
        jwks_uri,
        keys,
    })
}

/// Checks the types of optional metadata members, including members that have no effect in the
/// sandbox (RFC 7591 section 2).
fn check_types(members: &Map<String, Value>) -> Result<(), Refusal> {
    let bad =
        |name: &str| Refusal::invalid_client_metadata(&format!("{name} has an invalid value"));
    for name in [
        "client_name",
        "request_object_signing_alg",
        "authorization_signed_response_alg",
        "authorization_encrypted_response_alg",
    ] {
        text(members, name)?;
    }
    for name in ["client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri"] {
        if text(members, name)?.is_some_and(|uri| !redirect_uri::is_web(uri)) {
            return Err(bad(name));
        }
    }
    for name in ["require_auth_time", "tls_client_certificate_bound_access_tokens"] {
        if members.get(name).is_some_and(|value| !value.is_boolean()) {
            return Err(bad(name));
        }
    }
    let is_address = |contact: &String| {
        let (name, host) = contact.split_once('@').unwrap_or_default();
        !name.is_empty() && host.contains('.') && !contact.contains(' ')
    };
    match texts(members, "contacts")?.unwrap_or_default().iter().all(is_address) {
        true => Ok(()),
        false => Err(bad("contacts")),
    }
}

fn scopes(scope: &str) -> Result<Vec<String>, Refusal> {
    let bad = Refusal::invalid_client_metadata;
    let scopes: Vec<String> = scope.split(' ').map(str::to_owned).collect();
    if scopes.iter().any(|scope| !is_scope_token(scope)) {
        return Err(bad("scope is not a list of scope tokens, separated by single spaces"));
    }
    if !scopes.iter().any(|scope| scope == "atproto") {
        return Err(bad("scope must contain atproto"));
    }
    no_repetition(&scopes, "scope")?;
    Ok(scopes)
}

/// Checks the syntax of one `scope-token` (RFC 6749 section 3.3).
pub(crate) fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn grant_types(members: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let bad = Refusal::invalid_client_metadata;
    let grant_types = texts(members, "grant_types")?;
    let grant_types = grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    no_repetition(&grant_types, "grant_types")?;
    let known = ["authorization_code", "refresh_token"];
    if grant_types.iter().any(|grant_type| !known.contains(&grant_type.as_str())) {
        return Err(bad("grant_types may contain only authorization_code and refresh_token"));
    }
    match grant_types.iter().any(|grant_type| grant_type == "authorization_code") {
        true => Ok(grant_types),
        false => Err(bad("grant_types must contain authorization_code")),
    }
}

/// Whether the client is confidential, its `jwks_uri`, and the keys of its `jwks`.
type Authentication = (bool, Option<String>, Vec<(String, Jwk)>);

fn authentication(members: &Map<String, Value>) -> Result<Authentication, Refusal> {
    let bad = Refusal::invalid_client_metadata;
    let alg = text(members, "token_endpoint_auth_signing_alg")?;
    let jwks_uri = text(members, "jwks_uri")?.map(str::to_owned);
    let key_set = members.get("jwks");
    if key_set.is_some() && jwks_uri.is_some() {
        return Err(bad("jwks and jwks_uri exclude each other"));
    }
    let keys = key_set.map(jwks::keys).transpose()?;
    match (text(members, "token_endpoint_auth_method")?, alg) {
        (Some("none"), None) => Ok((false, jwks_uri, keys.unwrap_or_default())),
        (Some("none"), Some(_)) => Err(bad(
            "token_endpoint_auth_signing_alg is not allowed with token_endpoint_auth_method none",
        )),
        (Some("private_key_jwt"), None) => Err(bad("token_endpoint_auth_signing_alg is missing")),
        (Some("private_key_jwt"), Some(_))
            if key_set.and_then(|set| set.pointer("/keys/0")).is_none() && jwks_uri.is_none() =>
        {
            Err(bad("private_key_jwt needs a key in jwks, or jwks_uri"))
        }
        (Some("private_key_jwt"), Some("ES256")) => Ok((true, jwks_uri, keys.unwrap_or_default())),
        (Some("private_key_jwt"), Some(_)) => {
            Err(bad("token_endpoint_auth_signing_alg must be ES256"))
        }
        _ => Err(bad("token_endpoint_auth_method must be none or private_key_jwt")),
    }
}

fn check_client_uri(client_id: &Url, members: &Map<String, Value>) -> Result<(), Refusal> {
    let bad = Refusal::invalid_client_metadata;
    let Some(client_uri) = text(members, "client_uri")? else { return Ok(()) };
    let client_uri = Url::parse(client_uri).map_err(|_| bad("client_uri is not a URL"))?;
    if client_uri.origin() != client_id.origin() {
        return Err(bad("client_uri must have the origin of the client_id"));
    }
    let parent = format!("{}/", client_uri.path().trim_end_matches('/'));
    match client_id.path() == client_uri.path() || client_id.path().starts_with(&parent) {
        true => Ok(()),
        false => {
            Err(bad("the path of client_uri must be the path of the client_id, or a parent of it"))
        }
    }
}

fn redirect_uris(
    client_id: &Url,
    is_native: bool,
    members: &Map<String, Value>,
) -> Result<Vec<String>, Refusal> {
    let uris = texts(members, "redirect_uris")?.filter(|uris| !uris.is_empty());
    let uris = uris.ok_or_else(|| {
        Refusal::invalid_client_metadata("redirect_uris must contain at least one URI")
    })?;
    for uri in &uris {
        let Some((url, kind)) = redirect_uri::kind(uri) else {
            return Err(Refusal::invalid_client_metadata(&format!(
                "{uri} is not a valid redirect URI"
            )));
        };
        let scheme = redirect_uri::reversed(client_id.host_str().unwrap_or_default());
        let allowed = match kind {
            _ if redirect_uri::is_out_of_place(&url) => false,
            Kind::Https => true,
            Kind::Loopback => is_native,
            // AT Protocol "OAuth": the scheme is the host of the `client_id` in reverse order.
            Kind::PrivateUse => is_native && url.scheme() == scheme,
        };
        if !allowed {
            return Err(Refusal::invalid_redirect_uri(&format!(
                "{uri} is not allowed for this client"
            )));
        }
    }
    Ok(uris)
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::invalid_client_metadata(&format!("{name} is not a string"))),
    }
}

fn texts(members: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Refusal> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let texts = value.as_array().and_then(|items| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    match texts {
        Some(texts) => Ok(Some(texts)),
        None => Err(Refusal::invalid_client_metadata(&format!("{name} is not a list of strings"))),
    }
}

fn no_repetition(texts: &[String], name: &str) -> Result<(), Refusal> {
    let different: BTreeSet<&String> = texts.iter().collect();
    match different.len() == texts.len() {
        true => Ok(()),
        false => Err(Refusal::invalid_client_metadata(&format!("{name} contains a value twice"))),
    }
}
