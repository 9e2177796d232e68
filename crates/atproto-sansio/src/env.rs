//! What a machine can't have of its own: time, entropy, memory, keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::secret::SecretKey;
use crate::time::UnixTime;

/// What comes in on every poll.
pub struct Env<'a> {
    /// Wall-clock time.
    pub now: UnixTime,
    /// Monotonic time since a moment that all users of one [`Memory`] agree on.
    pub elapsed: Duration,
    /// A source of unpredictable bytes; `Send`, so that an async driver may hold it as it awaits.
    pub entropy: &'a mut (dyn Entropy + Send),
    /// What may be forgotten at any time.
    pub memory: &'a dyn Memory,
    /// Makes and imports signing keys.
    pub keys: &'a dyn Keys,
}

/// A source of unpredictable bytes: a CSPRNG outside tests, a counter within them.
pub trait Entropy {
    /// Overwrites all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// What may be forgotten at any time: a bounded cache, shared by all flows of a process.
///
/// A look-up returns a clone, so nothing stays locked while the value is used.
pub trait Memory: Send + Sync {
    /// The value, unless it was never put, has expired by `elapsed`, or was forgotten.
    fn get(&self, topic: Topic, key: &str, elapsed: Duration) -> Option<Bytes>;
    /// Keeps `value` until `expires` (on the scale of [`Env::elapsed`]) or until room is needed.
    fn put(&self, topic: Topic, key: &str, value: Bytes, expires: Duration);
    /// Drops the value.
    fn forget(&self, topic: Topic, key: &str);
}

/// One kind of remembered thing. The crate that remembers it declares it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Topic {
    /// Tells it from other topics.
    pub name: &'static str,
    /// How many values to keep at most.
    pub capacity: usize,
}

/// Makes and imports P-256 signing keys: how a program brings its cryptography.
pub trait Keys: Send + Sync {
    /// A new key.
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer>;
    /// The key with this private scalar.
    ///
    /// # Errors
    ///
    /// The scalar is zero or not below the order of P-256.
    fn import(&self, scalar: &SecretKey) -> Result<Arc<dyn Signer>, KeyError>;
}

/// A P-256 key that signs with ECDSA and SHA-256 (`ES256`, RFC 7518 section 3.4).
pub trait Signer: Send + Sync {
    /// The public point as `x` and `y`, 32 bytes each.
    fn public(&self) -> &[u8; 64];
    /// The signature of `message` as `r` and `s`, 32 bytes each.
    ///
    /// # Errors
    ///
    /// The backend can't sign.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
    /// The private scalar, if this key may leave its backend.
    fn export(&self) -> Option<SecretKey>;
}

/// A key that can't be used: why, for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyError(pub &'static str);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}
