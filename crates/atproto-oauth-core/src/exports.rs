//! Names that the adapters `atproto-oauth-reqwest` and `atproto-oauth-ureq` re-export, so that a
//! program needs no other dependency than its adapter.

#[cfg(feature = "pem")]
pub use atproto_dpop::signature_from_der;
pub use atproto_dpop::{
    AccessToken, ClockOffset, Dpop, DpopError, DpopKey, Jwk, P256Keys, Retry, RetryReason,
};
pub use atproto_identity::{
    Account, Did, DidDocument, DidError, DidMethod, Freshness, Handle, HandleError, Identifier,
    IdentifierError, Identity, IdentityError, IdentityErrorKind, MethodFailure, ResolutionMethod,
    Resolver,
};
pub use atproto_sansio::{
    Answer, Body, Budget, Call, Cx, Endpoint, Entropy, Fetch, Fresh, How, KeyError, Keys, Machine,
    Memo, Memory, Moment, Notice, Phase, Reach, Reply, Rule, SecretKey, SecretString, Signer,
    StoreError, StoreErrorKind, System, SystemEntropy, Topic, TransportError, UnixTime,
};
#[doc(no_inline)]
pub use {bytes, http, url};

pub use crate::client::Client;
pub use crate::client::auth::AuthMethod;
pub use crate::client::builder::ClientBuilder;
pub use crate::client::config::NoncePolicy;
pub use crate::client::description::Description;
pub use crate::client::key::ClientKey;
pub use crate::client::lint::check_client::{CheckClient, ClientReport};
pub use crate::client::lint::code::FindingCode;
pub use crate::client::lint::finding::Finding;
pub use crate::client::lint::jwks::lint_jwks;
pub use crate::client::lint::loopback::lint_loopback_client_id;
pub use crate::client::lint::metadata::lint_metadata;
pub use crate::client::lint::names::Severity;
pub use crate::client::redirect_uri::ApplicationType;
pub use crate::discovery::discover::{Discover, Discovered};
pub use crate::discovery::metadata::{DiscoveryError, Problem, Violation};
pub use crate::discovery::server::ServerMetadata;
pub use crate::endpoints::refusal::Refusal;
pub use crate::error::{
    AuthorityError, CallbackProblem, ConfigError, DeletedCause, Denied, EndpointName, Error,
    ErrorKind, InputError, ReauthCause, SessionError,
};
pub use crate::login::authorize::{Authorization, Authorize};
pub use crate::login::callback::CallbackParams;
pub use crate::login::exchange_code::{CallbackError, ExchangeCode, LoggedIn};
pub use crate::login::pending::Pending;
pub use crate::login::prompt::{Prompt, ResponseMode};
pub use crate::login::subject::Subject;
pub use crate::origin::{Origin, OriginError};
pub use crate::permission;
pub use crate::scope::lint::{ScopeFinding, ScopeFindingCode};
pub use crate::scope::{ScopeError, Scopes};
pub use crate::session::Session;
pub use crate::session::adopt::{Adopt, Credentials};
pub use crate::session::foreign::{Decrypt, ForeignError, Library};
pub use crate::session::refresh::{Refresh, RefreshError, Refreshed, SessionEffect};
pub use crate::session::request::{ResourceReply, ResourceRequest};
pub use crate::session::revoke::{Revocation, Revoke};
pub use crate::sessions::Sessions;
pub use crate::sessions::error::SessionsError;
pub use crate::sessions::event::{SessionChange, SessionEvent, Unsaved};
pub use crate::sessions::key::SessionKey;
pub use crate::sessions::log_out::{LogOut, LoggedOut};
pub use crate::sessions::login::begin::{BeginLogin, BegunLogin};
pub use crate::sessions::login::binding::{Binding, LoginCookie};
pub use crate::sessions::login::finish::{FinishLogin, FinishLoginError, FinishedLogin};
pub use crate::sessions::moving::add::AddSession;
pub use crate::sessions::moving::hand_over::HandOver;
pub use crate::sessions::policy::OnRelogin;
pub use crate::sessions::request::{SessionReply, SessionRequest};
pub use crate::sessions::restore::{Renew, Restore};
pub use crate::sessions::upkeep::count_keys::{CountKeys, KeyCount};
pub use crate::sessions::upkeep::list::{ListSessions, SessionsPage, StoredSession};
pub use crate::sessions::upkeep::restored::MarkRestored;
pub use crate::sessions::upkeep::sweep::{Sweep, Swept};
pub use crate::xrpc;
pub use crate::xrpc::XrpcError;
