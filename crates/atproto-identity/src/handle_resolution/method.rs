//! The ways from a handle to its DID, and what each of them ended in.

use std::fmt;

use atproto_sansio::{Phase, TransportError};

use crate::error::{IdentityError, IdentityErrorKind};

/// A way from a handle to its DID.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Method {
    /// TXT records.
    Dns,
    /// TXT records, asked for through a configured service.
    DnsOverHttps,
    /// A file on the host that the handle names.
    Https,
}

/// What one method ended in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "it is a pair")]
pub struct MethodFailure {
    /// The method.
    pub method: Method,
    /// Why it brought no DID.
    pub error: IdentityError,
}

impl MethodFailure {
    /// Sorts `failures`, the most specific one first.
    pub(crate) fn sort(failures: &mut [Self]) {
        failures.sort_by_key(Self::rank);
    }

    /// The lower, the more it says about the handle.
    fn rank(&self) -> u8 {
        use IdentityErrorKind as Kind;
        match (&self.error, self.error.kind()) {
            // Next to a name server that knows of no DID, a host that can't be reached says the
            // same: there is nothing. Without one, it may be the network of this machine.
            (IdentityError::Transport(TransportError { phase: Phase::NotSent, .. }), _)
                if self.method == Method::Https =>
            {
                4
            }
            (IdentityError::Transport(TransportError { phase: Phase::Unsupported, .. }), _) => 5,
            (_, Kind::Blocked | Kind::InvalidRecord | Kind::Redirect) => 0,
            (_, Kind::Malformed | Kind::Status | Kind::Dns) => 1,
            (_, Kind::Transport) => 2,
            (_, Kind::NotFound) => 3,
            (
                _,
                Kind::ReservedTld
                | Kind::InvalidDid
                | Kind::UnsupportedMethod
                | Kind::Ambiguous
                | Kind::Tombstoned
                | Kind::DocumentIdMismatch
                | Kind::NoPds
                | Kind::InvalidPdsEndpoint
                | Kind::HandleMismatch,
            ) => 0,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "DNS",
            Self::DnsOverHttps => "DNS over HTTPS",
            Self::Https => "HTTPS",
        })
    }
}

impl fmt::Display for MethodFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}: {}", self.method, self.error)
    }
}
