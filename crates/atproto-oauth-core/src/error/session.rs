//! Why a session cannot be used.

use thiserror::Error;

/// The session does not fit the client, or can't be refreshed.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionError {
    /// The authorization server issued no refresh token, so the session ends with its access token.
    #[error("the session has no refresh token; log in again")]
    NoRefreshToken,
    /// The client has no key with both the `kid` and the thumbprint of the key that the session was
    /// begun with. Add that key with [`ClientBuilder::key`](crate::ClientBuilder::key), because the
    /// authorization server ends a session whose client authenticates with another key.
    #[error(
        "the client has no key {kid} with the thumbprint {jkt}, which the session was begun with: \
         add it with `ClientBuilder::key`, or log in again"
    )]
    NoSuchKey {
        /// `kid` of the key.
        kid: String,
        /// JWK thumbprint of the key (RFC 7638).
        jkt: String,
    },
    /// The session's DPoP key is also a [`ClientKey`](crate::ClientKey) of the client, although the
    /// two must differ. Give the client a key that no session uses.
    #[error(
        "the session's DPoP key is also a key of the client: give the client a key that no session \
         uses"
    )]
    SharedKey,
    /// The session or pending login was made by a client with another `client_id`. Use that client,
    /// or log in again.
    #[error("the session was made for another client_id; use that client, or log in again")]
    OtherClient,
}
