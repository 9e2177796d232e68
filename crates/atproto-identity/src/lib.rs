#![doc = include_str!("../README.md")]

mod account;
mod cache;
mod classify;
mod config;
mod did_resolution;
mod error;
mod freshness;
mod handle_resolution;
mod identity;
mod json;
mod request;
mod resolver;
mod syntax;
mod trace;

pub use account::{Account, ResolveAccount};
pub use cache::{DOCUMENTS, Forget, HANDLES};
pub use did_resolution::document::DidDocument;
pub use did_resolution::resolve_did::ResolveDid;
pub use error::{IdentityError, IdentityErrorKind};
pub use freshness::Freshness;
pub use handle_resolution::method::{MethodFailure, ResolutionMethod};
pub use handle_resolution::resolve_handle::ResolveHandle;
pub use identity::{Identity, ResolveIdentity};
pub use resolver::Resolver;
pub use syntax::did::{Did, DidError};
pub use syntax::did_method::DidMethod;
pub use syntax::handle::{Handle, HandleError};
pub use syntax::identifier::{Identifier, IdentifierError};
pub use trace::{TraceDid, TraceHandle, TracedDocument, TracedHandle};
