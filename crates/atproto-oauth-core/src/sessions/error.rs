//! The error of managed sessions, with the tokens that could not be saved.

use atproto_sansio::StoreError;
use thiserror::Error;

use crate::error::{Error, InputError, SessionError};
use crate::sessions::event::Unsaved;

/// Failure of an operation on a stored session.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{error}")]
#[non_exhaustive]
pub struct SessionsError {
    /// Cause of the failure. [`SessionError`](crate::SessionError) says whether the session has
    /// ended.
    #[source]
    pub error: Error,
    /// New tokens that the store could not save: the only usable ones of the session. A program that
    /// can save them elsewhere does so.
    pub unsaved: Option<Unsaved>,
}

impl From<Error> for SessionsError {
    fn from(error: Error) -> Self {
        Self { error, unsaved: None }
    }
}

impl From<SessionError> for SessionsError {
    fn from(error: SessionError) -> Self {
        Error::from(error).into()
    }
}

impl From<StoreError> for SessionsError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<InputError> for SessionsError {
    fn from(error: InputError) -> Self {
        Error::from(error).into()
    }
}

/// Keeps the cause alone: the unsaved tokens are dropped.
impl From<SessionsError> for Error {
    fn from(error: SessionsError) -> Self {
        error.error
    }
}
