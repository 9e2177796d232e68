//! [`ResolutionMethod`]: the methods of resolving a handle, and the ranking of their errors.

use std::fmt;

use atproto_sansio::{Phase, TransportError};

use crate::error::{IdentityError, IdentityErrorKind};

/// A method of resolving a handle to its DID.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ResolutionMethod {
    /// DNS TXT records, from the driver's DNS.
    Dns,
    /// DNS TXT records, from a configured DNS over HTTPS service.
    DnsOverHttps,
    /// The file `/.well-known/atproto-did` on the host of the handle.
    Https,
}

/// A method of handle resolution that failed, and its error.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a failure has a method and an error, nothing else")]
pub struct MethodFailure {
    /// The method that failed.
    pub method: ResolutionMethod,
    /// Error of the method.
    pub error: IdentityError,
}

impl MethodFailure {
    /// Sorts `failures`, the most specific one first.
    pub(crate) fn sort(failures: &mut [Self]) {
        failures.sort_by_key(Self::rank);
    }

    /// Rank of the error; a lower rank is more specific to the handle.
    fn rank(&self) -> u8 {
        use IdentityErrorKind as Kind;
        match (&self.error, self.error.kind()) {
            // If DNS answers that there is no DID, and the host can't be reached, the handle has no
            // DID: `NotFound` of DNS (3) comes before this error. If DNS failed, too, its error (2)
            // comes first, because the network of this machine may be down.
            (IdentityError::Transport(TransportError { phase: Phase::NotSent, .. }), _)
                if self.method == ResolutionMethod::Https =>
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

impl fmt::Display for ResolutionMethod {
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
