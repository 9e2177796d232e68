//! [`ResolutionMethod`]: the methods of resolving a handle, and the ranking of their errors.

use std::fmt;

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
    /// Sorts `failures`, the most serious one first.
    pub(crate) fn sort(failures: &mut [Self]) {
        // A mistyped handle has no host. For this reason, `NotFound` of DNS (5) comes before an
        // unreachable host, and a failure of DNS (2) does, too.
        failures.sort_by_key(|failure| match failure.is_unreachable_host() {
            true => 6,
            false => failure.error.rank(),
        });
    }

    /// Whether DNS has answered, so that the network of this machine is up.
    pub(crate) fn is_answer_of_dns(&self) -> bool {
        use IdentityErrorKind as Kind;
        match self.method {
            ResolutionMethod::Dns | ResolutionMethod::DnsOverHttps => {
                matches!(self.error.kind(), Kind::NotFound | Kind::InvalidRecord)
            }
            ResolutionMethod::Https => false,
        }
    }

    /// Whether the host of the handle does not exist, or refuses connections.
    pub(crate) fn is_unreachable_host(&self) -> bool {
        match self.method {
            ResolutionMethod::Https => self.error.is_not_sent(),
            ResolutionMethod::Dns | ResolutionMethod::DnsOverHttps => false,
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
