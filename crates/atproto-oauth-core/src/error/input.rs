//! Errors of values that the caller, or the user behind it, gave.

use thiserror::Error;

use crate::origin::{Origin, OriginError};
use crate::scope::ScopeError;

/// A value from the caller that can't be used. The same value fails again.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum InputError {
    /// The user typed a text that is neither a handle, nor a DID, nor an https URL. Show the
    /// message and ask again.
    #[error("`{input}` is neither a handle, nor a DID, nor the URL of a server: {why}")]
    Subject {
        /// The rejected text, shortened, without control characters and password.
        input: String,
        /// The rule of handles or DIDs that the text breaks.
        why: String,
    },
    /// The user typed nothing. Ask again; or let the user choose the account at a server, in a login
    /// with [`Subject::DefaultServer`](crate::Subject::DefaultServer).
    #[error(
        "no account was given: type a handle such as alice.bsky.social, a DID, or the URL of a \
         server (a program logs in without one with `Subject::DefaultServer`)"
    )]
    NoSubject,
    /// The text is not the key of a stored session, as [`SessionKey`](crate::SessionKey) writes it.
    #[error("the text is not the key of a session, which is `<did>/<session_id>`")]
    SessionKey,
    /// The text begins like a URL, but is not the origin of a server. The user typed it, or the DID
    /// document of the account names such a PDS.
    #[error("`{input}` is not the URL of a server: {why}")]
    Server {
        /// The rejected URL, shortened, without control characters and password.
        input: String,
        /// The broken rule.
        why: OriginError,
    },
    /// The text is not a list of scopes for [`Scopes::parse`](crate::Scopes::parse). Correct the
    /// list.
    #[error("the list of scopes is malformed: {0}")]
    Scopes(#[from] ScopeError),
    /// The login requests the scope named here, which the client does not declare. Add the scope to
    /// the [`Scopes`](crate::Scopes) that the client is built with.
    #[error(
        "the scope `{0}` is not one that this client declares: add it to the scopes of the client"
    )]
    ScopeNotDeclared(String),
    /// The login requests the redirect URI named here, which the client does not declare. Declare
    /// it with [`ClientBuilder::redirect_uri`](crate::ClientBuilder::redirect_uri), or with
    /// [`redirect_path`](crate::ClientBuilder::redirect_path) for a loopback client.
    #[error("the redirect URI {0} is not one that this client declares: {way}", way = way_to_declare(.0))]
    RedirectUriNotDeclared(String),
    /// [`Authorize::parameter`](crate::Authorize::parameter) got a name that the protocol sets
    /// itself, such as `state`, or the same name twice. Remove the parameter.
    #[error(
        "the parameter `{0}` is set by the protocol, or was given twice: remove it from the login"
    )]
    ReservedParameter(String),
    /// The metadata of the authorization server lists its `prompt` values
    /// (`prompt_values_supported`), and the value named here is not among them. Log in without it.
    #[error("the authorization server does not support prompt={0}: log in without this prompt")]
    Prompt(&'static str),
    /// The text named here is not an NSID, the name of an XRPC method.
    #[error("`{0}` is not an NSID, such as com.atproto.server.getSession")]
    Nsid(String),
    /// The text named here is not a DID, `#`, and the id of a service. It was given to
    /// [`xrpc::with_proxy`](crate::xrpc::with_proxy).
    #[error("`{0}` is not a service, such as did:web:api.bsky.app#bsky_appview")]
    Service(String),
    /// The request names another server than the PDS of the account. It was not sent, because the
    /// other server would receive the access token. Give the path alone, and let the PDS forward
    /// the request with [`xrpc::with_proxy`](crate::xrpc::with_proxy).
    #[error(
        "the request goes to {found}, but the tokens are for {expected} only: give the path alone, \
         and use `xrpc::with_proxy` for another service"
    )]
    ForeignOrigin {
        /// Origin of the account's PDS.
        expected: Origin,
        /// Origin that the request names.
        found: String,
    },
    /// The request can't be built or sent: the reason is given. Nothing was sent.
    #[error("the request is malformed: {0}")]
    Request(&'static str),
    /// The JSON of a stored session or pending login is malformed, or its private key can't be
    /// exported to JSON. After a failed read, the user must log in again.
    #[error("the stored {what} can't be read or written: {why}")]
    Stored {
        /// `session` or `pending login`.
        what: &'static str,
        /// The reason, without any part of the JSON, because the JSON contains secrets.
        why: String,
    },
    /// The DPoP key of a stored session or pending login is of secp256k1 (`ES256K`), and the program is
    /// built without the feature `es256k`. Nothing is wrong with the session: enable the feature.
    #[error(
        "the stored {what} has a DPoP key of secp256k1 (ES256K), which this program is built without: \
         enable the Cargo feature `es256k`"
    )]
    Es256kDisabled {
        /// `session` or `pending login`.
        what: &'static str,
    },
    /// The JSON of a stored session or pending login has a version that this version of the crate
    /// does not support. Upgrade the crate, or let the user log in again.
    #[error("the stored {what} has version {version}, which this release does not support")]
    UnsupportedVersion {
        /// `session` or `pending login`.
        what: &'static str,
        /// Value of its `version` member.
        version: u64,
    },
}

/// The way out of [`InputError::RedirectUriNotDeclared`]. No client can declare a URI of `localhost` (rule
/// C-31).
fn way_to_declare(uri: &str) -> &'static str {
    let (_, rest) = uri.split_once("://").unwrap_or_default();
    if rest.split([':', '/', '?', '#']).next() == Some("localhost") {
        "write 127.0.0.1 or [::1] in place of localhost (RFC 8252 section 8.3)"
    } else {
        "declare it with `redirect_uri`, or `redirect_path` for a loopback client"
    }
}
