#![doc = include_str!("../README.md")]

mod account;
mod cache;
mod directories;
mod document;
mod error;
mod handle_resolution;
mod identity;
mod pds;
mod plc;
mod request;
mod resolve_did;
mod resolver;
mod syntax;
mod web;

pub use account::{Account, ResolveAccount};
pub use cache::{DOCUMENTS, Forget, Freshness, HANDLES};
pub use document::DidDocument;
pub use error::{IdentityError, IdentityErrorKind};
pub use handle_resolution::method::{Method, MethodFailure};
pub use handle_resolution::resolve_handle::ResolveHandle;
pub use identity::{Identity, ResolveIdentity};
pub use resolve_did::ResolveDid;
pub use resolver::Resolver;
pub use syntax::did::{Did, DidError};
pub use syntax::did_method::DidMethod;
pub use syntax::handle::{Handle, HandleError};
pub use syntax::identifier::{Identifier, IdentifierError};
