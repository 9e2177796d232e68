//! Log entries for what happens to requests and sessions. No entry has a token in it.

use atproto_oauth_core::exports::{Retry, RetryReason};
use atproto_oauth_core::{SessionChange, SessionEvent, trace};
use atproto_sansio::{Body, Notice, TransportError};
use bytes::Bytes;
use http::{Request, Response};

/// Writes an entry for a request that is about to be sent, if somebody reads such entries. Returns whether
/// its reply is to be logged, too.
pub(crate) fn log_request(request: &Request<Body>) -> bool {
    let is_read = tracing::enabled!(tracing::Level::TRACE);
    if is_read {
        tracing::trace!("{}", trace::request(request));
    }
    is_read
}

/// Writes an entry for a reply.
pub(crate) fn log_reply(reply: Result<&Response<Bytes>, &TransportError>) {
    tracing::trace!("→ {}", trace::reply(reply));
}

/// Writes an entry for a notice of a known kind.
pub(crate) fn log_notice(notice: &Notice) {
    if let Some(event) = notice.downcast_ref::<SessionEvent>() {
        log(event);
    }
    match notice.downcast_ref::<Retry>() {
        Some(retry @ Retry { reason: RetryReason::Clock(_), .. }) => {
            tracing::warn!("{retry}; the request is sent again with the server's time");
        }
        Some(retry) => tracing::debug!("{retry}; the request is sent again"),
        None => {}
    }
}

fn log(event: &SessionEvent) {
    let session = &event.key;
    match &event.change {
        SessionChange::RefreshFailed(error) => {
            tracing::error!(%session, %error, "the session could not be renewed");
        }
        SessionChange::NotSaved(unsaved) => {
            tracing::error!(%session, error = %unsaved.error, "new tokens could not be saved");
        }
        SessionChange::LoggedOut(Err(error)) => {
            tracing::warn!(%session, %error, "logged out, but the tokens could not be revoked");
        }
        SessionChange::LateTokensRevoked(Err(error)) => {
            tracing::warn!(%session, %error, "new tokens of an ended session could not be revoked");
        }
        SessionChange::Deleted(cause) => tracing::warn!(%session, %cause, "the session has ended"),
        SessionChange::NeedsReauth(cause) => {
            tracing::warn!(%session, %cause, "the user has to log in again");
        }
        SessionChange::NonceMissing(endpoint) => {
            tracing::warn!(%session, %endpoint, "a response without DPoP-Nonce");
        }
        change => tracing::debug!(%session, ?change, "the session has changed"),
    }
}
