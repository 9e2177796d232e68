//! Error message and exit code of the command.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use atproto_oauth_core::xrpc::XrpcError;
use atproto_oauth_core::{
    CallbackError, Denied, Error, ErrorKind, FinishLoginError, InputError, RefreshError,
    SessionError, SessionsError,
};

/// Failure of the command: the message on stderr, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

pub(crate) const REFUSED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const CONFIGURATION: u8 = 3;
pub(crate) const NOT_FOUND: u8 = 4;
pub(crate) const DENIED: u8 = 5;
pub(crate) const SESSION_OVER: u8 = 6;
pub(crate) const NETWORK: u8 = 7;
pub(crate) const SECURITY: u8 = 8;
/// Exit code of a shell for a command that a signal has ended.
pub(crate) const INTERRUPTED: u8 = 130;

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), code }
    }

    /// Failure to read, write or lock a file; `what` names the file, for example `the session
    /// file`.
    pub(crate) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(CONFIGURATION, format!("can't access {what} {}: {error}", path.display()))
    }

    /// Adds a clause to the message.
    pub(crate) fn and(mut self, clause: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(clause);
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            _ if error.is_security() => SECURITY,
            _ if matches!(error, Error::Denied(Denied { .. })) => DENIED,
            _ if error.is_retryable() => NETWORK,
            _ if error.http_status().is_some_and(|status| status.is_server_error()) => NETWORK,
            _ if matches!(error, Error::Session(SessionError::NotSaved(_))) => CONFIGURATION,
            ErrorKind::Config | ErrorKind::Store => CONFIGURATION,
            ErrorKind::Input => USAGE,
            ErrorKind::Identity | ErrorKind::Discovery => NOT_FOUND,
            ErrorKind::Authorization | ErrorKind::Token | ErrorKind::Dpop => DENIED,
            ErrorKind::Session => SESSION_OVER,
            ErrorKind::Policy => SECURITY,
            ErrorKind::Resource => REFUSED,
            _ => NETWORK,
        };
        Self::new(code, error.to_string())
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Error::from(error).into()
    }
}

impl From<FinishLoginError> for Failure {
    fn from(error: FinishLoginError) -> Self {
        // Its text says, too, whether tokens that had to be revoked were revoked.
        let message = error.to_string();
        Self { message, ..error.error.into() }
    }
}

impl From<CallbackError> for Failure {
    fn from(error: CallbackError) -> Self {
        let message = error.to_string();
        Self { message, ..error.error.into() }
    }
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        let message = error.to_string();
        Self { message, ..error.error.into() }
    }
}

impl From<SessionsError> for Failure {
    fn from(error: SessionsError) -> Self {
        error.error.into()
    }
}

impl From<XrpcError> for Failure {
    fn from(error: XrpcError) -> Self {
        Self::new(REFUSED, error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
