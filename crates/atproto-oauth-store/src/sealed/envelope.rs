//! The format of a sealed value.
//!
//! ```text
//! magic (4) | format version (1) | length of the key id (1) | key id | nonce (24) | ciphertext | tag (16)
//! ```
//!
//! Authenticated with it: format version, key id, first segment of the record key, record key; each but
//! the last with its length in front.

use atproto_sansio::{SecretBytes, StoreError, StoreErrorKind};
use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};

use super::key::{SealingKey, SealingKeys, fill_random, is_id};
use crate::record::wiped;

/// No text and no CBOR value begins with these bytes.
const MAGIC: &[u8; 4] = b"\xffats";
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// A value that was opened.
pub(crate) struct Opened {
    pub(crate) value: SecretBytes,
    /// Whether the first key has sealed it.
    pub(crate) by_first: bool,
}

/// A sealed value in its parts.
struct Envelope<'a> {
    id: &'a str,
    nonce: &'a [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

pub(super) fn seal(by: &SealingKey, key: &str, plain: &[u8]) -> Result<SecretBytes, StoreError> {
    let mut nonce = [0; NONCE_BYTES];
    fill_random(&mut nonce)?;
    let id = by.id().as_bytes();

    // The capacity is exact, because a buffer that grows leaves a copy of the plain value behind.
    let header_bytes = MAGIC.len() + 2 + id.len() + NONCE_BYTES;
    let mut sealed = Vec::with_capacity(header_bytes + plain.len() + TAG_BYTES);
    sealed.extend_from_slice(MAGIC);
    sealed.extend_from_slice(&[FORMAT, length_byte(id)]);
    sealed.extend_from_slice(id);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);

    let (_, text) = sealed.split_at_mut(header_bytes);
    let tag = cipher(by)
        .encrypt_inout_detached(&XNonce::from(nonce), &associated_data(by.id(), key), text.into())
        .map_err(|_| StoreError::new(StoreErrorKind::TooLarge, "a value too large to be sealed"))?;
    sealed.extend_from_slice(&tag);
    Ok(SecretBytes(Bytes::from(sealed)))
}

pub(super) fn open(keys: &SealingKeys, key: &str, sealed: &[u8]) -> Result<Opened, StoreError> {
    let envelope = Envelope::parse(sealed)?;
    let associated_data = associated_data(envelope.id, key);
    let mut known = false;
    for (position, candidate) in keys.all().enumerate() {
        if candidate.id() != envelope.id {
            continue;
        }
        known = true;
        let mut plain = envelope.ciphertext.to_vec();
        let opened = cipher(candidate).decrypt_inout_detached(
            &XNonce::from(*envelope.nonce),
            &associated_data,
            plain.as_mut_slice().into(),
            &Tag::from(*envelope.tag),
        );
        if opened.is_ok() {
            return Ok(Opened { value: wiped(plain), by_first: position == 0 });
        }
    }
    let id = envelope.id;
    Err(unreadable(if known {
        format!(
            "it does not open with the sealing key `{id}` that it names; its value was changed, or \
             moved here from another record: restore it from a backup, or delete it"
        )
    } else {
        format!(
            "it was sealed by the key `{id}`, and this program does not have that key; add the key \
             with `SealingKeys::and_open_with`"
        )
    }))
}

impl<'a> Envelope<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, StoreError> {
        let Some(rest) = sealed.strip_prefix(MAGIC) else {
            return Err(unreadable(
                "it is not sealed, and this store takes only sealed records; it was written without \
                 `Sealed`: load it without `Sealed` and save it with it, or delete it",
            ));
        };
        let damaged = || unreadable("its seal is damaged; restore it from a backup, or delete it");
        let (&format, rest) = rest.split_first().ok_or_else(damaged)?;
        if format != FORMAT {
            return Err(unreadable(format!(
                "it has the sealing format {format}, and this version of the program reads only \
                 format {FORMAT}; update the program"
            )));
        }
        let (&length, rest) = rest.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_at_checked(length.into()).ok_or_else(damaged)?;
        let id = std::str::from_utf8(id).ok().filter(|id| is_id(id)).ok_or_else(damaged)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or_else(damaged)?;
        Ok(Self { id, nonce, ciphertext, tag })
    }
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

fn associated_data(id: &str, key: &str) -> Vec<u8> {
    let kind = key.split('/').next().unwrap_or_default();
    let mut data = vec![FORMAT, length_byte(id.as_bytes())];
    data.extend_from_slice(id.as_bytes());
    data.extend_from_slice(&u64::try_from(kind.len()).unwrap_or(u64::MAX).to_be_bytes());
    data.extend_from_slice(kind.as_bytes());
    data.extend_from_slice(key.as_bytes());
    data
}

/// The length of a key id, which is at most 32.
fn length_byte(id: &[u8]) -> u8 {
    u8::try_from(id.len()).unwrap_or(u8::MAX)
}

fn unreadable(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unreadable, detail)
}
