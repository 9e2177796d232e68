#![doc = include_str!("../README.md")]

mod authorize;
mod callback;
mod client;
mod config_error;
mod discovery;
mod endpoints;
mod error;
mod exchange_code;
mod input_error;
mod json;
mod origin;
mod pending;
mod pkce;
mod prompt;
mod refresh;
mod request;
mod revoke;
mod scope;
mod session;
mod stored;
mod subject;
mod text;
pub mod xrpc;

pub use authorize::{Authorization, Authorize};
pub use callback::CallbackParams;
pub use client::auth::AuthMethod;
pub use client::builder::ClientBuilder;
pub use client::key::ClientKey;
pub use client::metadata::Description;
pub use client::redirect_uri::ApplicationType;
pub use client::{Client, NoncePolicy};
pub use discovery::discover::{Discover, Discovered};
pub use discovery::fetch::METADATA;
pub use discovery::metadata::{DiscoveryError, Problem, Violation};
pub use discovery::resource::{ResourceMetadata, ResourceMetadataEndpoint};
pub use discovery::server::{ServerMetadata, ServerMetadataEndpoint};
pub use endpoints::refusal::Refusal;
pub use error::{
    AuthorityError, CallbackProblem, ConfigError, Denied, EndpointName, Error, ErrorKind,
    InputError, SessionError,
};
pub use exchange_code::{CallbackError, ExchangeCode, LoggedIn};
pub use origin::{Origin, OriginError};
pub use pending::Pending;
pub use prompt::{Prompt, ResponseMode};
pub use refresh::{Refresh, RefreshError, Refreshed, SessionEffect};
pub use request::{ResourceReply, ResourceRequest};
pub use revoke::{Revocation, Revoke};
pub use scope::{ScopeError, Scopes};
pub use session::Session;
pub use subject::Subject;
