//! [`Env`]: the inputs of a poll that the caller supplies: time, entropy, cache and keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::secret::SecretKey;
use crate::time::{Moment, UnixTime};

/// The environment of a flow, passed to each [`Flow::poll_output`](crate::Flow::poll_output).
pub struct Env<'a> {
    /// Wall-clock time.
    pub now: UnixTime,
    /// Monotonic time since a fixed moment, the same moment for all flows that share a [`Memory`].
    pub elapsed: Duration,
    /// A source of unpredictable bytes. It is `Send`, so that an async driver can hold it across an
    /// `await`.
    pub entropy: &'a mut (dyn Entropy + Send),
    /// The cache.
    pub memory: &'a dyn Memory,
    /// The factory of signing keys.
    pub keys: &'a dyn Keys,
}

/// A source of unpredictable bytes: a CSPRNG in a program, a counter in tests.
pub trait Entropy {
    /// Overwrites all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// A bounded cache, shared by all flows of a process. It may drop any value at any time.
///
/// A lookup returns a clone, so no lock is held while the value is used.
pub trait Memory: Send + Sync {
    /// Returns the value; `None` if there is none, or if it has expired by `at`.
    fn get(&self, topic: Topic, key: &str, at: Moment) -> Option<Bytes>;
    /// Keeps a value from `at` on. The cache may drop it earlier than its lifetime to make room, and
    /// keeps the present value instead if that is newer ([`Memo::order`]).
    fn put(&self, topic: Topic, key: &str, memo: Memo, at: Moment);
    /// Removes the value.
    fn forget(&self, topic: Topic, key: &str);
}

/// A value for a [`Memory`].
#[derive(Clone)]
pub struct Memo {
    /// The value.
    pub value: Bytes,
    /// Time for which the value is valid, on the clock that moves further ([`Moment::since`]).
    pub lifetime: Duration,
    /// Order of the values under one key, such as the time at which a session was refreshed. A
    /// present value of a higher order is not replaced. Zero for values without an order.
    pub order: u64,
}

/// One kind of cached values, for example resolved handles. The crate that caches them declares
/// their topic as a constant. Topics are told apart by their names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Topic {
    /// Unique name of the topic.
    pub name: &'static str,
    /// Most values that the cache keeps for this topic.
    pub capacity: usize,
    /// Most bytes that these values have together.
    pub bytes: usize,
    /// Whether the values are secrets, to be wiped when they are dropped.
    pub is_secret: bool,
}

impl Topic {
    /// A topic of at most `capacity` values that have at most `bytes` bytes together.
    pub const fn new(name: &'static str, capacity: usize, bytes: usize) -> Self {
        Self { name, capacity, bytes, is_secret: false }
    }

    /// The same topic with secret values.
    pub const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

/// Factory of P-256 signing keys: the interface to the cryptography library of the program.
pub trait Keys: Send + Sync {
    /// Generates a new key.
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer>;
    /// Creates the key with the private scalar `scalar`, whose public point is `public` (`x` and `y`)
    /// if the caller knows it. A backend need not compute a point that it is given, but must check it.
    ///
    /// # Errors
    ///
    /// Fails if the scalar is zero or not below the order of P-256, or if `public` is not its point.
    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError>;
}

/// A key that signs with ECDSA and SHA-256: one of P-256 (`ES256`, RFC 7518 section 3.4), unless the
/// type that holds the signer names another curve.
pub trait Signer: Send + Sync {
    /// The public point as `x` and `y`, 32 bytes each.
    fn public(&self) -> &[u8; 64];
    /// Signs `message` and returns `r` and `s`, 32 bytes each.
    ///
    /// # Errors
    ///
    /// Fails if the cryptography library can't sign.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
    /// The private scalar; `None` if the key can't be exported.
    fn export(&self) -> Option<SecretKey>;
}

/// Error of a key operation, with its reason as a text for a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyError(pub &'static str);

/// Prints the length of the value only, because the value may be a session.
impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo")
            .field("length", &self.value.len())
            .field("lifetime", &self.lifetime)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

impl KeyError {
    /// The error of a private scalar and a public point that are not of one key.
    pub const MISMATCH: Self = Self("`d` is not the private key of `x` and `y`");
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}
