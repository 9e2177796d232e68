//! Versions, conditions, and values that are wiped: what the stores of this crate share.

use atproto_sansio::{Deleted, Expect, SecretBytes, StoreError, StoreErrorKind, UnixTime, Version};
use bytes::Bytes;
use zeroize::Zeroize;

/// A version that no other write has: 64 random bits. A counter is no substitute, because a restored
/// backup would count some versions again.
///
/// # Errors
///
/// [`StoreErrorKind::Unavailable`] if the operating system gives no random numbers.
pub fn new_version() -> Result<Version, StoreError> {
    getrandom::u64().map(Version).map_err(|error| {
        let detail = format!("the operating system gives no random numbers: {error}");
        StoreError::new(StoreErrorKind::Unavailable, detail)
    })
}

/// Whether a write may happen, if the record under its key has the version `present` (`None`: there is
/// no record).
pub fn is_met(expect: Expect, present: Option<Version>) -> bool {
    match expect {
        Expect::Absent => present.is_none(),
        Expect::Version(version) => present == Some(version),
        Expect::Any => true,
    }
}

/// The reply to a removal that finds a record of the version `present`. `None`: the record is to be
/// removed.
pub(crate) fn deletion(expect: Expect, present: Option<Version>) -> Option<Deleted> {
    match present {
        None => Some(Deleted::Yes),
        Some(_) if is_met(expect, present) => None,
        Some(_) => Some(Deleted::Conflict),
    }
}

/// Bytes that are wiped when their last reader drops them.
pub(crate) fn wiped<T>(value: T) -> SecretBytes
where
    T: AsRef<[u8]> + Zeroize + Send + 'static,
    zeroize::Zeroizing<T>: AsRef<[u8]>,
{
    SecretBytes(Bytes::from_owner(zeroize::Zeroizing::new(value)))
}

/// The expiry in whole seconds, as the stores of this crate keep it. Its largest value fits a column
/// of 64 bits with a sign.
pub(crate) fn whole_seconds(expires_at: Option<UnixTime>) -> Option<UnixTime> {
    let largest = i64::MAX.unsigned_abs();
    expires_at.map(|time| UnixTime::from_secs(time.as_secs().min(largest)))
}
