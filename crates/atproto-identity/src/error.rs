//! [`IdentityError`]: the reasons why a resolution fails, and their kinds.
//!
//! Text from the network is cut to 200 characters, without control characters. It is for logs only.

use std::fmt;
use std::time::Duration;

use atproto_sansio::{Phase, TransportError, printable};
use http::StatusCode;
use thiserror::Error;

use crate::handle_resolution::method::MethodFailure;
use crate::syntax::did::{Did, DidError};
use crate::syntax::handle::Handle;

/// Error of the resolution of a handle, a DID or an account.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The handle is below a reserved top-level domain, which is never looked up.
    #[error("the handle {handle} can't be resolved, because .{domain} is reserved{}", hint(domain))]
    ReservedTld {
        /// The handle.
        handle: Handle,
        /// The reserved top-level domain.
        domain: &'static str,
    },
    /// AT Protocol can't use the DID.
    #[error(transparent)]
    Did(#[from] DidError),
    /// The DID is a `did:plc`, and
    /// [`Resolver::with_directories`](crate::Resolver::with_directories) was given an empty list.
    #[error("{0} can't be resolved, because no PLC directory is configured (`with_directories`)")]
    NoDirectory(Did),
    /// DNS names more than one DID for the handle. The owner of the handle must remove all but one
    /// of the TXT records.
    #[error(
        "DNS names {} DIDs for the handle {handle}: {}; its owner must remove all but one TXT record",
        dids.len(),
        first_two(dids)
    )]
    Ambiguous {
        /// The handle.
        handle: Handle,
        /// The DIDs, in the order of their first record.
        dids: Vec<Did>,
    },
    /// No method resolved the handle.
    #[error(
        "the handle {handle} does not resolve{}{}",
        list(failures),
        server_hint(handle, failures)
    )]
    Unresolved {
        /// The handle.
        handle: Handle,
        /// Error of each method, the most serious error first.
        failures: Vec<MethodFailure>,
    },
    /// Several PLC directories were asked for the DID, and none has returned its document.
    #[error("{did} does not resolve{}", list(failures))]
    Directories {
        /// The DID.
        did: Did,
        /// Error of each directory, the most serious error first.
        failures: Vec<Self>,
    },
    /// The DNS name or URL has no DID or DID document.
    #[error("nothing was found at {at}")]
    NotFound {
        /// The DNS name, or host and path of the URL.
        at: String,
        /// The HTTP status of the host; `None` for DNS.
        status: Option<StatusCode>,
    },
    /// The TXT record or the host of the handle holds a text that is not an allowed DID.
    #[error("{at} holds {found:?}, which is not a DID that AT Protocol allows")]
    InvalidRecord {
        /// The TXT record or the URL.
        at: String,
        /// The text that was found, cut to 200 characters.
        found: String,
    },
    /// The target of a redirect is not allowed, or there are too many redirects.
    #[error("a redirect to {to:?} was not followed: {rule}")]
    Redirect {
        /// Target of the redirect, cut to 200 characters.
        to: String,
        /// The rule that the redirect breaks.
        rule: &'static str,
    },
    /// The PLC directory says that the DID was deactivated for good (410).
    #[error("the account {0} was deleted: its DID is tombstoned")]
    Tombstoned(Did),
    /// The reply violates its specification.
    #[error("the reply from {from} is malformed: {reason}")]
    Malformed {
        /// Host and path of the reply, or the DID of the document.
        from: String,
        /// The error of the parser.
        reason: String,
    },
    /// The `id` of the DID document is another DID.
    #[error("the DID document of {did} claims to be that of {found:?}")]
    DocumentIdMismatch {
        /// The DID that was resolved.
        did: Did,
        /// The `id` of its document, cut to 200 characters.
        found: String,
    },
    /// The DID document has no service entry for a PDS.
    #[error("the DID document of {0} names no PDS, so the account has no server")]
    NoPds(Did),
    /// The PDS in the DID document is not the origin of an https URL.
    #[error("the DID document of {did} names the PDS {endpoint:?}, which can't be used: {rule}")]
    InvalidPdsEndpoint {
        /// The DID of the document.
        did: Did,
        /// The service endpoint in the document, cut to 200 characters.
        endpoint: Box<str>,
        /// The rule that the endpoint breaks.
        rule: &'static str,
        /// Whether the network policy forbids the host, for example because it is an IP address.
        forbidden_host: bool,
    },
    /// The handle leads to a DID whose document does not claim the handle.
    #[error("the handle {input} leads to {did}, whose document claims {}", claim(declared))]
    HandleMismatch {
        /// The handle that was resolved.
        input: Handle,
        /// The DID that it leads to.
        did: Did,
        /// The handle that the DID document claims; `None` if it claims no valid handle.
        declared: Option<Handle>,
    },
    /// A server answered with an HTTP status that the specification does not define here.
    #[error("{from} answered with status {}", status.as_u16())]
    Status {
        /// Host and path of the request.
        from: String,
        /// The HTTP status.
        status: StatusCode,
        /// The `Retry-After` header of the response, at most one day.
        retry_after: Option<Duration>,
    },
    /// The DNS over HTTPS service answered with a DNS error.
    #[error("the name server at {from} failed with DNS response code {code}")]
    Dns {
        /// The host of the DNS over HTTPS service.
        from: String,
        /// The response code (RFC 1035, section 4.1.1).
        code: u16,
    },
    /// A call failed, so there is no reply.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// The kinds of [`IdentityError`]. The kinds are stable, so a program may match on them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IdentityErrorKind {
    /// The handle is below a reserved top-level domain, which is never looked up.
    ReservedTld,
    /// The DID breaks a rule of the DID syntax or of its method.
    InvalidDid,
    /// AT Protocol does not use the DID method, or no PLC directory is configured.
    UnsupportedMethod,
    /// DNS names more than one DID for the handle.
    Ambiguous,
    /// The DNS name, URL or directory has no DID or DID document.
    NotFound,
    /// The TXT record or the host of the handle holds a text that is not an allowed DID.
    InvalidRecord,
    /// The target of a redirect is not allowed, or there are too many redirects.
    Redirect,
    /// The PLC directory says that the DID was deactivated for good.
    Tombstoned,
    /// A reply violates its specification.
    Malformed,
    /// The `id` of the DID document is another DID.
    DocumentIdMismatch,
    /// The DID document has no service entry for a PDS.
    NoPds,
    /// The PDS in the DID document is not the origin of an https URL.
    InvalidPdsEndpoint,
    /// The handle leads to a DID whose document does not claim the handle.
    HandleMismatch,
    /// A server answered with an unexpected HTTP status.
    Status,
    /// The DNS over HTTPS service answered with a DNS error.
    Dns,
    /// A call failed, so there is no reply.
    Transport,
    /// The network policy forbids the call; see [`Rule`](atproto_sansio::Rule).
    Blocked,
}

impl IdentityError {
    /// Returns the kind of the error. For [`Unresolved`](Self::Unresolved) and
    /// [`Directories`](Self::Directories), it is the kind of the most serious failure, or `NotFound`
    /// if there is none.
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
            Self::Directories { failures, .. } => {
                failures.first().map_or(IdentityErrorKind::NotFound, Self::kind)
            }
            Self::NotFound { .. } => IdentityErrorKind::NotFound,
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
}

fn list<T: fmt::Display>(failures: &[T]) -> String {
    failures.iter().map(|failure| format!("; {failure}")).collect()
}

/// The way out for a handle below `.test`; empty for any other reserved domain.
fn hint(domain: &str) -> &'static str {
    match domain {
        "test" => "; `development()` allows it",
        _ => "",
    }
}

/// The first two of several DIDs, and the number of the others.
fn first_two(dids: &[Did]) -> String {
    let shown: Vec<String> = dids.iter().take(2).map(printable).collect();
    match dids.len().saturating_sub(shown.len()) {
        0 => shown.join(" and "),
        others => format!("{} and {others} more", shown.join(", ")),
    }
}

/// A hint for people who type the name of their server. Empty if a failure may be temporary.
fn server_hint(handle: &Handle, failures: &[MethodFailure]) -> String {
    let is_unknown = |failure: &MethodFailure| {
        matches!(
            failure.error.kind(),
            IdentityErrorKind::NotFound | IdentityErrorKind::InvalidRecord
        )
    };
    if failures.iter().all(is_unknown) {
        format!("; if it is a server and not a handle, give https://{handle}")
    } else {
        String::new()
    }
}

fn claim(declared: &Option<Handle>) -> &str {
    declared.as_ref().map_or("no handle", Handle::as_str)
}
