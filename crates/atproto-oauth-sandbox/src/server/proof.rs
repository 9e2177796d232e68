//! Verification of DPoP proofs (RFC 9449 section 4.3).
//!
//! The checks run in the order of the RFC, except that the nonce is checked before `ath` is
//! compared and `jti` is remembered.

use atproto_dpop::Jwk;
use atproto_sansio::UnixTime;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use url::Url;

use crate::incoming::Incoming;
use crate::jwt::Jwt;
use crate::server::Server;
use crate::server::habits::Habits;
use crate::server::nonce::NonceCheck;
use crate::server::refusal::Refusal;

/// The result of a verified DPoP proof.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    /// JWK thumbprint (RFC 7638) of the key that signed the proof.
    pub(crate) jkt: String,
}

impl Server {
    /// Verifies the DPoP proof of a request; `Ok(None)` if the request has no `DPoP` header.
    ///
    /// `ath` must be the hash of `access_token`. Without an access token, `ath` must be absent.
    pub(crate) fn check_proof(
        &mut self,
        request: &Incoming,
        access_token: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<Proven>, Refusal> {
        let Some(text) = single_header(request)? else { return Ok(None) };
        let bad = Refusal::invalid_dpop_proof;
        let jwt = Jwt::parse(text).ok_or_else(|| bad("The DPoP proof is not a JWT"))?;
        let jwk = signing_key(&jwt, &self.habits)?;
        check_times(&jwt, now, &self.habits)?;

        if jwt.claims.get("nonce").is_some_and(|nonce| !nonce.is_string()) {
            return Err(bad("The DPoP nonce is not a string"));
        }
        let jti = jwt.claim("jti").filter(|jti| !jti.is_empty());
        let jti = jti.ok_or_else(|| bad("The DPoP proof has no jti"))?;
        if jwt.claim("htm") != Some(request.method.as_str()) {
            return Err(bad("DPoP htm mismatch"));
        }
        if !jwt.claim("htu").is_some_and(|htu| is_target(htu, &request.url)) {
            return Err(bad("DPoP htu mismatch"));
        }
        let lifetime = self.habits.nonce_lifetime;
        match jwt.claim("nonce").map(|nonce| self.nonces.check(nonce, now, lifetime)) {
            Some(NonceCheck::Current) => {}
            Some(NonceCheck::Old) => return Err(Refusal::use_dpop_nonce()),
            Some(NonceCheck::Unknown) => {
                let why = "The DPoP proof needs a current nonce of this server";
                return Err(self.habits.unknown_nonce.refuse(why));
            }
            None if self.requires_nonce() => return Err(Refusal::use_dpop_nonce()),
            None => {}
        }
        let ath = access_token.map(hash);
        if jwt.claims.contains_key("ath") != ath.is_some() || jwt.claim("ath") != ath.as_deref() {
            return Err(bad("DPoP ath mismatch"));
        }
        if !self.proofs.is_first(jti, now, now + self.habits.iat_past + self.habits.iat_future) {
            return Err(bad("DPoP proof replayed"));
        }
        Ok(Some(Proven { jkt: jwk.thumbprint() }))
    }

    /// Whether a proof without a nonce is refused.
    fn requires_nonce(&self) -> bool {
        self.nonces.required && !self.habits.accepts_missing_nonce
    }

    /// Whether this server consumes the code of a token request before it looks at the nonce. If
    /// the nonce is missing and required, the server asks for it first.
    pub(crate) fn takes_code_first(&self, request: &Incoming) -> bool {
        let has_nonce = || {
            let proof = single_header(request).ok().flatten().and_then(Jwt::parse);
            proof.is_some_and(|proof| proof.claim("nonce").is_some())
        };
        self.habits.takes_code_before_nonce && (!self.requires_nonce() || has_nonce())
    }
}

/// Returns the SHA-256 hash of `text` in base64url, as used by `ath` and by the PKCE challenge.
pub(crate) fn hash(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text))
}

/// Returns the `DPoP` header, which must not occur twice (RFC 9449 section 4.3, first check).
fn single_header(request: &Incoming) -> Result<Option<&str>, Refusal> {
    let mut lines = request.headers.get_all("dpop").iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => line
            .to_str()
            .map(Some)
            .map_err(|_| Refusal::invalid_dpop_proof("The DPoP header is not text")),
        (Some(_), Some(_)) => {
            Err(Refusal::invalid_dpop_proof("The request has more than one DPoP header"))
        }
    }
}

/// Verifies the signature of the proof with the `jwk` in its header, and returns that public key.
/// Without [`Habits::verifies_proofs`], any signature counts.
fn signing_key(jwt: &Jwt, habits: &Habits) -> Result<Jwk, Refusal> {
    let bad = Refusal::invalid_dpop_proof;
    if jwt.header("typ") != Some("dpop+jwt") {
        return Err(bad("The typ of the DPoP proof is not dpop+jwt"));
    }
    let jwk = jwt.header.get("jwk").ok_or_else(|| bad("The DPoP proof has no jwk"))?;
    if jwk.get("d").is_some() {
        return Err(bad("The jwk of the DPoP proof is a private key"));
    }
    let jwk: Jwk = serde_json::from_value(jwk.clone())
        .map_err(|_| bad("The jwk of the DPoP proof is not a key on P-256 or secp256k1"))?;
    match !habits.verifies_proofs || jwt.is_signed_by(&jwk) {
        true => Ok(jwk),
        false => Err(bad("The DPoP proof is not signed by its jwk with ES256 or ES256K")),
    }
}

/// Checks `iat`, and, if present, `exp` and `nbf` (RFC 7519 section 4.1).
fn check_times(jwt: &Jwt, now: UnixTime, habits: &Habits) -> Result<(), Refusal> {
    let bad =
        |_: ()| Refusal::invalid_dpop_proof("iat, exp or nbf of the DPoP proof is not a number");
    let now = now.as_secs() as f64;
    let (past, future) = (habits.iat_past.as_secs_f64(), habits.iat_future.as_secs_f64());
    let iat = jwt.time("iat").map_err(bad)?;
    let iat = iat.ok_or_else(|| Refusal::invalid_dpop_proof("The DPoP proof has no iat"))?;
    let refuse = |why| Err(habits.refused_clock.refuse(why));
    if now - iat > past || iat - now > future {
        return refuse("The iat of the DPoP proof is too far from now");
    }
    if jwt.time("exp").map_err(bad)?.is_some_and(|exp| now - exp >= future)
        || jwt.time("nbf").map_err(bad)?.is_some_and(|nbf| nbf - now > future)
    {
        return refuse("The DPoP proof has expired, or its nbf is in the future");
    }
    Ok(())
}

/// Whether `htu`, after URL normalization, is the URL of the request without query and fragment.
fn is_target(htu: &str, target: &Url) -> bool {
    let Ok(htu) = Url::parse(htu) else { return false };
    let anonymous = htu.username().is_empty() && htu.password().is_none();
    let plain = htu.query().is_none() && htu.fragment().is_none() && anonymous;
    plain && htu.origin() == target.origin() && htu.path() == target.path()
}
