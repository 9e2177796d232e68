//! Why an identity could not be established.
//!
//! Text that came from the network is kept short and printed escaped; it is for people only.

use std::fmt;
use std::time::Duration;

use atproto_sansio::{Phase, TransportError};
use http::StatusCode;
use thiserror::Error;

use crate::handle_resolution::method::MethodFailure;
use crate::syntax::did::{Did, DidError};
use crate::syntax::handle::Handle;

/// Why an identity could not be established.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The handle lies under a domain that is never looked up.
    #[error("the handle {handle} can't resolve, because .{domain} is reserved")]
    ReservedTld {
        /// The handle.
        handle: Handle,
        /// The reserved top-level domain.
        domain: &'static str,
    },
    /// The DID is not one that AT Protocol can use.
    #[error(transparent)]
    Did(#[from] DidError),
    /// The DID is a `did:plc`, and the resolver was given no directory to ask.
    #[error("{0} can't resolve, because no PLC directory is configured")]
    NoDirectory(Did),
    /// DNS names more than one DID for the handle, so its owner has to remove all but one.
    #[error("DNS names {} DIDs for the handle {handle}, where one is allowed", dids.len())]
    Ambiguous {
        /// The handle.
        handle: Handle,
        /// The DIDs, in the order of their first record.
        dids: Vec<Did>,
    },
    /// No method resolved the handle.
    #[error("the handle {handle} does not resolve{}", Failures(failures))]
    Unresolved {
        /// The handle.
        handle: Handle,
        /// What each method ended in, the most specific one first.
        failures: Vec<MethodFailure>,
    },
    /// There is nothing under this name.
    #[error("nothing was found at {0}")]
    NotFound(String),
    /// There is something under this name, but not a DID.
    #[error("{at} holds {found:?}, which is not a DID that AT Protocol allows")]
    InvalidRecord {
        /// Where it is.
        at: String,
        /// What is there, cut short.
        found: String,
    },
    /// A redirect leads where it must not, or there are too many.
    #[error("a redirect to {to:?} was not followed: {rule}")]
    Redirect {
        /// Where it leads, cut short.
        to: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The account was removed from the network for good.
    #[error("the account {0} was deleted: its DID is tombstoned")]
    Tombstoned(Did),
    /// The reply is not what its specification asks for.
    #[error("the reply from {from} is malformed: {reason}")]
    Malformed {
        /// Who sent it.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The document is that of another DID.
    #[error("the DID document of {did} claims to be that of {found:?}")]
    DocumentIdMismatch {
        /// The DID that was resolved.
        did: Did,
        /// The `id` of its document, cut short.
        found: String,
    },
    /// The document names no server for the account.
    #[error("the DID document of {0} names no PDS, so the account has no server")]
    NoPds(Did),
    /// The document names a server by something else than the origin of an https URL.
    #[error("the DID document of {did} names the PDS {endpoint:?}, which can't be used: {rule}")]
    InvalidPdsEndpoint {
        /// The DID.
        did: Did,
        /// What the document names, cut short.
        endpoint: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The handle leads to an account that does not claim it.
    #[error("the handle {input} leads to {did}, whose document claims {}", claim(declared))]
    HandleMismatch {
        /// The handle that was resolved.
        input: Handle,
        /// The DID that it leads to.
        did: Did,
        /// The handle that the DID document claims.
        declared: Option<Handle>,
    },
    /// A server answered with a status that its specification does not know.
    #[error("{from} answered with status {}", status.as_u16())]
    Status {
        /// The host.
        from: String,
        /// The status.
        status: StatusCode,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// A name server answered that it failed.
    #[error("the name server at {from} failed with code {code}")]
    Dns {
        /// The host of the DNS over HTTPS service.
        from: String,
        /// The response code (RFC 1035, section 4.1.1).
        code: u16,
    },
    /// A call brought no reply.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// The kinds of [`IdentityError`]. They are stable: a program may decide by them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IdentityErrorKind {
    /// The handle lies under a domain that is never looked up.
    ReservedTld,
    /// The DID breaks a rule of the syntax or of its method.
    InvalidDid,
    /// The DID is of a method that is not, or not here, supported.
    UnsupportedMethod,
    /// DNS names more than one DID for the handle.
    Ambiguous,
    /// There is nothing under this name.
    NotFound,
    /// There is something under this name, but not a DID.
    InvalidRecord,
    /// A redirect leads where it must not, or there are too many.
    Redirect,
    /// The account was removed from the network for good.
    Tombstoned,
    /// A reply is not what its specification asks for.
    Malformed,
    /// The document is that of another DID.
    DocumentIdMismatch,
    /// The document names no server.
    NoPds,
    /// The document names a server that can't be used.
    InvalidPdsEndpoint,
    /// The handle leads to an account that does not claim it.
    HandleMismatch,
    /// A server answered with an unexpected status.
    Status,
    /// A name server answered that it failed.
    Dns,
    /// A call brought no reply.
    Transport,
    /// A policy forbade the call: it would have gone where it must not.
    Blocked,
}

impl IdentityError {
    /// What happened, as a value to decide by. Of several failures, the most specific one counts.
    pub fn kind(&self) -> IdentityErrorKind {
        match self {
            Self::ReservedTld { .. } => IdentityErrorKind::ReservedTld,
            Self::Did(DidError::UnsupportedMethod(_)) | Self::NoDirectory(_) => {
                IdentityErrorKind::UnsupportedMethod
            }
            Self::Did(DidError::Syntax(_) | DidError::Method { .. }) => {
                IdentityErrorKind::InvalidDid
            }
            Self::Ambiguous { .. } => IdentityErrorKind::Ambiguous,
            Self::Unresolved { failures, .. } => {
                failures.first().map_or(IdentityErrorKind::NotFound, |failure| failure.error.kind())
            }
            Self::NotFound(_) => IdentityErrorKind::NotFound,
            Self::InvalidRecord { .. } => IdentityErrorKind::InvalidRecord,
            Self::Redirect { .. } => IdentityErrorKind::Redirect,
            Self::Tombstoned(_) => IdentityErrorKind::Tombstoned,
            Self::Malformed { .. } => IdentityErrorKind::Malformed,
            Self::DocumentIdMismatch { .. } => IdentityErrorKind::DocumentIdMismatch,
            Self::NoPds(_) => IdentityErrorKind::NoPds,
            Self::InvalidPdsEndpoint { .. } => IdentityErrorKind::InvalidPdsEndpoint,
            Self::HandleMismatch { .. } => IdentityErrorKind::HandleMismatch,
            Self::Status { .. } => IdentityErrorKind::Status,
            Self::Dns { .. } => IdentityErrorKind::Dns,
            Self::Transport(error) if matches!(error.phase, Phase::Blocked(_)) => {
                IdentityErrorKind::Blocked
            }
            Self::Transport(_) => IdentityErrorKind::Transport,
        }
    }

    /// Whether the same question may have an answer later: the network or a server blinked.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unresolved { failures, .. } => {
                failures.first().is_some_and(|failure| failure.error.is_transient())
            }
            Self::Transport(error) => error.is_transient(),
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Dns { code, .. } => *code == SERVER_FAILURE,
            Self::ReservedTld { .. }
            | Self::Did(_)
            | Self::NoDirectory(_)
            | Self::Ambiguous { .. }
            | Self::NotFound(_)
            | Self::InvalidRecord { .. }
            | Self::Redirect { .. }
            | Self::Tombstoned(_)
            | Self::Malformed { .. }
            | Self::DocumentIdMismatch { .. }
            | Self::NoPds(_)
            | Self::InvalidPdsEndpoint { .. }
            | Self::HandleMismatch { .. } => false,
        }
    }

    /// How long the server that decided the matter asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        let decisive = match self {
            Self::Unresolved { failures, .. } => &failures.first()?.error,
            error => error,
        };
        if let Self::Status { retry_after, .. } = decisive { *retry_after } else { None }
    }
}

struct Failures<'a>(&'a [MethodFailure]);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}

fn claim(declared: &Option<Handle>) -> &str {
    declared.as_ref().map_or("no handle", Handle::as_str)
}

const SERVER_FAILURE: u16 = 2;
