#![doc = include_str!("../README.md")]

mod account;
mod by_dns;
mod by_https;
mod cache;
mod directories;
mod dns_json;
mod document;
mod error;
mod identity;
mod method;
mod pds;
mod plc;
mod race;
mod request;
mod resolve_did;
mod resolve_handle;
mod resolver;
mod syntax;
mod web;
mod well_known;

pub use account::{Account, ResolveAccount};
pub use cache::{DOCUMENTS, Forget, Freshness, HANDLES};
pub use document::DidDocument;
pub use error::{IdentityError, IdentityErrorKind};
pub use identity::{Identity, ResolveIdentity};
pub use method::{Method, MethodFailure};
pub use resolve_did::ResolveDid;
pub use resolve_handle::ResolveHandle;
pub use resolver::Resolver;
pub use syntax::did::{Did, DidError};
pub use syntax::did_method::DidMethod;
pub use syntax::handle::{Handle, HandleError};
pub use syntax::identifier::{Identifier, IdentifierError};
