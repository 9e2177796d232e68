//! The nonces that a server requires in DPoP proofs (RFC 9449 section 8).

use std::time::Duration;

use atproto_sansio::UnixTime;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// Generator of DPoP nonces, which are hashes of a secret and the number of a rotation period.
///
/// The nonces of the previous, the current and the next period are accepted. The nonce of the next
/// period is handed out, so that it stays valid for at least one full period.
#[derive(Debug)]
pub(crate) struct Nonces {
    secret: [u8; 32],
    /// Length of a period; 60 s by default.
    pub(crate) rotation: Duration,
    /// Whether proofs must have a nonce; `true` by default. If `false`, no nonce is handed out, and
    /// a proof with a nonce is rejected.
    pub(crate) required: bool,
}

impl Nonces {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret, rotation: Duration::from_secs(60), required: true }
    }

    /// Replaces the secret, which invalidates all nonces handed out before.
    pub(crate) fn reset(&mut self, secret: [u8; 32]) {
        self.secret = secret;
    }

    /// Returns the nonce to hand out at `now`; `None` if nonces are not required.
    pub(crate) fn next(&self, now: UnixTime) -> Option<String> {
        self.required.then(|| self.of(self.period(now) + 1))
    }

    pub(crate) fn is_accepted(&self, nonce: &str, now: UnixTime) -> bool {
        let now = self.period(now);
        self.required
            && [now + 1, now, now.saturating_sub(1)].iter().any(|at| self.of(*at) == nonce)
    }

    fn period(&self, now: UnixTime) -> u128 {
        let since = now.since(UnixTime::from_secs(0));
        since.as_millis() / self.rotation.as_millis().max(1)
    }

    fn of(&self, period: u128) -> String {
        let digest =
            Sha256::new().chain_update(self.secret).chain_update(period.to_be_bytes()).finalize();
        Base64UrlUnpadded::encode_string(&digest)
    }
}
