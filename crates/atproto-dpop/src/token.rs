//! DPoP-bound access tokens, whose hash `ath` is computed once.

use std::fmt;
use std::sync::Arc;

use atproto_sansio::SecretString;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::DpopError;

/// DPoP-bound access token with its `ath`. Clones share one token in memory. `Debug` hides the
/// token.
#[derive(Clone)]
pub struct AccessToken(Arc<Parts>);

struct Parts {
    /// Value of the `Authorization` header, `DPoP <token>`. Its bytes are wiped when the last clone is dropped.
    authorization: HeaderValue,
    ath: String,
}

/// Prefix of the header (RFC 9449 section 7.1).
const SCHEME: &str = "DPoP ";

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
        let ath = BASE64URL_NOPAD.encode(&Sha256::digest(text));
        let bytes = Bytes::from_owner(Zeroizing::new([SCHEME, text].concat().into_bytes()));
        let mut authorization =
            HeaderValue::from_maybe_shared(bytes).map_err(|_| DpopError::Token)?;
        authorization.set_sensitive(true);
        Ok(Self(Arc::new(Parts { authorization, ath })))
    }

    /// Returns the token in clear text, a secret.
    pub fn expose(&self) -> &str {
        let text = self.0.authorization.to_str().unwrap_or_default();
        text.strip_prefix(SCHEME).unwrap_or_default()
    }

    /// SHA-256 hash of the token in base64url, the `ath` claim of proofs that are sent with the
    /// token.
    pub fn ath(&self) -> &str {
        &self.0.ath
    }

    /// Value of the `Authorization` header, `DPoP <token>`.
    pub(crate) fn authorization(&self) -> HeaderValue {
        self.0.authorization.clone()
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
