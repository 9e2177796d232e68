#![doc = include_str!("../README.md")]

mod auth;
mod authorize;
mod callback;
mod client;
mod discover;
mod error;
mod exchange_code;
mod form;
mod json;
mod loopback;
mod metadata;
mod origin;
mod par;
mod pending;
mod pkce;
mod refresh;
mod refusal;
mod request;
mod revoke;
mod scope;
mod session;
mod stored;
mod subject;
mod text;
mod token;
mod verify;
pub mod xrpc;

pub use auth::AuthMethod;
pub use authorize::{Authorization, Authorize, Prompt, ResponseMode};
pub use callback::CallbackParams;
pub use client::{Client, LoopbackBuilder, NoncePolicy};
pub use discover::{Discover, Discovered};
pub use error::{
    AuthorityError, CallbackProblem, Denied, EndpointName, Error, ErrorKind, InputError,
    SessionError,
};
pub use exchange_code::{CallbackError, ExchangeCode, LoggedIn};
pub use metadata::{
    DiscoveryError, Problem, ResourceMetadata, ResourceMetadataEndpoint, ServerMetadata,
    ServerMetadataEndpoint, Violation,
};
pub use origin::{Origin, OriginError};
pub use pending::Pending;
pub use refresh::{Refresh, RefreshError, Refreshed, SessionEffect};
pub use refusal::Refusal;
pub use request::{ResourceReply, ResourceRequest};
pub use revoke::{Revocation, Revoke};
pub use scope::{ScopeError, Scopes};
pub use session::Session;
pub use subject::Subject;
