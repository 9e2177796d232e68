//! The nonces that a server requires in DPoP proofs (RFC 9449 section 8).

use std::time::Duration;

use atproto_sansio::UnixTime;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// Generator of DPoP nonces, which are hashes of a secret and the number of a rotation period.
///
/// The nonces of the previous, the current and the next period are accepted. The nonce of the next
/// period is handed out, so that it stays valid for at least one full period.
///
/// With a lifetime, the periods are single seconds. The nonce of the current second is handed out
/// and accepted until it is older than the lifetime.
#[derive(Debug)]
pub(crate) struct Nonces {
    secret: [u8; 32],
    /// Length of a period; 60 s by default.
    pub(crate) rotation: Duration,
    /// Whether nonces are used; `true` by default. If `false`, no nonce is handed out, and the nonce
    /// of a proof is ignored.
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
    pub(crate) fn next(&self, now: UnixTime, lifetime: Option<Duration>) -> Option<String> {
        self.required.then(|| match lifetime {
            Some(_) => self.of(period(now, SECOND)),
            None => self.of(period(now, self.rotation) + 1),
        })
    }

    /// Whether a nonce is accepted at `now`. If nonces are not used, every nonce is.
    pub(crate) fn is_accepted(
        &self,
        nonce: &str,
        now: UnixTime,
        lifetime: Option<Duration>,
    ) -> bool {
        let (oldest, newest) = match lifetime {
            Some(lifetime) => (period(now - lifetime, SECOND), period(now, SECOND)),
            None => {
                let now = period(now, self.rotation);
                (now.saturating_sub(1), now + 1)
            }
        };
        !self.required || (oldest..=newest).any(|at| self.of(at) == nonce)
    }

    fn of(&self, period: u128) -> String {
        let digest =
            Sha256::new().chain_update(self.secret).chain_update(period.to_be_bytes()).finalize();
        Base64UrlUnpadded::encode_string(&digest)
    }
}

/// Length of a period of nonces that have a lifetime.
const SECOND: Duration = Duration::from_secs(1);

/// Returns the number of the period of this `length` at `now`.
fn period(now: UnixTime, length: Duration) -> u128 {
    let since = now.since(UnixTime::from_secs(0));
    since.as_millis() / length.as_millis().max(1)
}
