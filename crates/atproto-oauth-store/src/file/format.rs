//! A record as the bytes of a file.
//!
//! ```text
//! atproto-oauth-store record 1\n                    the format and its version
//! version          8 bytes, big-endian
//! has an expiry    1 byte, 0 or 1
//! expiry           8 bytes, big-endian, seconds since 1970
//! key length       4 bytes, big-endian
//! value length     4 bytes, big-endian
//! key
//! checksum        32 bytes, SHA-256 of all bytes above
//! value
//! checksum        32 bytes, SHA-256 of all bytes above
//! ```
//!
//! The key makes a file that was moved or copied to another name unreadable there. The checksums
//! recognise damage, and are no protection against a writer with access to the directory.

use atproto_sansio::{Record, SecretBytes, UnixTime, Version};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::key::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

const FORMAT: &[u8] = b"atproto-oauth-store record 1\n";

/// The beginning that all versions of the format share.
const FAMILY: &[u8] = b"atproto-oauth-store record ";

const CHECKSUM: usize = 32;

/// Size of a file with the largest key and the largest value.
pub(super) const MAX_FILE: usize =
    FORMAT.len() + 8 + 1 + 8 + 4 + 4 + MAX_KEY_BYTES + MAX_VALUE_BYTES + 2 * CHECKSUM;

/// The part of a file in front of the value.
pub(super) struct Header<'a> {
    pub(super) key: &'a str,
    pub(super) version: Version,
    pub(super) expires_at: Option<UnixTime>,
    value_length: usize,
    /// Bytes of the whole header, with its checksum.
    length: usize,
}

/// The bytes of a file. They are wiped when they are dropped.
pub(super) fn encode(
    key: &str,
    value: &[u8],
    version: Version,
    expires_at: Option<UnixTime>,
) -> Zeroizing<Vec<u8>> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    // With enough capacity from the start, no copy of the value is left behind.
    let mut file = Zeroizing::new(Vec::with_capacity(MAX_FILE - MAX_VALUE_BYTES + value.len()));
    file.extend_from_slice(FORMAT);
    file.extend_from_slice(&version.0.to_be_bytes());
    file.push(expires_at.is_some().into());
    file.extend_from_slice(&expires_at.map_or(0, UnixTime::as_secs).to_be_bytes());
    file.extend_from_slice(&length(key.len()));
    file.extend_from_slice(&length(value.len()));
    file.extend_from_slice(key.as_bytes());
    let header = Sha256::digest(&*file);
    file.extend_from_slice(&header);
    file.extend_from_slice(value);
    let whole = Sha256::digest(&*file);
    file.extend_from_slice(&whole);
    file
}

/// Reads the header of a file, without its value. The error describes the file.
pub(super) fn header(file: &[u8]) -> Result<Header<'_>, &'static str> {
    const TRUNCATED: &str = "is truncated";
    let Some(mut rest) = file.strip_prefix(FORMAT) else {
        return Err(if file.starts_with(FAMILY) && file.len() > FORMAT.len() {
            "has a format that this version of the program does not know"
        } else {
            "is no record"
        });
    };
    let version = u64::from_be_bytes(take(&mut rest).ok_or(TRUNCATED)?);
    let [has_expiry] = take(&mut rest).ok_or(TRUNCATED)?;
    let expiry = u64::from_be_bytes(take(&mut rest).ok_or(TRUNCATED)?);
    let key_length = u32::from_be_bytes(take(&mut rest).ok_or(TRUNCATED)?) as usize;
    let value_length = u32::from_be_bytes(take(&mut rest).ok_or(TRUNCATED)?) as usize;
    let (key, rest) = rest.split_at_checked(key_length).ok_or(TRUNCATED)?;
    let covered = file.len() - rest.len();
    check(file, covered)?;
    Ok(Header {
        key: std::str::from_utf8(key).map_err(|_| "has a key that is no text")?,
        version: Version(version),
        expires_at: (has_expiry == 1).then(|| UnixTime::from_secs(expiry)),
        value_length,
        length: covered + CHECKSUM,
    })
}

/// Reads the record under `key` from its file. The error describes the file.
pub(super) fn decode(file: Zeroizing<Vec<u8>>, key: &str) -> Result<Record, &'static str> {
    let header = header(&file)?;
    if header.key != key {
        return Err("is the record of another key");
    }
    let value = header.length..header.length + header.value_length;
    if file.len() != value.end + CHECKSUM {
        return Err("is truncated or has bytes at its end");
    }
    check(&file, value.end)?;
    let (version, expires_at) = (header.version, header.expires_at);
    // The bytes keep the whole file, and it is wiped with them.
    let value = SecretBytes(Bytes::from_owner(file).slice(value));
    Ok(Record { value, version, expires_at })
}

/// Compares the first `covered` bytes with the checksum behind them.
fn check(file: &[u8], covered: usize) -> Result<(), &'static str> {
    let (covered, rest) = file.split_at_checked(covered).ok_or("is truncated")?;
    let checksum: [u8; CHECKSUM] = *rest.first_chunk().ok_or("is truncated")?;
    if Sha256::digest(covered)[..] != checksum {
        return Err("is damaged: its checksum is wrong");
    }
    Ok(())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}
