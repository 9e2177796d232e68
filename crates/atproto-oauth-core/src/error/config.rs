//! Errors of [`ClientBuilder::build`](crate::ClientBuilder::build): the settings of a client.

use thiserror::Error;

use crate::origin::{Origin, OriginError};

/// A setting of a client that breaks a rule of the atproto OAuth profile.
///
/// [`ClientBuilder::build`](crate::ClientBuilder::build) fails with it before any request is made,
/// so the program or its configuration must be changed.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client keeps its sessions in a store, and no store was given.
    #[error(
        "no store was given: name one with `store` (`MemoryStore` keeps sessions until the program ends)"
    )]
    NoStore,
    /// The store would keep tokens and private keys in plain text.
    #[error(
        "the store keeps tokens and private keys in plain text: wrap it in `Sealed`, or accept it with \
         `plaintext_at_rest()`"
    )]
    PlaintextStore,
    /// The `client_id` breaks a rule: [`Client::web`](crate::Client::web) and
    /// [`Client::native`](crate::Client::native) take the https URL at which the client serves its
    /// metadata; [`from_loopback_client_id`](crate::ClientBuilder::from_loopback_client_id) takes
    /// the `client_id` of a loopback client.
    #[error("{client_id} can't be a client_id: {why}")]
    ClientId {
        /// The rejected `client_id`, shortened and without a password.
        client_id: String,
        /// The broken rule.
        why: &'static str,
    },
    /// The redirect URI is not allowed for this kind of client, or the `redirect_path` of a
    /// loopback client is not a path. Declare another redirect URI.
    #[error("{uri} can't be a redirect URI of this client: {why}")]
    RedirectUri {
        /// The rejected redirect URI or path, shortened and without a password.
        uri: String,
        /// The broken rule.
        why: &'static str,
    },
    /// The client has no redirect URI. Add one with
    /// [`redirect_uri`](crate::ClientBuilder::redirect_uri).
    #[error("the client has no redirect URI: add one with `redirect_uri`")]
    NoRedirectUri,
    /// A native client was given a [`key`](crate::ClientBuilder::key). A native client can't be
    /// confidential, because the key would be readable in every copy of the program. Remove the
    /// key, or build the client with [`Client::web`](crate::Client::web) on a server.
    #[error(
        "a native client can't have a key, because every copy of the program would contain it: \
         remove `key`, or use `Client::web` on a server"
    )]
    NativeConfidential,
    /// The option, named here, does not exist for this kind of client. A loopback client has
    /// `redirect_path`; a client that publishes its metadata has `redirect_uri`, `key`, `jwks_uri`
    /// and `description`. Remove the option.
    #[error("`{0}` is an option of another kind of client: remove it")]
    Misplaced(&'static str),
    /// Two keys have the same `kid`, named here. Rename one with
    /// [`ClientKey::with_kid`](crate::ClientKey::with_kid).
    #[error("two keys have the kid {0}: rename one with `ClientKey::with_kid`")]
    SameKid(String),
    /// The `kid` named here belongs to a key of the client and is revoked, too. Remove the key.
    #[error("the key {0} is revoked: remove it from the keys of the client")]
    RevokedKey(String),
    /// The key named here by its `kid` is not of P-256, so that some servers can't verify its
    /// signatures. Make a P-256 key.
    #[error("the key {0} is not of P-256, which all servers know: make a P-256 key")]
    KeyCurve(String),
    /// All keys of the client are retired, so new sessions have none. Add one with
    /// [`ClientBuilder::key`](crate::ClientBuilder::key).
    #[error(
        "all keys of the client are retired: add one for new sessions with `ClientBuilder::key`"
    )]
    NoActiveKey,
    /// A key has a `kid` without visible characters, so that authorization servers can't find it.
    /// Name it with [`ClientKey::with_kid`](crate::ClientKey::with_kid), or leave the thumbprint,
    /// which is its `kid` by default.
    #[error(
        "the kid of a key is empty: name it with `ClientKey::with_kid`, or leave its thumbprint"
    )]
    EmptyKid,
    /// The default server belongs to a development network, for which the client was not built.
    #[error("{server} can't be the default server: {why}")]
    DefaultServer {
        /// The rejected server.
        server: Origin,
        /// The broken rule.
        why: OriginError,
    },
    /// A contact or a further member of the [`Description`](crate::Description) breaks a rule that
    /// authorization servers check, or follows from other settings. Correct or remove it.
    #[error("`{name}` can't be published in the client metadata: {why}")]
    Member {
        /// The member of the client metadata, such as `contacts[0]`.
        name: String,
        /// The broken rule.
        why: String,
    },
    /// A URL of the [`Description`](crate::Description), or the `jwks_uri`, breaks a rule that
    /// authorization servers check. Correct the URL.
    #[error("the `{name}` {url} can't be published in the client metadata: {why}")]
    Page {
        /// The member of the client metadata, such as `client_uri`.
        name: &'static str,
        /// The rejected URL, shortened and without a password.
        url: String,
        /// The broken rule.
        why: &'static str,
    },
}
