#![doc = include_str!("../README.md")]

mod client;
mod discovery;
mod endpoints;
mod error;
#[cfg(feature = "std")]
pub mod exports;
mod json;
mod login;
mod origin;
pub mod permission;
mod scope;
mod session;
mod sessions;
mod stored;
pub mod trace;
pub mod xrpc;

pub use client::Client;
pub use client::auth::AuthMethod;
pub use client::builder::ClientBuilder;
pub use client::config::NoncePolicy;
pub use client::description::Description;
pub use client::key::ClientKey;
pub use client::lint::check_client::{CheckClient, ClientReport};
pub use client::lint::code::FindingCode;
pub use client::lint::finding::Finding;
pub use client::lint::jwks::lint_jwks;
pub use client::lint::loopback::lint_loopback_client_id;
pub use client::lint::metadata::lint_metadata;
pub use client::lint::names::Severity;
pub use client::redirect_uri::ApplicationType;
pub use discovery::discover::{Discover, Discovered};
pub use discovery::fetch::METADATA;
pub use discovery::metadata::{DiscoveryError, Problem, Violation};
pub use discovery::resource::{ResourceMetadata, ResourceMetadataEndpoint};
pub use discovery::server::{ServerMetadata, ServerMetadataEndpoint};
pub use endpoints::refusal::Refusal;
pub use error::{
    AuthorityError, CallbackProblem, ConfigError, DeletedCause, Denied, EndpointName, Error,
    ErrorKind, InputError, ReauthCause, SessionError,
};
pub use login::authorize::{Authorization, Authorize};
pub use login::callback::CallbackParams;
pub use login::exchange_code::{CallbackError, ExchangeCode, LoggedIn};
pub use login::pending::Pending;
pub use login::prompt::{Prompt, ResponseMode};
pub use login::subject::Subject;
pub use origin::{Origin, OriginError};
pub use scope::lint::{ScopeFinding, ScopeFindingCode};
pub use scope::{ScopeError, Scopes};
pub use session::Session;
pub use session::adopt::{Adopt, Credentials};
pub use session::foreign::{Decrypt, ForeignError, Library};
pub use session::refresh::{Refresh, RefreshError, Refreshed, SessionEffect};
pub use session::request::{ResourceReply, ResourceRequest};
pub use session::revoke::{Revocation, Revoke};
pub use sessions::Sessions;
pub use sessions::error::SessionsError;
pub use sessions::event::{SessionChange, SessionEvent, Unsaved};
pub use sessions::key::SessionKey;
pub use sessions::log_out::{LogOut, LoggedOut};
pub use sessions::login::begin::{BeginLogin, BegunLogin};
pub use sessions::login::binding::{Binding, LoginCookie};
pub use sessions::login::finish::{FinishLogin, FinishLoginError, FinishedLogin};
pub use sessions::moving::add::AddSession;
pub use sessions::moving::hand_over::HandOver;
pub use sessions::policy::OnRelogin;
pub use sessions::request::{SessionReply, SessionRequest};
pub use sessions::restore::{Renew, Restore};
pub use sessions::upkeep::count_keys::{CountKeys, KeyCount};
pub use sessions::upkeep::list::{ListSessions, SessionsPage, StoredSession};
pub use sessions::upkeep::restored::MarkRestored;
pub use sessions::upkeep::sweep::{Sweep, Swept};
