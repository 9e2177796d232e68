//! Classes of [`IdentityError`] for programs: temporary, suspected attack, status and `Retry-After`
//! of a server.
//!
//! An error of several methods or directories has the class of each failure in it, because one of
//! them alone could have led to a result. Its kind is that of the most serious failure, which
//! comes first in its list.

use std::time::Duration;

use atproto_sansio::{Phase, TransportError, is_transient};
use http::StatusCode;

use crate::error::{IdentityError, IdentityErrorKind};

impl IdentityError {
    /// Returns whether the same resolution can succeed later, because the error, or one of the
    /// failures in it, is a temporary failure of the network or of a server. 5xx, 429 and 408
    /// are temporary.
    ///
    /// If DNS has answered, a host that can't be reached by HTTPS counts as absent, because a
    /// mistyped handle has no host.
    pub fn is_transient(&self) -> bool {
        self.failures().into_iter().any(|error| match error {
            Self::Transport(error) => error.is_transient(),
            Self::Status { status, .. } => is_transient(*status),
            Self::Dns { code, .. } => *code == SERVER_FAILURE,
            Self::ReservedTld { .. }
            | Self::Did(_)
            | Self::NoDirectory(_)
            | Self::Ambiguous { .. }
            | Self::Unresolved { .. }
            | Self::Directories { .. }
            | Self::NotFound { .. }
            | Self::InvalidRecord { .. }
            | Self::Redirect { .. }
            | Self::Tombstoned(_)
            | Self::Malformed { .. }
            | Self::DocumentIdMismatch { .. }
            | Self::NoPds(_)
            | Self::InvalidPdsEndpoint { .. }
            | Self::HandleMismatch { .. } => false,
        })
    }

    /// Returns whether the error may be caused by an attack: the network policy forbids the host
    /// that a handle, a redirect or a DID document leads to, for example a private address.
    pub fn is_security(&self) -> bool {
        self.failures().into_iter().any(|error| match error {
            Self::Transport(error) => matches!(error.phase, Phase::Blocked(_)),
            Self::InvalidPdsEndpoint { forbidden_host, .. } => *forbidden_host,
            _ => false,
        })
    }

    /// Returns whether a limit of this client stopped the resolution: the network policy
    /// ([`is_security`](Self::is_security)), or the size of a reply.
    pub fn blocked(&self) -> bool {
        let is_too_large = |error: &Self| match error {
            Self::Transport(error) => error.phase == Phase::TooLarge,
            _ => false,
        };
        self.is_security() || self.failures().into_iter().any(is_too_large)
    }

    /// Returns whether the network or a name server failed, so that the resolution says nothing
    /// about the account. A reply with an error status is not such a failure.
    pub fn is_network(&self) -> bool {
        let failures = self.failures();
        let is_call = |error: &&Self| matches!(error, Self::Transport(_) | Self::Dns { .. });
        let failed = failures.iter().filter(|error| is_call(error));
        !self.blocked()
            && (failed.clone().any(|error| error.is_transient())
                || failed.count() == failures.len())
    }

    /// Returns the longest `Retry-After` of the responses that caused the error, if one has it.
    pub fn retry_after(&self) -> Option<Duration> {
        let retry_after = |error: &Self| match error {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Transport(error) => error.retry_after,
            _ => None,
        };
        self.failures().into_iter().filter_map(retry_after).max()
    }

    /// Returns the HTTP status of the error response that caused the error; of several, that of the
    /// most serious failure.
    pub fn http_status(&self) -> Option<StatusCode> {
        self.failures().into_iter().find_map(|error| match error {
            Self::Status { status, .. } => Some(*status),
            Self::NotFound { status, .. } => *status,
            Self::Tombstoned(_) => Some(StatusCode::GONE),
            _ => None,
        })
    }

    /// Rank of the error among several failures; a lower rank is more serious.
    pub(crate) fn rank(&self) -> u8 {
        use IdentityErrorKind as Kind;
        if self.is_security() {
            return 0;
        }
        if self.blocked() {
            return 1;
        }
        if self.is_transient() {
            return 2;
        }
        match self.kind() {
            Kind::Malformed | Kind::Status | Kind::Dns => 4,
            Kind::NotFound => 5,
            // The driver has no DNS, which says nothing about the handle.
            Kind::Transport => 7,
            Kind::ReservedTld
            | Kind::InvalidDid
            | Kind::UnsupportedMethod
            | Kind::Ambiguous
            | Kind::InvalidRecord
            | Kind::Redirect
            | Kind::Tombstoned
            | Kind::DocumentIdMismatch
            | Kind::NoPds
            | Kind::InvalidPdsEndpoint
            | Kind::HandleMismatch
            | Kind::Blocked => 3,
        }
    }

    /// The failures that decide the class of the error, the most serious one first: those of the
    /// methods or directories, or the error itself.
    fn failures(&self) -> Vec<&Self> {
        match self {
            Self::Unresolved { failures, .. } => {
                let dns_answered = failures.iter().any(|failure| failure.is_answer_of_dns());
                let failures = failures.iter();
                failures
                    .filter(|failure| !(dns_answered && failure.is_unreachable_host()))
                    .map(|failure| &failure.error)
                    .collect()
            }
            Self::Directories { failures, .. } => failures.iter().collect(),
            single => vec![single],
        }
    }

    /// Whether the call was not sent.
    pub(crate) fn is_not_sent(&self) -> bool {
        matches!(self, Self::Transport(TransportError { phase: Phase::NotSent, .. }))
    }
}

const SERVER_FAILURE: u16 = 2;
