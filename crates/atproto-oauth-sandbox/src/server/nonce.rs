//! The nonces that a server asks for in proofs (RFC 9449 section 8).

use std::time::Duration;

use atproto_sansio::UnixTime;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// Nonces that follow from a secret and the time. The one before, the present and the next one are
/// accepted; the next one is given, so that it is good for one rotation at least.
#[derive(Debug)]
pub(crate) struct Nonces {
    secret: [u8; 32],
    pub(crate) rotation: Duration,
    pub(crate) required: bool,
}

impl Nonces {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret, rotation: Duration::from_secs(60), required: true }
    }

    /// All that were given are worthless.
    pub(crate) fn reset(&mut self, secret: [u8; 32]) {
        self.secret = secret;
    }

    /// What to give now.
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
