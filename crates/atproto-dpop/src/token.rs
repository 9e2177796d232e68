//! DPoP-bound access tokens, whose hash `ath` is computed once.

use std::fmt;
use std::sync::Arc;

use atproto_sansio::SecretString;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::error::DpopError;

/// DPoP-bound access token with its `ath`. Clones share one token in memory. `Debug` hides the
/// token.
#[derive(Clone)]
pub struct AccessToken(Arc<Parts>);

struct Parts {
    token: SecretString,
    ath: String,
}

impl AccessToken {
    /// Checks the characters of `token` and computes its hash.
    ///
    /// # Errors
    ///
    /// [`DpopError::Token`] if the token is empty, or if it has characters other than visible
    /// ASCII, which an `Authorization` header may not carry.
    pub fn new(token: impl Into<String>) -> Result<Self, DpopError> {
        let token = SecretString::new(token);
        let text = token.expose();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DpopError::Token);
        }
        let ath = Base64UrlUnpadded::encode_string(&Sha256::digest(text));
        Ok(Self(Arc::new(Parts { token, ath })))
    }

    /// Returns the token in clear text, a secret.
    pub fn expose(&self) -> &str {
        self.0.token.expose()
    }

    /// SHA-256 hash of the token in base64url, the `ath` claim of proofs that are sent with the
    /// token.
    pub fn ath(&self) -> &str {
        &self.0.ath
    }

    /// Builds the value of the `Authorization` header, `DPoP <token>` (RFC 9449 section 7.1).
    pub(crate) fn authorization(&self) -> Result<HeaderValue, DpopError> {
        let text = format!("DPoP {}", self.expose());
        let mut value = HeaderValue::try_from(text).map_err(|_| DpopError::Token)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ath_equals_the_example_of_rfc_9449() {
        // RFC 9449 section 7.1
        let token = AccessToken::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU").unwrap();
        assert_eq!(token.ath(), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn tokens_that_could_break_a_header_are_refused() {
        // Rule D-71
        for token in ["", "a b", "a\r\nX: y", "a\u{e9}", "a\0", "a\t"] {
            assert_eq!(AccessToken::new(token).unwrap_err(), DpopError::Token, "{token:?}");
        }
    }
}
