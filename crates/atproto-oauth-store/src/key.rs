//! Keys, prefixes and values: the checks that a store makes before it does anything.

use atproto_sansio::{SecretBytes, StoreError, StoreErrorKind};

/// Largest key of [`MemoryStore`](crate::MemoryStore), `FileStore` and `SqliteStore`, in bytes of
/// UTF-8.
pub const MAX_KEY_BYTES: usize = 2 * 1024;

/// Largest number of segments in a key of [`MemoryStore`](crate::MemoryStore), `FileStore` and
/// `SqliteStore`.
pub const MAX_SEGMENTS: usize = 16;

/// Largest value of [`MemoryStore`](crate::MemoryStore), `FileStore` and `SqliteStore`, in bytes.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Number of entries on a page of a listing.
pub(crate) const PAGE: usize = 100;

/// Refuses a key that is too large, or that is not one or more segments with `/` between them, as
/// [`Store`](crate::Store) requires. The limits are [`MAX_KEY_BYTES`] and [`MAX_SEGMENTS`].
///
/// # Errors
///
/// [`StoreErrorKind::TooLarge`] or [`StoreErrorKind::Invalid`].
pub fn check_key(key: &str) -> Result<(), StoreError> {
    check_size(key)?;
    if key.split('/').any(str::is_empty) {
        return Err(invalid("a key has an empty segment; begin and end a key without `/`"));
    }
    Ok(())
}

/// Refuses a prefix that is too large, or that is neither empty nor whole segments with a `/` behind
/// each, as [`Store::list`](crate::Store::list) requires.
///
/// # Errors
///
/// [`StoreErrorKind::TooLarge`] or [`StoreErrorKind::Invalid`].
pub fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    let Some(segments) = prefix.strip_suffix('/') else {
        return if prefix.is_empty() {
            Ok(())
        } else {
            Err(invalid("a prefix ends within a segment; write a `/` behind its last segment"))
        };
    };
    check_size(segments)?;
    if segments.split('/').any(str::is_empty) {
        return Err(invalid("a prefix has an empty segment"));
    }
    Ok(())
}

/// Refuses a value of more than [`MAX_VALUE_BYTES`].
///
/// # Errors
///
/// [`StoreErrorKind::TooLarge`].
pub fn check_value(value: &SecretBytes) -> Result<(), StoreError> {
    let length = value.0.len();
    if length > MAX_VALUE_BYTES {
        let detail = format!("a value of {length} bytes; the limit is {MAX_VALUE_BYTES}");
        return Err(StoreError::new(StoreErrorKind::TooLarge, detail));
    }
    Ok(())
}

/// The position of a listing is of another listing, or of another store.
pub(crate) fn foreign_position() -> StoreError {
    invalid("`after` is no position of this listing; pass `next` of the page before")
}

pub(crate) fn invalid(detail: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, detail)
}

fn check_size(key: &str) -> Result<(), StoreError> {
    let too_large = |detail| Err(StoreError::new(StoreErrorKind::TooLarge, detail));
    let length = key.len();
    if length > MAX_KEY_BYTES {
        return too_large(format!("a key of {length} bytes; the limit is {MAX_KEY_BYTES}"));
    }
    let segments = key.split('/').count();
    if segments > MAX_SEGMENTS {
        return too_large(format!("a key of {segments} segments; the limit is {MAX_SEGMENTS}"));
    }
    Ok(())
}
