//! Authorization of requests to a PDS by access token and DPoP proof (RFC 9449 section 7, RFC
//! 6750).

use http::header::AUTHORIZATION;

use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::refusal::Refusal;

/// The account that an access token acts for, and the scopes that the account granted.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    pub(crate) did: String,
    pub(crate) scopes: Vec<String>,
}

/// The content of an `Authorization` header.
pub(crate) enum Credentials<'a> {
    /// The request has no `Authorization` header.
    Missing,
    /// The scheme `DPoP` with this access token.
    Dpop(&'a str),
    /// Another scheme, like `Bearer`, which the sandbox never issues tokens for; or a malformed
    /// header.
    Others,
}

/// Parses the `Authorization` header of a request.
pub(crate) fn credentials(request: &Incoming) -> Credentials<'_> {
    let Some(value) = request.headers.get(AUTHORIZATION) else { return Credentials::Missing };
    match value.to_str().ok().and_then(|value| value.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") && !token.contains(' ') => {
            Credentials::Dpop(token)
        }
        _ => Credentials::Others,
    }
}

/// Verifies an access token and the request's DPoP proof at the PDS `at`. Returns the account and
/// the scopes of the token.
///
/// # Errors
///
/// Fails if the proof is missing or invalid, or if the token is unknown, expired, bound to another
/// key, or issued for another server.
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
    let unknown = sandbox.server(at).habits.unknown_access_token;
    let (_, grant) = found.ok_or_else(|| unknown.refuse("Invalid token"))?;
    let proof = proof.ok_or_else(|| Refusal::invalid_dpop_proof("A DPoP proof is required"))?;
    if grant.jkt != proof.jkt {
        return Err(Refusal::invalid_token("Invalid DPoP key binding"));
    }
    if grant.audience != *did {
        return Err(Refusal::invalid_token("The access token was issued for another server"));
    }
    // The issuer chose the expiry time; this server compares it with its own clock.
    if grant.access_token_expires <= now {
        let form = sandbox.server(at).habits.expired_access_token;
        return Err(form.refuse("The access token has expired"));
    }
    Ok(Authorized { did: grant.did.clone(), scopes: grant.scopes.clone() })
}
