//! Why a client can't be built.

use thiserror::Error;

/// A client's configuration can't be used.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A `client_id` that no client may have, or not one of this kind.
    #[error("{client_id} can't be a client_id: {why}")]
    ClientId {
        /// What was given.
        client_id: String,
        /// Why.
        why: &'static str,
    },
    /// A redirect URI that no client of this kind may have.
    #[error("{uri} can't be a redirect URI of this client: {why}")]
    RedirectUri {
        /// The redirect URI.
        uri: String,
        /// Why.
        why: &'static str,
    },
    /// A client that has nowhere to come back to.
    #[error("the client has no redirect URI")]
    NoRedirectUri,
    /// A native client with a key of its own: everybody who has the program would have the key.
    #[error("a native client can't be confidential: everybody who has it would have its key")]
    NativeConfidential,
    /// An option of another kind of client: a loopback client has a `redirect_path`, one that
    /// publishes its metadata has redirect URIs, keys and a description.
    #[error("`{0}` is an option of another kind of client")]
    Misplaced(&'static str),
    /// Two keys of the same name.
    #[error("two keys have the kid {0}")]
    SameKid(String),
    /// A page about the client that servers would refuse.
    #[error("`{name}` can't be published: {why}")]
    Page {
        /// Which one.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
}
