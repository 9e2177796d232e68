//! `POST /oauth/revoke`: ends the session of an access token or refresh token (RFC 7009).

use serde_json::{Value, json};

use crate::form::Form;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::assertion::authenticate;
use crate::server::proof::Proven;
use crate::server::refusal::Refusal;
use crate::server::token::Caller;

/// Ends the session of a token, if the token was issued to the client that sends the request.
///
/// # Errors
///
/// Fails if the form is malformed or the DPoP proof is invalid. Every other request succeeds, even
/// with an unknown token or a failed client authentication: a client can't handle such an error
/// (RFC 7009 section 2.2), and the response must not reveal whether a token exists.
pub(crate) fn revoke(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
) -> Result<Value, Refusal> {
    let form = Form::of(request)?;
    let bad = Refusal::invalid_request;
    let client_id = form.get("client_id").filter(|id| !id.is_empty());
    let client_id = client_id.ok_or_else(|| bad("client_id is missing"))?;
    let token = form.get("token").filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| bad("token is missing"))?;
    if !matches!(form.get("token_type_hint"), None | Some("access_token" | "refresh_token")) {
        return Err(bad("token_type_hint is unknown"));
    }
    let now = sandbox.clock(at);
    let proof = sandbox.server_mut(at).check_proof(request, None, now)?;
    let authenticated = authenticate(sandbox, at, client_id, &form, proof.as_ref());
    if let (Ok((client, auth)), Some(Proven { jkt })) = (authenticated, proof) {
        let caller = Caller { client, auth, jkt };
        let grants = &mut sandbox.server_mut(at).grants;
        let found = grants
            .of_access_token(token)
            .or_else(|| grants.of_refresh_token(token))
            .or_else(|| grants.of_code(token))
            .filter(|(_, g)| caller.check_same(&g.client_id, &g.auth, &g.jkt).is_ok());
        if let Some((id, _)) = found {
            grants.end(id);
        }
    }
    Ok(json!({}))
}
