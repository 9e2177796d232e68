//! Why something that a caller gave can't be used.

use thiserror::Error;

use crate::origin::{Origin, OriginError};
use crate::scope::ScopeError;

/// What the caller gave can't be used.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum InputError {
    /// Neither a handle nor a DID nor the URL of a server.
    #[error("`{input}` is neither a handle, nor a DID, nor the URL of a server: {why}")]
    Subject {
        /// What was given, cut short.
        input: String,
        /// Why it is none of these.
        why: String,
    },
    /// Not the URL of a server.
    #[error("`{input}` is not the URL of a server: {why}")]
    Server {
        /// What was given, cut short.
        input: String,
        /// Why.
        why: OriginError,
    },
    /// Not scopes.
    #[error("these are not scopes: {0}")]
    Scopes(#[from] ScopeError),
    /// A scope that the client does not declare.
    #[error("the scope `{0}` is not one that this client declares")]
    ScopeNotDeclared(String),
    /// A redirect URI that the client does not declare.
    #[error("the redirect URI {0} is not one that this client declares")]
    RedirectUriNotDeclared(String),
    /// A parameter of the authorization request that the protocol sets itself, or a second one of
    /// the same name.
    #[error("the parameter `{0}` is set by the protocol, or was given twice")]
    ReservedParameter(String),
    /// The authorization server does not know this `prompt`.
    #[error("the authorization server does not know prompt={0}")]
    Prompt(&'static str),
    /// Not a method of the XRPC API.
    #[error("`{0}` is not an NSID, such as com.atproto.server.getSession")]
    Nsid(String),
    /// Not a service of a DID.
    #[error("`{0}` is not a service, such as did:web:api.bsky.app#bsky_appview")]
    Service(String),
    /// A request that leads away from the account's server.
    #[error("the request goes to {found}, but the tokens are for {expected} only")]
    ForeignOrigin {
        /// The account's server.
        expected: Origin,
        /// Where the request would go.
        found: String,
    },
    /// A request that is not well-formed.
    #[error("the request is not well-formed: {0}")]
    Request(&'static str),
    /// A stored value that can't be read.
    #[error("the stored {what} can't be read: {why}")]
    Stored {
        /// Session or pending login.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// A stored value of a later version.
    #[error("the stored {what} is of version {version}, which this version can't read")]
    UnsupportedVersion {
        /// Session or pending login.
        what: &'static str,
        /// Its version.
        version: u64,
    },
}
