//! The error type of every machine in this crate, and its classification for programs.
//!
//! Each variant of [`Error`] names the party at fault: the caller, the network, a server that
//! breaks a rule, or a server or user that refuses. [`AuthorityError`] is the exception: a server
//! or a user claims to be another one, which may be an attack.

pub(crate) mod config;
pub(crate) mod input;
pub(crate) mod login;
pub(crate) mod session;
mod web;

use std::time::Duration;

use atproto_dpop::DpopError;
use atproto_identity::IdentityError;
use atproto_sansio::{Phase, StoreError, TransportError};
use http::StatusCode;
use thiserror::Error;

pub use self::config::ConfigError;
pub use self::input::InputError;
pub use self::login::{AuthorityError, CallbackProblem, Denied};
pub use self::session::{DeletedCause, ReauthCause, SessionError};
use crate::discovery::metadata::DiscoveryError;
use crate::endpoints::refusal::Refusal;
use crate::scope::ScopeError;
use crate::xrpc::XrpcError;

/// The error of every machine and function of this crate.
///
/// [`kind`](Self::kind) sorts it for a program, [`is_retryable`](Self::is_retryable) and
/// [`retry_after`](Self::retry_after) say whether and when to try again, and
/// [`is_security`](Self::is_security) marks the errors to raise an alarm for. `Display` contains no
/// secrets; text from servers in it is shortened and without control characters.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The client's settings break a rule of the profile. Correct the settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value from the caller or the user can't be used. Correct the value.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The account was not found, or its handle, DID and DID document contradict each other. Ask
    /// the user to check the handle.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The metadata of a PDS or authorization server was not found, or breaks a rule. Only the
    /// operator of that server can correct it.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// An HTTP request got no complete response: [`TransportError::phase`] says whether it may have
    /// been sent.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The authorization server refused a request with an error status.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// A successful response of the authorization server lacks a member or breaks a rule. Only the
    /// operator of that server can correct it.
    #[error("the response of the {endpoint} endpoint is malformed: {what}")]
    Malformed {
        /// The endpoint that sent the response.
        endpoint: EndpointName,
        /// The broken rule, with the member in question.
        what: String,
    },
    /// The callback does not belong to a pending login, or is malformed. The authorization code was
    /// not sent anywhere. Begin a new login.
    #[error(transparent)]
    Callback(#[from] CallbackProblem),
    /// The callback says that the user or the authorization server rejected the login.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The tokens are for another account than expected, or their issuer is not the authorization
    /// server of the account. Do not use the tokens.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A successful response has no `DPoP-Nonce` header, or several, although atproto OAuth
    /// requires one. Only [`NoncePolicy::Strict`](crate::NoncePolicy::Strict) rejects such a
    /// response; [`NoncePolicy::Interop`](crate::NoncePolicy::Interop) accepts it.
    #[error(
        "the successful response of the {0} endpoint has no DPoP-Nonce, which atproto requires: \
         `NoncePolicy::Interop` accepts it"
    )]
    NonceMissing(EndpointName),
    /// The server demanded another DPoP nonce again and again, although each attempt had the one that
    /// it had given last. It has not acted on the request. Only the operator of that server can
    /// correct it.
    #[error(
        "the {0} endpoint demands a DPoP nonce, and accepted no attempt with the nonces that it gave"
    )]
    NonceRetryExhausted(EndpointName),
    /// A request with a single-use credential, a code or a refresh token, got no complete answer. The
    /// credential may be spent, so the request must not be repeated: begin a new login after a code,
    /// and follow [`RefreshError::effect`](crate::RefreshError::effect) after a refresh token.
    #[error(
        "the {endpoint} endpoint gave no answer, so the code or refresh token may be spent: \
         {transport}"
    )]
    Unanswered {
        /// The endpoint that the request was sent to.
        endpoint: EndpointName,
        /// Error of the call.
        transport: TransportError,
    },
    /// A key can't be read, a DPoP proof can't be made, or a remote signature does not match its
    /// key.
    #[error(transparent)]
    Dpop(#[from] DpopError),
    /// The session can't be used with this client, or not be refreshed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The PDS answered an XRPC request with an error status, or with JSON of another shape.
    /// [`Client::request`](crate::Client::request) does not fail with it: a caller converts an
    /// [`XrpcError`] of [`xrpc::json`](crate::xrpc::json) or [`xrpc::check`](crate::xrpc::check).
    #[error(transparent)]
    Xrpc(Box<XrpcError>),
    /// The store of managed sessions has failed. Nothing was decided on its answer: repeat the
    /// operation if [`StoreError::is_transient`] is true, else repair the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Classes of [`enum@Error`] for programs; their meaning does not change between versions.
///
/// A web application can derive its HTTP response from them. If
/// [`is_retryable`](Error::is_retryable) is true, whatever the kind, it answers 503 with a
/// `Retry-After` header of [`retry_after`](Error::retry_after), and tells its user to try again
/// later. Otherwise, [`web_status`](Error::web_status) gives the status of this table:
///
/// | kind | HTTP status | message to the user |
/// |---|---|---|
/// | `Config` | 500 | Login is not available: the site is misconfigured. |
/// | `Input` | 400 | The text of the error: it names the rejected value. |
/// | `Identity` | 400 | The account was not found, or is not set up correctly: check the handle. |
/// | `Discovery` | 502 | The account's server does not support OAuth, or is misconfigured. |
/// | `Network` | 502 | The account's server can't be reached. |
/// | `Policy` | 400 | This site does not connect to the account's server. |
/// | `Authorization` | 400 | The login was cancelled or rejected: begin again. |
/// | `Token` | 401 | Log in again. |
/// | `Dpop` | 502 | The account's server is not compatible. |
/// | `Session` | 401 | Log in again. |
/// | `Store` | 500 | The site can't store logins now. |
/// | `Resource` | 502 | The account's server rejected the action: show [`XrpcError::message`]. |
///
/// Answer 500 to a kind that a later version adds. After a failed refresh,
/// [`RefreshError::effect`](crate::RefreshError::effect) says whether the session still exists;
/// decide by the effect, not by the kind, whether the user must log in again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// [`Error::Config`], or a server that rejects the client itself (`invalid_client`,
    /// `invalid_client_id`, `invalid_client_metadata`, `unauthorized_client`): a mistake of the program or its operator.
    Config,
    /// [`Error::Input`]: a mistake of the user or of the calling program.
    Input,
    /// [`Error::Identity`]: the handle or DID does not lead to a usable account.
    Identity,
    /// [`Error::Discovery`]: the metadata of a server is missing or breaks a rule.
    Discovery,
    /// [`Error::Transport`], or [`Error::Identity`] because of one: no complete response arrived.
    Network,
    /// A limit of this client: the request was blocked, for example because its host is a private
    /// address ([`Phase::Blocked`]), or the response is too large ([`Phase::TooLarge`]).
    Policy,
    /// [`Error::Callback`], [`Error::Denied`] and [`Error::Authority`], and failures of the pushed
    /// authorization request endpoint: no session was made, or the session must not be used.
    Authorization,
    /// The token or revocation endpoint refused the request, or its response is malformed.
    Token,
    /// [`Error::Dpop`], [`Error::NonceMissing`] and [`Error::NonceRetryExhausted`].
    Dpop,
    /// [`Error::Session`]: the session has ended, does not fit the client, or can't be refreshed.
    Session,
    /// [`Error::Xrpc`]: the PDS answered with an error status.
    Resource,
    /// [`Error::Store`]: the store of managed sessions has failed.
    Store,
}

/// An endpoint of the authorization server, named as in its metadata.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EndpointName {
    /// `pushed_authorization_request_endpoint` (RFC 9126)
    PushedAuthorizationRequest,
    /// `token_endpoint` (RFC 6749 section 3.2)
    Token,
    /// `revocation_endpoint` (RFC 7009)
    Revocation,
}

impl Error {
    /// The class of the error, stable between versions.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Config,
            Self::Input(_) => ErrorKind::Input,
            Self::Transport(error) | Self::Unanswered { transport: error, .. } => match error.phase
            {
                Phase::Blocked(_) | Phase::TooLarge => ErrorKind::Policy,
                _ => ErrorKind::Network,
            },
            Self::Identity(error) if error.blocked() => ErrorKind::Policy,
            Self::Identity(error) if error.is_network() => ErrorKind::Network,
            Self::Identity(_) => ErrorKind::Identity,
            Self::Discovery(_) => ErrorKind::Discovery,
            Self::Callback(_) | Self::Denied(_) => ErrorKind::Authorization,
            Self::Refused(refusal) if refusal.is_about_client() => ErrorKind::Config,
            Self::Refused(refusal) => refusal.endpoint.error_kind(),
            Self::Malformed { endpoint, .. } => endpoint.error_kind(),
            Self::Authority(_) => ErrorKind::Authorization,
            Self::NonceMissing(_) | Self::NonceRetryExhausted(_) | Self::Dpop(_) => ErrorKind::Dpop,
            Self::Session(_) => ErrorKind::Session,
            Self::Xrpc(_) => ErrorKind::Resource,
            Self::Store(_) => ErrorKind::Store,
        }
    }

    /// Whether the same operation may succeed later with the same input and settings: the network
    /// failed, or a server was overloaded or failed.
    ///
    /// To retry a login, begin a new one, because an authorization code is never sent twice. It is
    /// false if the request may have spent a code or refresh token.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Identity(error) => error.is_transient(),
            Self::Discovery(error) => error.is_transient(),
            Self::Transport(error) => error.is_transient(),
            Self::Refused(refusal) => refusal.is_transient() && !refusal.may_have_spent(),
            Self::Xrpc(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Session(error) => matches!(error, SessionError::RetryLater { .. }),
            Self::Denied(denied) => {
                matches!(denied.error.as_str(), "server_error" | "temporarily_unavailable")
            }
            Self::Malformed { .. }
            | Self::Config(_)
            | Self::Input(_)
            | Self::Callback(_)
            | Self::Authority(_)
            | Self::NonceMissing(_)
            | Self::NonceRetryExhausted(_)
            | Self::Unanswered { .. }
            | Self::Dpop(_) => false,
        }
    }

    /// Whether the session can't be used any more, so that its user has to log in again
    /// ([`SessionError::needs_login`]).
    pub fn needs_login(&self) -> bool {
        matches!(self, Self::Session(error) if error.needs_login())
    }

    /// Time to wait before the next attempt, if it is known: the `Retry-After` header of the server's
    /// response, or the pause of a host that did not answer.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            Self::Identity(error) => error.retry_after(),
            Self::Discovery(DiscoveryError::Status { retry_after, .. }) => *retry_after,
            Self::Xrpc(error) => error.retry_after,
            Self::Session(SessionError::RetryLater { after }) => Some(*after),
            Self::Transport(error) => error.retry_after,
            _ => None,
        }
    }

    /// Whether the error may be caused by an attack: log it, and raise an alarm.
    ///
    /// True for every [`AuthorityError`], for blocked requests ([`Phase::Blocked`]), and for the
    /// callback problems that an honest authorization server does not cause.
    pub fn is_security(&self) -> bool {
        match self {
            Self::Authority(_) => true,
            Self::Callback(problem) => match problem {
                CallbackProblem::Repeated(_)
                | CallbackProblem::CodeAndError
                | CallbackProblem::SignedResponse
                | CallbackProblem::UnknownState
                | CallbackProblem::Missing("iss")
                | CallbackProblem::RedirectUri { .. }
                | CallbackProblem::ResponseMode { .. } => true,
                CallbackProblem::OtherBrowser => true,
                CallbackProblem::Unreadable
                | CallbackProblem::Missing(_)
                | CallbackProblem::Expired => false,
            },
            Self::Identity(error) => error.is_security(),
            Self::Transport(error) => matches!(error.phase, Phase::Blocked(_)),
            _ => false,
        }
    }

    /// The OAuth error code, such as `invalid_grant`, that the authorization server answered with:
    /// in an error response ([`Error::Refused`], [`Error::NonceRetryExhausted`]) or in the callback
    /// ([`Error::Denied`]).
    pub fn oauth_error_code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.error.as_deref(),
            Self::Denied(denied) => Some(&denied.error),
            Self::NonceRetryExhausted(_) => Some("use_dpop_nonce"),
            _ => None,
        }
    }

    /// The HTTP status of the response that the error is about, if it is an error response.
    pub fn http_status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Identity(error) => error.http_status(),
            Self::Xrpc(error) => Some(error.status),
            Self::Discovery(DiscoveryError::Status { status, .. }) => Some(*status),
            Self::Discovery(DiscoveryError::NoOAuth(_)) => Some(StatusCode::NOT_FOUND),
            _ => None,
        }
    }
}

impl Error {
    /// The error of a request with a single-use credential: if the request may have been sent and
    /// has no answer, it must not be repeated.
    pub(crate) fn of_single_use(self, endpoint: EndpointName) -> Self {
        match self {
            Self::Transport(transport) if !transport.surely_not_sent() => {
                Self::Unanswered { endpoint, transport }
            }
            other => other,
        }
    }
}

/// A refusal of the nonce is an [`Error::NonceRetryExhausted`]: a request ends in it only after all
/// its retries.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.error.as_deref() {
            Some("use_dpop_nonce") => Self::NonceRetryExhausted(refusal.endpoint),
            _ => Self::Refused(Box::new(refusal)),
        }
    }
}

impl From<XrpcError> for Error {
    fn from(error: XrpcError) -> Self {
        Self::Xrpc(Box::new(error))
    }
}

/// A malformed list of scopes is an [`InputError::Scopes`].
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

/// `: text`, or an empty string for `None`; error messages append it to an error code.
pub(crate) fn colon(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}
