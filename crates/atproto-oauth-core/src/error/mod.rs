//! What can go wrong, for people and for programs.
//!
//! Each variant says whose doing it was: the caller's, the network's, a server's that breaks a
//! rule, a server's or a user's that refuses, or somebody's who pretends to be another.

pub(crate) mod config;
pub(crate) mod input;

use std::time::Duration;

use atproto_dpop::DpopError;
use atproto_identity::{Did, IdentityError};
use atproto_sansio::{Phase, TransportError};
use http::StatusCode;
use thiserror::Error;

pub use self::config::ConfigError;
pub use self::input::InputError;
use crate::discovery::metadata::DiscoveryError;
use crate::endpoints::refusal::Refusal;
use crate::origin::Origin;
use crate::scope::ScopeError;
use crate::xrpc::XrpcError;

/// What can go wrong in a procedure of this crate.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The client's configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What the caller gave can't be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The account was not found, or not as it claims to be.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A server's metadata was not found, or can't be used.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// A request brought no reply.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The authorization server refused a request.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The authorization server's answer is not what the specification asks for.
    #[error("the answer of the {endpoint} endpoint breaks the rules: {what}")]
    Malformed {
        /// Which endpoint.
        endpoint: EndpointName,
        /// What is wrong with it.
        what: String,
    },
    /// The way back from the browser is not the one that the login went out on.
    #[error(transparent)]
    Callback(#[from] CallbackProblem),
    /// The user or the server said no.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The tokens are for another account, or from a server that has no say over the account.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The server's successful answer lacks the `DPoP-Nonce` that atproto OAuth demands.
    #[error("the successful answer of the {0} endpoint has no DPoP-Nonce, which atproto demands")]
    NonceMissing(EndpointName),
    /// A proof can't be made.
    #[error(transparent)]
    Dpop(#[from] DpopError),
    /// The session can't be used for this.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The account's server refused a request.
    #[error(transparent)]
    Xrpc(Box<XrpcError>),
}

/// The kinds of error, for programs. They keep their meaning between versions.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client's configuration.
    Config,
    /// The caller's input.
    Input,
    /// The account's identity.
    Identity,
    /// A server's metadata.
    Discovery,
    /// The network.
    Network,
    /// A policy of this client, such as the guard against requests to private addresses.
    Policy,
    /// The authorization request or the way back from it.
    Authorization,
    /// The token endpoint.
    Token,
    /// DPoP.
    Dpop,
    /// The session.
    Session,
    /// A request to the account's server.
    Resource,
}

/// An endpoint of the authorization server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EndpointName {
    /// `pushed_authorization_request_endpoint`
    PushedAuthorizationRequest,
    /// `token_endpoint`
    Token,
    /// `revocation_endpoint`
    Revocation,
}

/// What is wrong with a callback.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum CallbackProblem {
    /// It can't be read as a URL, query or form.
    #[error("the callback is not a URL, query or form")]
    Unreadable,
    /// A parameter is there twice.
    #[error("the callback has the parameter `{0}` twice (RFC 6749 section 3.1)")]
    Repeated(&'static str),
    /// A parameter is missing or empty.
    #[error("the callback lacks the parameter `{0}`")]
    Missing(&'static str),
    /// It is a signed response (JARM), which this client did not ask for.
    #[error("the callback is a signed response, which was not asked for")]
    SignedResponse,
    /// It has both a code and an error.
    #[error("the callback has both a code and an error")]
    CodeAndError,
    /// It is for another login, or for none that is known.
    #[error("the callback belongs to no login that is waiting for one")]
    UnknownState,
    /// The login was begun too long ago.
    #[error("the login was begun too long ago; begin it again")]
    Expired,
    /// It arrived at another URL than the login was sent out with.
    #[error("the callback arrived at another URL than the login's redirect URI")]
    RedirectUri,
}

/// The user or the server said no. What the server wrote is a stranger's text.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[error("the authorization server answered {error}{}", colon(.description.as_deref()))]
#[non_exhaustive]
pub struct Denied {
    /// The OAuth error code, such as `access_denied`.
    pub error: String,
    /// What the server adds, for people: cut short, without control characters.
    pub description: Option<String>,
    /// Where the server says more.
    pub uri: Option<String>,
    /// The answer did not name its issuer, so anybody may have written it.
    pub unverified: bool,
}

/// The tokens are not what they claim to be.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The answer came from another issuer than the login went to (RFC 9207).
    #[error("the callback names the issuer {found}, but the login went to {expected}")]
    IssuerMismatch {
        /// Where the login went.
        expected: Origin,
        /// What the callback says.
        found: String,
    },
    /// Somebody else signed in than was asked for.
    #[error("the user signed in as {found}, not as {expected}")]
    SubjectMismatch {
        /// The account that was asked for, or that the session is of.
        expected: Did,
        /// The account of the tokens.
        found: Did,
    },
    /// The account's own server names another authorization server.
    #[error("{did} is not under the authority of {expected}: its server names {found}")]
    IssuerOfAccount {
        /// The account.
        did: Did,
        /// Where the tokens came from.
        expected: Origin,
        /// The account's authorization server.
        found: Origin,
    },
}

/// The session can't be used for this.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionError {
    /// It has no refresh token.
    #[error("the session has no refresh token; log in again")]
    NoRefreshToken,
    /// The key that it was begun with is not among the client's keys any more. Another one would
    /// end the session.
    #[error(
        "the client has no key {kid} with the thumbprint {jkt}, which the session was begun with"
    )]
    NoSuchKey {
        /// The name of the key.
        kid: String,
        /// Its thumbprint.
        jkt: String,
    },
    /// Its tokens are bound to a key of the client's own.
    #[error("the session's DPoP key is a key of the client, which must be another one")]
    SharedKey,
    /// It belongs to another client.
    #[error("the session was made for another client_id; log in again")]
    OtherClient,
}

impl Error {
    /// The kind, for programs.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Config,
            Self::Input(_) => ErrorKind::Input,
            Self::Identity(IdentityError::Transport(error)) | Self::Transport(error) => {
                match error.phase {
                    Phase::Blocked(_) | Phase::TooLarge => ErrorKind::Policy,
                    _ => ErrorKind::Network,
                }
            }
            Self::Identity(_) => ErrorKind::Identity,
            Self::Discovery(_) => ErrorKind::Discovery,
            Self::Callback(_) | Self::Denied(_) => ErrorKind::Authorization,
            Self::Refused(refusal) => refusal.endpoint.error_kind(),
            Self::Malformed { endpoint, .. } => endpoint.error_kind(),
            Self::Authority(_) => ErrorKind::Authorization,
            Self::NonceMissing(_) | Self::Dpop(_) => ErrorKind::Dpop,
            Self::Session(_) => ErrorKind::Session,
            Self::Xrpc(_) => ErrorKind::Resource,
        }
    }

    /// Whether the same procedure may succeed later, without anything being changed.
    ///
    /// Of a login this means: begin it again. A code is never exchanged twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Identity(error) => error.is_transient(),
            Self::Discovery(error) => error.is_transient(),
            Self::Transport(error) => error.is_transient(),
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Xrpc(error) => error.is_transient(),
            Self::Denied(denied) => {
                matches!(denied.error.as_str(), "server_error" | "temporarily_unavailable")
            }
            Self::Malformed { .. }
            | Self::Config(_)
            | Self::Input(_)
            | Self::Callback(_)
            | Self::Authority(_)
            | Self::NonceMissing(_)
            | Self::Dpop(_)
            | Self::Session(_) => false,
        }
    }

    /// How long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            Self::Identity(error) => error.retry_after(),
            Self::Xrpc(error) => error.retry_after,
            _ => None,
        }
    }

    /// Whether this is what an attack looks like.
    pub fn is_security(&self) -> bool {
        match self {
            Self::Authority(_) => true,
            Self::Callback(problem) => match problem {
                CallbackProblem::Repeated(_)
                | CallbackProblem::CodeAndError
                | CallbackProblem::SignedResponse
                | CallbackProblem::UnknownState
                | CallbackProblem::Missing("iss")
                | CallbackProblem::RedirectUri => true,
                CallbackProblem::Unreadable
                | CallbackProblem::Missing(_)
                | CallbackProblem::Expired => false,
            },
            Self::Identity(IdentityError::Transport(error)) | Self::Transport(error) => {
                matches!(error.phase, Phase::Blocked(_))
            }
            _ => false,
        }
    }

    /// The OAuth error code of a refusal.
    pub fn oauth_error_code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.error.as_deref(),
            Self::Denied(denied) => Some(&denied.error),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn http_status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Xrpc(error) => Some(error.status),
            Self::Discovery(DiscoveryError::Status { status, .. }) => Some(*status),
            _ => None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<XrpcError> for Error {
    fn from(error: XrpcError) -> Self {
        Self::Xrpc(Box::new(error))
    }
}

/// Scopes that can't be read are the caller's input like any other.
impl From<ScopeError> for Error {
    fn from(error: ScopeError) -> Self {
        InputError::from(error).into()
    }
}

impl EndpointName {
    fn error_kind(self) -> ErrorKind {
        match self {
            Self::PushedAuthorizationRequest => ErrorKind::Authorization,
            Self::Token | Self::Revocation => ErrorKind::Token,
        }
    }
}

impl std::fmt::Display for EndpointName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PushedAuthorizationRequest => "pushed authorization request",
            Self::Token => "token",
            Self::Revocation => "revocation",
        })
    }
}

/// `: text`, or nothing: the part of a message after a code.
pub(crate) fn colon(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}
