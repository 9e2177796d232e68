//! Bytes that follow from a seed.

use atproto_sansio::Entropy;
use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// SHA-256 of a seed and a counter: unpredictable to a program that does not know the seed, and the
/// same again to one that does.
#[derive(Clone, Debug)]
pub(crate) struct Seeded {
    seed: [u8; 32],
    counter: u64,
}

impl Seeded {
    /// What follows from `seed`; two purposes with the same seed have nothing in common.
    pub(crate) fn new(purpose: &str, seed: u64) -> Self {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(purpose);
        Self { seed: digest.finalize().into(), counter: 0 }
    }

    /// Goes on far behind what anybody draws in one go.
    pub(crate) fn skip(&mut self) {
        self.counter += 1 << 32;
    }

    /// As many bytes as there is room for.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A name that nobody guesses: `prefix` and 256 bits.
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
