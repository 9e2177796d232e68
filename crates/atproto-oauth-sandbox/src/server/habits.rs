//! The behaviour of one server where servers differ: clock tolerance, nonces, and the names of
//! errors.

use std::time::Duration;

use crate::server::refusal::Refusal;

/// Behaviour in which the servers that people run differ from the reference server.
///
/// A new server has the habits of the [reference](Self::reference) server. To change them, call
/// [`Sandbox::set_habits`](crate::Sandbox::set_habits) with the habits of another server, or with
/// habits in which single fields were changed.
///
/// ```
/// use atproto_oauth_sandbox::{Habits, Sandbox};
///
/// let mut sandbox = Sandbox::new(1);
/// let pds = sandbox.find_server("https://pds.example.com").expect("alice's server");
/// sandbox.set_habits(pds, Habits::cocoon());
/// let mut habits = Habits::reference();
/// habits.takes_code_before_nonce = true;
/// sandbox.set_habits(pds, habits);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Habits {
    /// Maximum time by which the `iat` of a DPoP proof may be before the clock of the server.
    pub iat_past: Duration,
    /// Maximum time by which `iat` and `nbf` of a DPoP proof may be after the clock of the server,
    /// and `exp` before it.
    pub iat_future: Duration,
    /// Whether the signatures of DPoP proofs are verified. No server that people run goes without it;
    /// a simulation of many sessions does, to save time.
    pub verifies_proofs: bool,
    /// Whether a DPoP proof without a nonce is accepted, although the server hands out nonces.
    pub accepts_missing_nonce: bool,
    /// Maximum age of a nonce. `None`: nonces rotate, see
    /// [`Sandbox::set_nonce_rotation`](crate::Sandbox::set_nonce_rotation).
    pub nonce_lifetime: Option<Duration>,
    /// Responses that have a `DPoP-Nonce` header.
    pub nonce_on_success: NonceOnSuccess,
    /// Whether a token request consumes its code before its nonce is looked at, so that a stale
    /// nonce costs the login. If a missing nonce is refused, such a request consumes nothing.
    pub takes_code_before_nonce: bool,
    /// Error for a nonce that the server did not hand out, or handed out before its nonces were
    /// [reset](crate::Sandbox::reset_nonces). Without a [lifetime](Self::nonce_lifetime) of nonces, a
    /// server can't tell such a nonce from an old one, so it gets this error, too.
    pub unknown_nonce: ErrorForm,
    /// Error for a DPoP proof whose times are refused.
    pub refused_clock: ErrorForm,
    /// Error for a refresh token that is unknown, spent or expired.
    pub dead_refresh_token: ErrorForm,
    /// Error for an access token that is unknown, for example because its session was refreshed or
    /// has ended.
    pub unknown_access_token: ErrorForm,
    /// Error for an expired access token.
    pub expired_access_token: ErrorForm,
    /// Member of an OAuth error response that has the reason.
    pub reason: ReasonMember,
    /// Whether the port of a requested loopback redirect URI must equal the declared one.
    pub compares_loopback_ports: bool,
    /// Whether the server refuses a loopback client, because it fetches `http://localhost` as the
    /// URL of a metadata document.
    pub fetches_loopback_clients: bool,
    /// Whether a request for `transition:` scopes beside granular ones is refused.
    pub refuses_mixed_scopes: bool,
}

/// The successful responses of a server that have a `DPoP-Nonce` header. An error response always
/// has one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NonceOnSuccess {
    /// Every response.
    Always,
    /// Every response, except that to a pushed authorization request.
    ExceptPushedRequests,
    /// No response.
    Never,
}

/// The member of an OAuth error response that has the reason as text for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReasonMember {
    /// `error_description` (RFC 6749 section 5.2).
    ErrorDescription,
    /// `message`, as in errors of XRPC methods.
    Message,
    /// The response has `error` alone.
    Absent,
}

/// Status, name and challenge of an error response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests construct it with all fields")]
pub struct ErrorForm {
    /// HTTP status.
    pub status: u16,
    /// Value of the member `error`.
    pub error: &'static str,
    /// Whether the response has a `WWW-Authenticate` header.
    pub challenge: bool,
}

impl Habits {
    /// The reference server: `iat` from 190 seconds in the past to 180 seconds in the future, a
    /// nonce on each response, errors as the RFCs name them.
    pub const fn reference() -> Self {
        Self {
            iat_past: Duration::from_secs(190),
            iat_future: Duration::from_secs(180),
            verifies_proofs: true,
            accepts_missing_nonce: false,
            nonce_lifetime: None,
            nonce_on_success: NonceOnSuccess::Always,
            takes_code_before_nonce: false,
            unknown_nonce: ErrorForm { status: 400, error: "use_dpop_nonce", challenge: false },
            refused_clock: ErrorForm { status: 401, error: "invalid_dpop_proof", challenge: true },
            dead_refresh_token: ErrorForm { status: 400, error: "invalid_grant", challenge: false },
            unknown_access_token: ErrorForm {
                status: 401,
                error: "invalid_token",
                challenge: true,
            },
            expired_access_token: ErrorForm {
                status: 401,
                error: "invalid_token",
                challenge: true,
            },
            reason: ReasonMember::ErrorDescription,
            compares_loopback_ports: false,
            fetches_loopback_clients: false,
            refuses_mixed_scopes: false,
        }
    }

    /// Tranquil: consumes a code before it looks at the nonce, accepts a proof without a nonce,
    /// refuses a nonce older than 300 seconds, and one that it did not hand out as
    /// `invalid_dpop_proof`, accepts an `iat` 300 seconds away, and refuses `transition:` scopes
    /// beside granular ones.
    pub const fn tranquil() -> Self {
        Self {
            iat_past: Duration::from_secs(300),
            iat_future: Duration::from_secs(300),
            accepts_missing_nonce: true,
            nonce_lifetime: Some(Duration::from_secs(300)),
            takes_code_before_nonce: true,
            unknown_nonce: ErrorForm { status: 401, error: "invalid_dpop_proof", challenge: true },
            refuses_mixed_scopes: true,
            ..Self::reference()
        }
    }

    /// Cirrus: no `DPoP-Nonce` on a successful response, an `iat` at most 70 seconds in the past
    /// and 10 seconds in the future, and loopback redirect URIs with the declared port only.
    pub const fn cirrus() -> Self {
        Self {
            iat_past: Duration::from_secs(70),
            iat_future: Duration::from_secs(10),
            nonce_on_success: NonceOnSuccess::Never,
            compares_loopback_ports: true,
            ..Self::reference()
        }
    }

    /// ezpds: no `DPoP-Nonce` on the successful response to a pushed authorization request, an
    /// `iat` at most 60 seconds away, and 401 `ExpiredToken` without `WWW-Authenticate` for an
    /// expired access token.
    pub const fn ezpds() -> Self {
        Self {
            iat_past: Duration::from_secs(60),
            iat_future: Duration::from_secs(60),
            nonce_on_success: NonceOnSuccess::ExceptPushedRequests,
            expired_access_token: ErrorForm {
                status: 401,
                error: "ExpiredToken",
                challenge: false,
            },
            ..Self::reference()
        }
    }

    /// Cocoon: an `iat` at most 185 seconds in the past and 5 seconds in the future, 400
    /// `InvalidRequest` for other times, 400 `Refresh token expired` for a dead refresh token, 400
    /// `InvalidToken` for an unknown access token, and OAuth errors without a reason.
    pub const fn cocoon() -> Self {
        Self {
            iat_past: Duration::from_secs(185),
            iat_future: Duration::from_secs(5),
            refused_clock: ErrorForm { status: 400, error: "InvalidRequest", challenge: false },
            dead_refresh_token: ErrorForm {
                status: 400,
                error: "Refresh token expired",
                challenge: false,
            },
            unknown_access_token: ErrorForm {
                status: 400,
                error: "InvalidToken",
                challenge: false,
            },
            reason: ReasonMember::Absent,
            ..Self::reference()
        }
    }

    /// Pegasus: an `iat` at most 180 seconds in the past and 5 seconds in the future, reasons in
    /// `message`, 400 `InvalidRequest` for a dead refresh token, 400 `ExpiredToken` for an expired
    /// access token, and no loopback clients.
    pub const fn pegasus() -> Self {
        Self {
            iat_past: Duration::from_secs(180),
            iat_future: Duration::from_secs(5),
            dead_refresh_token: ErrorForm {
                status: 400,
                error: "InvalidRequest",
                challenge: false,
            },
            expired_access_token: ErrorForm {
                status: 400,
                error: "ExpiredToken",
                challenge: false,
            },
            reason: ReasonMember::Message,
            fetches_loopback_clients: true,
            ..Self::reference()
        }
    }
}

impl Default for Habits {
    /// Returns the habits of the [reference](Self::reference) server.
    fn default() -> Self {
        Self::reference()
    }
}

impl NonceOnSuccess {
    /// Whether a successful response to a request with this path has a nonce.
    pub(crate) fn is_for(self, path: &str) -> bool {
        match self {
            Self::Always => true,
            Self::ExceptPushedRequests => path != "/oauth/par",
            Self::Never => false,
        }
    }
}

impl ErrorForm {
    /// Returns the error of this form with a reason for people.
    pub(crate) fn refuse(self, reason: &str) -> Refusal {
        let Self { status, error, challenge } = self;
        Refusal { status, error, challenge, ..Refusal::invalid_request(reason) }
    }
}
