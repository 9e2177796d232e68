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
/// With a lifetime, a nonce has the time at which it was made, and is accepted until it is older than
/// the lifetime.
#[derive(Debug)]
pub(crate) struct Nonces {
    secret: [u8; 32],
    /// Length of a period; 60 s by default.
    pub(crate) rotation: Duration,
    /// Whether nonces are used; `true` by default. If `false`, no nonce is handed out, and the nonce
    /// of a proof is ignored.
    pub(crate) required: bool,
}

/// The result of the check of a nonce.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NonceCheck {
    Current,
    /// The server handed it out, and its lifetime is over.
    Old,
    /// The server did not hand it out, or can't tell.
    Unknown,
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
            Some(_) => self.timed(now.as_secs()),
            None => self.of(self.period(now) + 1),
        })
    }

    /// Checks a nonce at `now`. If nonces are not used, every nonce is current.
    pub(crate) fn check(
        &self,
        nonce: &str,
        now: UnixTime,
        lifetime: Option<Duration>,
    ) -> NonceCheck {
        let Some(lifetime) = lifetime else {
            let now = self.period(now);
            let mut current = now.saturating_sub(1)..=now + 1;
            return match !self.required || current.any(|at| self.of(at) == nonce) {
                true => NonceCheck::Current,
                false => NonceCheck::Unknown,
            };
        };
        let made = nonce.split_once('.').and_then(|(made, _)| made.parse().ok());
        match made.filter(|made| self.timed(*made) == nonce) {
            _ if !self.required => NonceCheck::Current,
            None => NonceCheck::Unknown,
            Some(made) if now.since(UnixTime::from_secs(made)) > lifetime => NonceCheck::Old,
            Some(_) => NonceCheck::Current,
        }
    }

    fn period(&self, now: UnixTime) -> u128 {
        let since = now.since(UnixTime::from_secs(0));
        since.as_millis() / self.rotation.as_millis().max(1)
    }

    /// Returns the nonce of a server whose nonces have a lifetime: the second in which it was made,
    /// and a hash.
    fn timed(&self, made: u64) -> String {
        format!("{made}.{}", self.of(made.into()))
    }

    fn of(&self, period: u128) -> String {
        let digest =
            Sha256::new().chain_update(self.secret).chain_update(period.to_be_bytes()).finalize();
        Base64UrlUnpadded::encode_string(&digest)
    }
}
