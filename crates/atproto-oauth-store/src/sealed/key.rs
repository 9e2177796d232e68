//! [`SealingKey`] and [`SealingKeys`]: the keys of a sealed store and their ids.

use std::fmt;

use atproto_sansio::{SecretBytes, SecretKey, StoreError, StoreErrorKind};
use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::envelope::{self, Opened};

/// Longest id of a key, in bytes.
pub(super) const MAX_ID_BYTES: usize = 32;

/// Length of the part of a hash that a derived id shows in hexadecimal.
pub(super) const ID_HASH_BYTES: usize = 8;

/// A key of 32 bytes that seals values, with an id.
///
/// A sealed value names the id of its key, so that a program with several keys finds the right one.
/// The id is not secret: it is a hash of the key, or a name that the program gave. `Debug` prints only
/// the id.
#[derive(Clone)]
pub struct SealingKey {
    id: String,
    key: SecretKey,
}

/// One or more keys: the first seals, each opens.
///
/// To replace a key, put the new one first and keep the old one
/// ([`and_open_with`](Self::and_open_with)). Deploy that to all processes. Then seal all records again
/// with `Sealed::reencrypt`, and remove the old key.
///
/// ```
/// use atproto_oauth_store::{SealingKey, SealingKeys};
///
/// # let (new, old) = (SealingKey::new([1; 32]), SealingKey::new([2; 32]));
/// let keys = SealingKeys::new(new).and_open_with(old);
/// # assert_eq!(keys.ids().count(), 2);
/// ```
#[derive(Clone)]
pub struct SealingKeys {
    first: SealingKey,
    others: Vec<SealingKey>,
}

impl SealingKey {
    /// A key of 32 random bytes. Its id is derived from them. The caller must wipe its own copy.
    pub fn new(key: [u8; 32]) -> Self {
        let id = id_of(&key).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id, key: SecretKey::new(key) }
    }

    /// Reads a key from text: 64 hexadecimal digits, or base64 of 32 bytes in either alphabet, with or
    /// without padding. White space at both ends is ignored.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreErrorKind::Misconfigured`] if `text` is none of these. The error does not
    /// repeat `text`.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        let decoded = if text.len() == 64 { from_hex(text) } else { from_base64(text) };
        decoded.map(|key| Self::new(*key)).ok_or_else(|| {
            let detail = format!(
                "a sealing key of {} characters; write 64 hexadecimal digits, or base64 of 32 bytes \
                 as in `openssl rand -base64 32`",
                text.chars().count()
            );
            StoreError::new(StoreErrorKind::Misconfigured, detail)
        })
    }

    /// A new random key. [`to_text`](Self::to_text) shows it, to be kept outside the store.
    ///
    /// # Errors
    ///
    /// Fails if the operating system gives no random numbers.
    pub fn generate() -> Result<Self, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        fill_random(&mut *key)?;
        Ok(Self::new(*key))
    }

    /// Gives the key an id of its own, for example the year it was made: 1 to 32 ASCII letters, digits,
    /// `.`, `-` and `_`. A record that is sealed under an id opens only under that id.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreErrorKind::Misconfigured`] if `id` is anything else.
    pub fn named(mut self, id: &str) -> Result<Self, StoreError> {
        if !is_id(id) {
            let detail =
                "the id of a sealing key is not 1 to 32 ASCII letters, digits, `.`, `-`, `_`";
            return Err(StoreError::new(StoreErrorKind::Misconfigured, detail));
        }
        id.clone_into(&mut self.id);
        Ok(self)
    }

    /// The id that sealed values name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret key as 64 hexadecimal digits, to be kept outside the store.
    pub fn to_text(&self) -> atproto_sansio::SecretString {
        let mut text = String::with_capacity(64);
        for byte in self.key.expose() {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        atproto_sansio::SecretString::new(text)
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }
}

impl SealingKeys {
    /// The key that seals. It also opens.
    pub fn new(first: SealingKey) -> Self {
        Self { first, others: Vec::new() }
    }

    /// Adds a key that opens and does not seal.
    #[must_use]
    pub fn and_open_with(mut self, key: SealingKey) -> Self {
        self.others.push(key);
        self
    }

    /// The ids of the keys. The first key seals.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.all().map(SealingKey::id)
    }

    pub(super) fn seal(&self, key: &str, value: &SecretBytes) -> Result<SecretBytes, StoreError> {
        envelope::seal(&self.first, key, &value.0)
    }

    /// Opens a value with the keys whose id it names.
    pub(super) fn open(&self, key: &str, value: &SecretBytes) -> Result<Opened, StoreError> {
        envelope::open(self, key, &value.0)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

/// The hash that identifies a key and tells nothing else of it.
pub(super) fn id_of(key: &[u8; 32]) -> [u8; ID_HASH_BYTES] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(b"atproto-oauth-store sealing key\0")
        .chain_update(key)
        .finalize()
        .into();
    let mut id = [0; ID_HASH_BYTES];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    id
}

pub(super) fn is_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_allowed)
}

pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes).map_err(|error| {
        let detail = format!("the operating system gives no random numbers: {error}");
        StoreError::new(StoreErrorKind::Unavailable, detail)
    })
}

fn from_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        for digit in pair {
            *byte = *byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(key)
}

fn from_base64(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.trim_end_matches('=');
    let mut key = Zeroizing::new([0; 32]);
    let decoded = if text.contains(['-', '_']) {
        Base64UrlUnpadded::decode(text, &mut *key)
    } else {
        Base64Unpadded::decode(text, &mut *key)
    };
    let length = decoded.ok()?.len();
    (length == 32).then_some(key)
}
