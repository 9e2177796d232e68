//! Errors of SQLite as errors of a store. SQLite's messages name tables and columns, never values.

use atproto_sansio::{StoreError, StoreErrorKind};
use rusqlite::{Error, ErrorCode};

/// A read failed.
pub(super) fn read_failed(error: &Error) -> StoreError {
    StoreError::new(kind(error), detail(error))
}

/// A write failed. If SQLite can't say that it was rolled back, it may have been applied.
pub(super) fn write_failed(error: &Error) -> StoreError {
    let kind = kind(error);
    let code = error.sqlite_error_code();
    let is_rolled_back = kind != StoreErrorKind::Unavailable
        || matches!(
            code,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
        );
    if is_rolled_back {
        return StoreError::new(kind, detail(error));
    }
    StoreError::maybe_applied(detail(error))
}

pub(super) fn misconfigured(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, detail)
}

fn kind(error: &Error) -> StoreErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => StoreErrorKind::Unreadable,
        Some(ErrorCode::TooBig) => StoreErrorKind::TooLarge,
        Some(
            ErrorCode::NotADatabase
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied
            | ErrorCode::ConstraintViolation
            // A missing table, or a statement that the table does not fit.
            | ErrorCode::Unknown,
        ) => StoreErrorKind::Misconfigured,
        Some(_) => StoreErrorKind::Unavailable,
        // A column of another type.
        None => StoreErrorKind::Unreadable,
    }
}

fn detail(error: &Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has held the lock of the database for 5 seconds".to_owned()
        }
        _ => format!("SQLite: {error}"),
    }
}
