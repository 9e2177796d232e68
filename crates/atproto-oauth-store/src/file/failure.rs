//! Errors of the file store, with a path in place of a key.

use std::io;

use atproto_sansio::{StoreError, StoreErrorKind};

use super::path::RecordPath;

pub(super) fn misconfigured(detail: String) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, detail)
}

/// The file of a record, or a folder above it, is something else. The store keeps it as it is.
pub(super) fn unreadable(path: &RecordPath, what: &str) -> StoreError {
    let detail = format!("{path} {what}; restore it from a backup, or remove it by hand");
    StoreError::new(StoreErrorKind::Unreadable, detail)
}

/// An operation on a file failed before anything was changed.
pub(super) fn failed(path: &RecordPath, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::NotADirectory {
        return unreadable(path, "is below a link or a file, and not below folders");
    }
    StoreError::new(StoreErrorKind::Unavailable, format!("{path}: {error}"))
}

/// An operation on a file failed, and may have changed it.
pub(super) fn failed_halfway(path: &RecordPath, error: &io::Error) -> StoreError {
    StoreError::maybe_applied(format!("{path}: {error}"))
}

/// The path for a shell, in quotes if necessary.
#[cfg(unix)]
pub(super) fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
