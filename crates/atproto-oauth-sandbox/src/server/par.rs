//! `POST /oauth/par`: pushed authorization requests (RFC 9126), with PKCE (RFC 7636) and the rules
//! of the AT Protocol profile.

use std::collections::BTreeMap;
use std::time::Duration;

use atproto_identity::{Did, Handle};
use atproto_sansio::UnixTime;
use serde_json::{Value, json};

use crate::form::Form;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::assertion::{ClientAuth, authenticate};
use crate::server::client_metadata::{ClientInfo, RESPONSE_TYPES, is_scope_token};
use crate::server::habits::Habits;
use crate::server::permission::Permission;
use crate::server::redirect_uri;
use crate::server::refusal::Refusal;

/// The validated parameters of an authorization request.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) state: Option<String>,
    pub(crate) response_mode: String,
    pub(crate) code_challenge: String,
    pub(crate) prompt: Option<String>,
    pub(crate) login_hint: Option<String>,
    /// JWK thumbprint (RFC 7638) of the DPoP key that the tokens will be bound to.
    pub(crate) jkt: String,
}

/// A pushed request, until its code is exchanged.
#[derive(Clone, Debug)]
pub(crate) struct PushedRequest {
    pub(crate) parameters: Parameters,
    pub(crate) auth: ClientAuth,
    pub(crate) expires: UnixTime,
    /// Device id of the browser that opened the request first; other browsers are refused.
    pub(crate) device: Option<String>,
    /// DID of the account that consented, and the code issued for the consent.
    pub(crate) authorized: Option<(String, String)>,
}

/// The pushed requests of one authorization server, by `request_uri`.
#[derive(Debug, Default)]
pub(crate) struct PushedRequests {
    pub(crate) requests: BTreeMap<String, PushedRequest>,
    /// The `request_uri` that each code belongs to, by code.
    codes: BTreeMap<String, String>,
}

/// Lifetime of a pushed request. It begins anew when the request is opened, and when its code is
/// issued.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

impl PushedRequests {
    /// Removes the requests that the account `did` has consented to, so that their codes are
    /// invalid.
    pub(crate) fn forget_consent_of(&mut self, did: &str) {
        let is_theirs = |request: &PushedRequest| {
            request.authorized.as_ref().is_some_and(|(account, _)| account == did)
        };
        self.requests.retain(|_, request| !is_theirs(request));
    }

    /// Stores a request for which a code was issued, and indexes the request by that code.
    pub(crate) fn authorize(&mut self, request_uri: &str, request: PushedRequest) {
        if let Some((_, code)) = &request.authorized {
            self.codes.insert(code.clone(), request_uri.to_owned());
        }
        self.requests.insert(request_uri.to_owned(), request);
    }

    /// Removes and returns the request of a code, because a code is single-use.
    pub(crate) fn take(&mut self, code: &str) -> Option<PushedRequest> {
        let request_uri = self.codes.remove(code)?;
        self.requests.remove(&request_uri)
    }

    /// Removes the requests that expired more than an hour ago, and their codes.
    fn sweep(&mut self, now: UnixTime) {
        let grace = Duration::from_secs(3600);
        self.requests.retain(|_, request| request.expires + grace >= now);
        let requests = &self.requests;
        self.codes.retain(|_, request_uri| requests.contains_key(request_uri));
    }
}

/// Authenticates the client, checks its authorization request, and stores the request for the
/// browser.
///
/// # Errors
///
/// Fails with the first rule that the request breaks.
pub(crate) fn push(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
) -> Result<Value, Refusal> {
    let form = Form::of(request)?;
    let client_id = form.get("client_id").filter(|id| !id.is_empty());
    let client_id = client_id.ok_or_else(|| Refusal::invalid_client("client_id is missing"))?;
    check_syntax(&form)?;
    let now = sandbox.clock(at);
    let proof = sandbox.server_mut(at).check_proof(request, None, now)?;
    let (client, auth) = authenticate(sandbox, at, client_id, &form, proof.as_ref())?;
    let jkt = proof.map(|proof| proof.jkt).unwrap_or_default();
    if form.get("dpop_jkt").is_some_and(|named| named != jkt) {
        // `dpop_jkt` must be the key of the DPoP proof (RFC 9449 section 10.1).
        return Err(Refusal::invalid_token(
            "dpop_jkt is not the thumbprint of the DPoP proof's key",
        ));
    }
    let parameters = check(&client, &form, jkt, &sandbox.server(at).habits)?;

    let name = sandbox.entropy.name("req-");
    let request_uri = format!("urn:ietf:params:oauth:request_uri:{name}");
    let pushed = &mut sandbox.server_mut(at).pushed;
    if pushed.requests.len() % 256 == 255 {
        pushed.sweep(now);
    }
    let waiting =
        PushedRequest { parameters, auth, expires: now + PATIENCE, device: None, authorized: None };
    pushed.requests.insert(request_uri.clone(), waiting);
    Ok(json!({"request_uri": request_uri, "expires_in": PATIENCE.as_secs() - 1}))
}

/// Checks the parameters that can be checked without the client's metadata.
fn check_syntax(form: &Form) -> Result<(), Refusal> {
    let bad = Refusal::invalid_request;
    let one_of = |name: &str, values: &[&str]| match form.get(name) {
        Some(value) if !values.contains(&value) => Err(bad(&format!("{name} is unknown"))),
        _ => Ok(()),
    };
    if form.get("request").is_some() || form.get("request_uri").is_some() {
        return Err(bad("request and request_uri are not allowed here (RFC 9126 section 2.1)"));
    }
    let response_type = form.get("response_type").unwrap_or_default();
    if !RESPONSE_TYPES.contains(&response_type) {
        return Err(bad("response_type is missing, or unknown"));
    }
    one_of("response_mode", &["query", "fragment", "form_post"])?;
    one_of("prompt", &["none", "login", "consent", "select_account", "create"])?;
    one_of("display", &["page", "popup", "touch", "wap"])?;
    if form.get("redirect_uri").is_some_and(|uri| redirect_uri::kind(uri).is_none()) {
        return Err(bad("redirect_uri is not a valid redirect URI"));
    }
    if form.get("scope").is_some_and(|scope| !scope.split(' ').all(is_scope_token)) {
        return Err(bad("scope is not a list of scope tokens, separated by single spaces"));
    }
    let is_age = |age: &str| age.is_empty() || age.parse::<u64>().is_ok();
    if form.get("max_age").is_some_and(|age| !is_age(age)) {
        return Err(bad("max_age is not a number of seconds"));
    }
    if form.get("ui_locales").is_some_and(|all| !all.split(' ').all(is_locale)) {
        return Err(bad("ui_locales is not a list of locales"));
    }
    Ok(())
}

/// Checks for a language with an optional region: `en`, `fr-CA`.
fn is_locale(text: &str) -> bool {
    let (language, region) = text.split_once('-').unwrap_or((text, "XX"));
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && region.len() == 2
        && region.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn check(
    client: &ClientInfo,
    form: &Form,
    jkt: String,
    habits: &Habits,
) -> Result<Parameters, Refusal> {
    let bad = Refusal::invalid_request;
    for name in ["claims", "id_token_hint", "nonce", "authorization_details"] {
        if form.get(name).is_some() {
            return Err(bad(&format!("{name} is not supported")));
        }
    }
    if form.get("response_type") != Some("code") {
        let error = "unsupported_response_type";
        return Err(Refusal { error, ..bad("response_type must be code") });
    }
    let requested: Vec<&str> =
        form.get("scope").map(|all| all.split(' ').collect()).unwrap_or_default();
    if let Some(scope) = requested.iter().find(|scope| !client.scopes.iter().any(|s| s == *scope)) {
        return Err(Refusal::invalid_scope(&format!("{scope} is not in the client's metadata")));
    }
    let redirect_uri = match (form.get("redirect_uri"), &client.redirect_uris[..]) {
        (Some(uri), declared)
            if declared
                .iter()
                .any(|d| redirect_uri::matches(d, uri, habits.compares_loopback_ports)) =>
        {
            uri
        }
        (None, [only]) => only,
        _ => return Err(bad("redirect_uri is not in the client's metadata")),
    };
    let code_challenge = code_challenge(form)?;
    if !requested.contains(&"atproto") {
        return Err(Refusal::invalid_scope("scope must contain atproto"));
    }
    if requested.contains(&"openid") {
        return Err(Refusal::invalid_scope("OpenID Connect is not offered"));
    }
    let is_transitional = |scope: &&str| scope.starts_with("transition:");
    if habits.refuses_mixed_scopes
        && requested.iter().any(is_transitional)
        && requested.iter().any(|scope| *scope != "atproto" && !is_transitional(scope))
    {
        return Err(Refusal::invalid_scope("transition: scopes exclude granular scopes"));
    }
    let mut scopes: Vec<String> = Vec::new();
    for scope in requested {
        if Permission::parse(scope).is_some() && !scopes.iter().any(|this| this == scope) {
            scopes.push(scope.to_owned());
        }
    }
    if scopes.iter().any(|scope| Permission::parse(scope) == Some(Permission::Include)) {
        return Err(Refusal::invalid_scope("The permission set of an include scope was not found"));
    }
    Ok(Parameters {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scopes,
        state: form.get("state").map(str::to_owned),
        response_mode: form.get("response_mode").unwrap_or("query").to_owned(),
        code_challenge,
        prompt: prompt(client, form)?,
        login_hint: login_hint(form)?,
        jkt,
    })
}

/// Returns the `code_challenge`; its method must be `S256` (RFC 7636 section 4.3).
fn code_challenge(form: &Form) -> Result<String, Refusal> {
    let bad = Refusal::invalid_request;
    let challenge = form.get("code_challenge").ok_or_else(|| bad("code_challenge is missing"))?;
    if form.get("code_challenge_method") != Some("S256") {
        return Err(bad("code_challenge_method must be S256"));
    }
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match challenge.len() == 43 && challenge.bytes().all(is_base64url) {
        true => Ok(challenge.to_owned()),
        false => Err(bad("code_challenge is not a SHA-256 hash in base64url")),
    }
}

/// Returns the `prompt` to apply. For a public client, `none` is rejected and every other value
/// except `create` is replaced by `consent`, because a client that can't authenticate always needs
/// the user's consent.
fn prompt(client: &ClientInfo, form: &Form) -> Result<Option<String>, Refusal> {
    let prompt = form.get("prompt").map(str::to_owned);
    if client.is_confidential {
        return Ok(prompt);
    }
    match prompt.as_deref() {
        Some("none") => Err(Refusal::invalid_request("A public client must not use prompt=none")),
        Some("create") => Ok(prompt),
        _ => Ok(Some("consent".to_owned())),
    }
}

fn login_hint(form: &Form) -> Result<Option<String>, Refusal> {
    let Some(hint) = form.get("login_hint") else { return Ok(None) };
    let hint = hint.to_ascii_lowercase();
    let is_did = Did::parse(&hint).is_ok_and(|did| did.check(true).is_ok());
    match is_did || hint.parse::<Handle>().is_ok() {
        true => Ok(Some(hint)),
        false => Err(Refusal::invalid_request("login_hint is neither a handle nor a DID")),
    }
}
