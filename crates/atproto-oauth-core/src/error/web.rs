//! Status with which a web application reports an error to its user.

use http::StatusCode;

use crate::error::{Error, ErrorKind};

impl Error {
    /// The HTTP status with which a web application answers its own user: 503 if the error is
    /// [retryable](Error::is_retryable), and the status of the table at [`ErrorKind`] otherwise.
    ///
    /// [`http_status`](Error::http_status) is another one: the status of a response that the client
    /// got.
    pub fn web_status(&self) -> StatusCode {
        if self.is_retryable() {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        match self.kind() {
            ErrorKind::Config | ErrorKind::Store => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Input
            | ErrorKind::Identity
            | ErrorKind::Policy
            | ErrorKind::Authorization => StatusCode::BAD_REQUEST,
            ErrorKind::Token | ErrorKind::Session => StatusCode::UNAUTHORIZED,
            ErrorKind::Discovery | ErrorKind::Network | ErrorKind::Dpop | ErrorKind::Resource => {
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::{CallbackProblem, ConfigError, DeletedCause, SessionError};

    #[test]
    fn a_web_application_answers_with_the_status_of_the_kind() {
        let retry_later = SessionError::RetryLater { after: Duration::from_secs(3) };
        let ended = SessionError::Ended(DeletedCause::Revoked);
        for (error, status, needs_login) in [
            (Error::from(ConfigError::NoStore), 500, false),
            (CallbackProblem::OtherBrowser.into(), 400, false),
            (ended.into(), 401, true),
            (SessionError::NotFound.into(), 401, true),
            (retry_later.into(), 503, false),
        ] {
            assert_eq!(error.web_status(), status, "{error}");
            assert_eq!(error.needs_login(), needs_login, "{error}");
        }
    }
}
