//! Why a callback does not end in a session.

use atproto_identity::Did;
use thiserror::Error;

use crate::endpoints::refusal::loopback_hint;
use crate::error::colon;
use crate::login::prompt::ResponseMode;
use crate::origin::Origin;

/// The reason why a callback is rejected.
///
/// A web application answers 400, and lets its user begin a new login.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum CallbackProblem {
    /// The text begins with a URL scheme but is not a URL. Give the callback as the browser sent
    /// it: as URL, query or form.
    #[error("the callback is not a URL, query or form")]
    Unreadable,
    /// The parameter named here occurs twice, so its value is ambiguous (RFC 6749 section 3.1).
    #[error("the callback has the parameter `{0}` twice (RFC 6749 section 3.1)")]
    Repeated(&'static str),
    /// The parameter named here is missing or empty. Without `state` the callback belongs to no
    /// login; without `iss` an attacker's server may have issued the code (RFC 9207).
    #[error("the callback lacks the parameter `{0}`: begin a new login")]
    Missing(&'static str),
    /// The callback has the parameter `response`: it is a signed response (JARM), which this client
    /// never requests.
    #[error("the callback is a signed response (JARM), which this client does not request")]
    SignedResponse,
    /// The callback has both `code` and `error`, so the outcome is ambiguous.
    #[error("the callback has both a code and an error")]
    CodeAndError,
    /// The `state` of the callback is not the `state` of the given [`Pending`](crate::Pending).
    /// Load the pending login that was stored under
    /// [`CallbackParams::state`](crate::CallbackParams::state). With a store: the login was finished
    /// before, was removed after its expiry, or was begun with another store, such as a memory that
    /// ended with its process.
    #[error(
        "the `state` of the callback belongs to no login that is waiting for a callback (it was \
         finished before, or begun with another store): begin a new login"
    )]
    UnknownState,
    /// The callback came from another browser than the one that began the login, or without the
    /// value of its cookie. Somebody may have been lured to another person's callback. The login
    /// still waits for its own browser.
    #[error(
        "the callback came from another browser than the one that began the login: begin the login \
         in this browser (the program hands the value of the login's cookie over as `Binding`)"
    )]
    OtherBrowser,
    /// The callback arrived after the lifetime of the [`Pending`](crate::Pending) login. Begin a
    /// new login.
    #[error("the login was begun too long ago; begin it again")]
    Expired,
    /// The URL of the callback differs from the redirect URI of the login in scheme, host, port or
    /// path. If a proxy in front of the program changes the URL, give the query alone.
    #[error(
        "the callback arrived at another URL than the login's redirect URI: at {found}, not at \
         {expected} (if a proxy changed the URL, give its query alone)"
    )]
    RedirectUri {
        /// The redirect URI of the login.
        expected: String,
        /// The URL of the callback without its parameters, shortened and without a password.
        found: String,
    },
    /// The parameters of the callback are not in the place that the login asked for
    /// ([`Authorize::response_mode`](crate::Authorize::response_mode)). Give the callback as the
    /// browser sent it, with its `?` or `#`, or name the place with
    /// [`CallbackParams::received_by`](crate::CallbackParams::received_by).
    #[error(
        "the callback parameters are in {found}, but the login asked for response_mode={expected}: \
         begin a new login, or name their place with `CallbackParams::received_by`"
    )]
    ResponseMode {
        /// The `response_mode` of the login.
        expected: ResponseMode,
        /// The place of the parameters, such as `the fragment`.
        found: &'static str,
    },
}

/// An error response in the callback: the user cancelled, or the authorization server rejected the
/// authorization request (RFC 6749 section 4.1.2.1).
///
/// `error`, `description` and `uri` are untrusted text of the server. A user interface must escape
/// them.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[error("the authorization server answered {error}{}{}", colon(.description.as_deref()),
    loopback_hint(*loopback_rejected))]
#[non_exhaustive]
pub struct Denied {
    /// The OAuth error code, such as `access_denied`.
    pub error: String,
    /// The `error_description`, shortened and without control characters.
    pub description: Option<String>,
    /// The `error_uri`, a web page about the error; only an http or https URL.
    pub uri: Option<String>,
    /// True if the server rejected the client itself, and it is a loopback client, which servers need not
    /// support: use a client with a published metadata document.
    pub loopback_rejected: bool,
    /// True if the callback has no `iss`, so that its sender is unknown (RFC 9207).
    pub unverified: bool,
}

/// The tokens do not belong to the expected account or authorization server.
///
/// [`is_security`](crate::Error::is_security) is true for each variant. Tokens that were issued are
/// not returned to the caller.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The `iss` of the callback is not the authorization server that the login was sent to
    /// (RFC 9207): this may be a mix-up attack. The authorization code was not sent. Begin a new
    /// login.
    #[error("the callback names the issuer {found}, but the login went to {expected}")]
    IssuerMismatch {
        /// Issuer that the login was sent to.
        expected: Origin,
        /// The `iss` of the callback, shortened and without control characters.
        found: String,
    },
    /// The `sub` of the tokens is another account than the login or session is for. Tell the user
    /// to sign in as `expected`, or begin a login for the other account.
    #[error("the user signed in as {found}, not as {expected}")]
    SubjectMismatch {
        /// Account that the login requested, or that the session belongs to.
        expected: Did,
        /// Account of the tokens, their `sub`.
        found: Did,
    },
    /// The account's PDS names another authorization server than the issuer of the tokens. The
    /// account has moved, or the issuer claims an account that it does not manage. Begin a new
    /// login with the account's handle or DID.
    #[error("{did} is not under the authority of {expected}: its server names {found}")]
    IssuerOfAccount {
        /// Account of the tokens.
        did: Did,
        /// Issuer of the tokens.
        expected: Origin,
        /// Authorization server that the account's PDS names.
        found: Origin,
    },
    /// The DID document of the account names another PDS than the
    /// [`Credentials`](crate::Credentials). The account has moved, or the DID or the PDS of the
    /// credentials is another account's. The refresh token was not sent. Correct the credentials, or
    /// begin a new login.
    #[error(
        "the DID document of {did} names the PDS {found}, but the credentials name {expected}: \
         correct the credentials, or log in again if the account has moved"
    )]
    PdsOfAccount {
        /// Account of the credentials.
        did: Did,
        /// PDS of the credentials.
        expected: Origin,
        /// PDS that the DID document names.
        found: Origin,
    },
}
