//! Who makes a request to a PDS (RFC 9449 section 7, RFC 6750).

use http::header::AUTHORIZATION;

use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::refusal::Refusal;

/// Who a request speaks for, and what they allowed.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    pub(crate) did: String,
    pub(crate) scopes: Vec<String>,
}

/// What an `Authorization` header holds.
pub(crate) enum Credentials<'a> {
    /// There is none.
    Missing,
    /// A token bound to a key.
    Dpop(&'a str),
    /// Something else: a bearer token, which was never given out here, or nonsense.
    Others,
}

/// Reads the `Authorization` header.
pub(crate) fn credentials(request: &Incoming) -> Credentials<'_> {
    let Some(value) = request.headers.get(AUTHORIZATION) else { return Credentials::Missing };
    match value.to_str().ok().and_then(|value| value.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") && !token.contains(' ') => {
            Credentials::Dpop(token)
        }
        _ => Credentials::Others,
    }
}

/// Whose token it is, if everything about it and its proof is right.
///
/// # Errors
///
/// What is not.
pub(crate) fn authorize(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    token: &str,
) -> Result<Authorized, Refusal> {
    let now = sandbox.clock(at);
    let proof = sandbox.server_mut(at).check_proof(request, Some(token), now);
    let proof = proof.map_err(Refusal::at_resource)?;
    let (issuer, did) = (sandbox.server(at).issuer, &sandbox.server(at).did);
    let found = sandbox.server(issuer).grants.of_access_token(token);
    let (_, grant) = found.ok_or_else(|| Refusal::invalid_token("Invalid token"))?;
    let proof = proof.ok_or_else(|| Refusal::invalid_dpop_proof("A DPoP proof is required"))?;
    if grant.jkt != proof.jkt {
        return Err(Refusal::invalid_token("Invalid DPoP key binding"));
    }
    if grant.audience != *did {
        return Err(Refusal::invalid_token("The token is for another server"));
    }
    // The issuer's word, on this server's clock.
    if grant.access_token_expires <= now {
        return Err(Refusal::invalid_token("The token has expired"));
    }
    Ok(Authorized { did: grant.did.clone(), scopes: grant.scopes.clone() })
}
