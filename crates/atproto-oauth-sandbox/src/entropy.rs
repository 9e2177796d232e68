//! Deterministic entropy, derived from a seed.

use atproto_sansio::Entropy;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// Entropy source that hashes a seed and a counter with SHA-256. The same seed gives the same
/// bytes; without the seed, the bytes are unpredictable.
#[derive(Clone, Debug)]
pub(crate) struct Seeded {
    seed: [u8; 32],
    counter: u64,
}

impl Seeded {
    /// Derives the source for one purpose. Two purposes with the same seed give unrelated bytes.
    pub(crate) fn new(purpose: &str, seed: u64) -> Self {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(purpose);
        Self { seed: digest.finalize().into(), counter: 0 }
    }

    /// Skips 2^32 blocks of 32 bytes, which is more than one run of machines draws. Bytes drawn
    /// after this differ from those that a clone of this source draws meanwhile.
    pub(crate) fn skip(&mut self) {
        self.counter += 1 << 32;
    }

    /// Draws `N` bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Returns an unguessable name: `prefix`, then 256 bits in base64url.
    pub(crate) fn name(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", Base64UrlUnpadded::encode_string(&self.bytes::<32>()))
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let digest =
                Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes());
            self.counter += 1;
            for (to, from) in chunk.iter_mut().zip(digest.finalize()) {
                *to = from;
            }
        }
    }
}
