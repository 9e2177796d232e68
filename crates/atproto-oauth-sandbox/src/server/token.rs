//! `POST /oauth/token`: the grant types `authorization_code` and `refresh_token` (RFC 6749 sections
//! 4.1.3 and 6, RFC 7636 section 4.6, RFC 9449 section 5).
//!
//! As in the reference server, the first use of a code consumes it, even if the token request
//! fails. A refresh token is consumed as soon as the client is authenticated.

use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::UnixTime;
use serde_json::{Map, Value, json};

use crate::form::Form;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::assertion::{ClientAuth, authenticate};
use crate::server::authorize::sign_out;
use crate::server::client_metadata::ClientInfo;
use crate::server::grant::{Grant, lifetimes};
use crate::server::par::PushedRequest;
use crate::server::proof::{Proven, hash};
use crate::server::redirect_uri;
use crate::server::refusal::Refusal;

/// The authenticated client of a request, and the JWK thumbprint of its DPoP key.
pub(crate) struct Caller {
    pub(crate) client: Arc<ClientInfo>,
    pub(crate) auth: ClientAuth,
    pub(crate) jkt: String,
}

/// Exchanges a code or a refresh token for new tokens.
///
/// # Errors
///
/// Fails if the form is malformed, if the DPoP proof or the client authentication is invalid, or if
/// the code or refresh token is unknown, used, expired, or issued to another client.
pub(crate) fn issue(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
) -> Result<Value, Refusal> {
    let form = Form::of(request)?;
    let bad = Refusal::invalid_grant;
    let field = |name: &str| form.get(name).filter(|value| !value.is_empty());
    let client_id = field("client_id").ok_or_else(|| bad("client_id is missing"))?;
    let grant_type = field("grant_type").ok_or_else(|| bad("grant_type is missing"))?;
    match grant_type {
        "authorization_code" => check_code_request(&form)?,
        "refresh_token" if field("refresh_token").is_some() => {}
        "refresh_token" => return Err(bad("refresh_token is missing")),
        _ => return Err(bad("grant_type must be authorization_code or refresh_token")),
    }
    let now = sandbox.clock(at);
    let server = sandbox.server_mut(at);
    let taken = match grant_type == "authorization_code" && server.takes_code_first(request) {
        true => server.pushed.take(form.get("code").unwrap_or_default()),
        false => None,
    };
    let proof = server.check_proof(request, None, now)?;
    let (client, auth) = authenticate(sandbox, at, client_id, &form, proof.as_ref())?;
    if !client.grant_types.iter().any(|this| this == grant_type) {
        return Err(bad("grant_type is not in the client's metadata"));
    }
    let Proven { jkt } =
        proof.ok_or_else(|| Refusal::invalid_dpop_proof("A DPoP proof is required"))?;
    let caller = Caller { client, auth, jkt };
    match grant_type {
        "authorization_code" => exchange(sandbox, at, &caller, &form, taken, now),
        _ => refresh(sandbox, at, &caller, &form, now),
    }
}

fn check_code_request(form: &Form) -> Result<(), Refusal> {
    let bad = Refusal::invalid_grant;
    let redirect_uri = form.get("redirect_uri").and_then(redirect_uri::kind);
    if form.get("code").is_none_or(str::is_empty) || redirect_uri.is_none() {
        return Err(bad("code or redirect_uri is missing or invalid"));
    }
    // A `code_verifier` is 43 to 128 unreserved characters (RFC 7636 section 4.1).
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match form.get("code_verifier") {
        Some(verifier)
            if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) =>
        {
            Err(bad("code_verifier must be 43 to 128 unreserved characters"))
        }
        _ => Ok(()),
    }
}

/// Exchanges a code. `taken` is the request of the code, if the server has consumed it already.
fn exchange(
    sandbox: &mut Sandbox,
    at: ServerId,
    caller: &Caller,
    form: &Form,
    taken: Option<PushedRequest>,
    now: UnixTime,
) -> Result<Value, Refusal> {
    let bad = Refusal::invalid_grant;
    let code = form.get("code").unwrap_or_default();
    let Some(pushed) = taken.or_else(|| sandbox.server_mut(at).pushed.take(code)) else {
        end_replayed(sandbox, at, code);
        return Err(bad("Invalid code"));
    };
    if pushed.expires < now {
        return Err(bad("The code has expired"));
    }
    caller.check_same(&pushed.parameters.client_id, &pushed.auth, &pushed.parameters.jkt)?;
    if form.get("redirect_uri") != Some(&pushed.parameters.redirect_uri) {
        return Err(bad("redirect_uri is not the one of the authorization request"));
    }
    // The hash of the `code_verifier` must equal the `code_challenge` (RFC 7636 section 4.6).
    let verifier = form.get("code_verifier").ok_or_else(|| bad("code_verifier is missing"))?;
    if hash(verifier) != pushed.parameters.code_challenge {
        return Err(bad("Invalid code_verifier"));
    }
    let day = Duration::from_secs(24 * 3600);
    let challenge = &pushed.parameters.code_challenge;
    if !sandbox.server_mut(at).challenges.is_first(challenge, now, now + day) {
        return Err(bad("The code_challenge was used before"));
    }
    let grant = begin(sandbox, at, caller, pushed, now)?;
    let answer = response(&grant, now);
    sandbox.server_mut(at).grants.add(code, grant);
    Ok(answer)
}

/// Ends the session that a reused code began, and signs its account out of the browser (RFC 6749
/// section 4.1.2).
fn end_replayed(sandbox: &mut Sandbox, at: ServerId, code: &str) {
    let server = sandbox.server_mut(at);
    let ended = server.grants.of_code(code).map(|(id, _)| id).and_then(|id| server.grants.end(id));
    if let Some(grant) = ended {
        sign_out(&mut server.visits, &grant.device, &grant.did);
    }
}

fn begin(
    sandbox: &mut Sandbox,
    at: ServerId,
    caller: &Caller,
    pushed: PushedRequest,
    now: UnixTime,
) -> Result<Grant, Refusal> {
    let (did, _) =
        pushed.authorized.ok_or_else(|| Refusal::invalid_grant("No account has consented"))?;
    let offers_refresh = caller.client.grant_types.iter().any(|this| this == "refresh_token");
    let audience = sandbox.audience(at, &did);
    Ok(Grant {
        client_id: caller.client.id.clone(),
        auth: caller.auth.clone(),
        jkt: caller.jkt.clone(),
        // If the account has moved to another issuer meanwhile, the audience is this server, so
        // that the account's new server rejects the token.
        audience: audience.unwrap_or_else(|| sandbox.server(at).did.clone()),
        did,
        scopes: pushed.parameters.scopes,
        device: pushed.device.unwrap_or_default(),
        created: now,
        updated: now,
        access_token: sandbox.entropy.name("acc-"),
        access_token_expires: now + sandbox.server(at).access_token_lifetime,
        refresh_token: offers_refresh.then(|| sandbox.entropy.name("ref-")),
    })
}

fn refresh(
    sandbox: &mut Sandbox,
    at: ServerId,
    caller: &Caller,
    form: &Form,
    now: UnixTime,
) -> Result<Value, Refusal> {
    let token = form.get("refresh_token").unwrap_or_default();
    let found = sandbox.server(at).grants.of_refresh_token(token);
    let dead = sandbox.server(at).habits.dead_refresh_token;
    let (id, grant) = found.ok_or_else(|| dead.refuse("Invalid refresh token"))?;
    let grant = grant.clone();
    let next = renew(sandbox, at, caller, grant, token, now);
    match next {
        Ok(next) => {
            let answer = response(&next, now);
            sandbox.server_mut(at).grants.rotate(id, next);
            Ok(answer)
        }
        // The refresh token may be stolen, so a failed refresh ends the session.
        Err(refusal) => {
            sandbox.server_mut(at).grants.end(id);
            Err(refusal)
        }
    }
}

fn renew(
    sandbox: &mut Sandbox,
    at: ServerId,
    caller: &Caller,
    grant: Grant,
    token: &str,
    now: UnixTime,
) -> Result<Grant, Refusal> {
    let dead = sandbox.server(at).habits.dead_refresh_token;
    if grant.refresh_token.as_deref() != Some(token) {
        return Err(dead.refuse("Refresh token replayed"));
    }
    caller.check_same(&grant.client_id, &grant.auth, &grant.jkt)?;
    let (idle, whole) = lifetimes(caller.client.is_confidential);
    if now.since(grant.updated) > idle || now.since(grant.created) > whole {
        return Err(dead.refuse("The session has expired"));
    }
    let end = grant.created + whole;
    Ok(Grant {
        auth: caller.auth.clone(),
        audience: sandbox.audience(at, &grant.did).unwrap_or(grant.audience),
        updated: now,
        access_token: sandbox.entropy.name("acc-"),
        access_token_expires: (now + sandbox.server(at).access_token_lifetime).min(end),
        refresh_token: Some(sandbox.entropy.name("ref-")),
        ..grant
    })
}

impl Caller {
    /// Checks that the code or token of a session with these values was issued to this caller: the
    /// same client, the same DPoP key, and the same client authentication.
    pub(crate) fn check_same(
        &self,
        client_id: &str,
        auth: &ClientAuth,
        jkt: &str,
    ) -> Result<(), Refusal> {
        let bad = Refusal::invalid_grant;
        if self.client.id != client_id {
            return Err(bad("The code or token was issued to another client"));
        }
        if self.jkt != jkt {
            return Err(bad("The code or token is bound to another DPoP key"));
        }
        // A public client may become confidential; any other change of authentication is refused.
        match *auth == ClientAuth::None || self.auth == *auth {
            true => Ok(()),
            false => Err(bad("The session began with another client authentication")),
        }
    }
}

/// Returns the body of a token response (RFC 6749 section 5.1), with the `sub` of AT Protocol.
fn response(grant: &Grant, now: UnixTime) -> Value {
    let mut answer = Map::from_iter([
        ("access_token".to_owned(), json!(grant.access_token)),
        ("token_type".to_owned(), json!("DPoP")),
        ("scope".to_owned(), json!(grant.scopes.join(" "))),
        ("expires_in".to_owned(), json!(grant.access_token_expires.since(now).as_secs())),
        ("sub".to_owned(), json!(grant.did)),
    ]);
    if let Some(token) = &grant.refresh_token {
        answer.insert("refresh_token".to_owned(), json!(token));
    }
    answer.into()
}
