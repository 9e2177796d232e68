//! `rpc`: requests that the PDS forwards to other services.
//!
//! atproto «Permissions», «`rpc`».

use std::fmt;

use atproto_identity::Did;

use crate::permission::error::PermissionError;
use crate::permission::nsids::Nsids;
use crate::permission::syntax::{self, Syntax};
use crate::xrpc::Service;

/// Permission to call methods of a service: `rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Rpc {
    /// The methods (`lxm`).
    pub methods: Nsids,
    /// The services (`aud`).
    pub audience: Audience,
}

/// The services that may be called.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has no third form")]
pub enum Audience {
    /// `*`: each service.
    Any,
    /// This one.
    Service(Service),
}

impl Rpc {
    /// Permission to call `methods` of `audience`.
    ///
    /// # Errors
    ///
    /// [`PermissionError::BothWildcards`] if it would be for all methods of all services.
    pub fn new(methods: Nsids, audience: Audience) -> Result<Self, PermissionError> {
        match (&methods, &audience) {
            (Nsids::Any, Audience::Any) => Err(PermissionError::BothWildcards),
            _ => Ok(Self { methods, audience }),
        }
    }

    pub(super) fn read(syntax: &Syntax) -> Result<Self, PermissionError> {
        syntax.only("rpc", &["lxm", "aud"])?;
        let missing = |name| PermissionError::Missing {
            resource: "rpc",
            name,
            example: "rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview",
        };
        let methods = syntax.values("lxm")?;
        if methods.is_empty() {
            return Err(missing("lxm"));
        }
        let methods = Nsids::read("lxm", &methods)?;
        let audience = syntax.named_value("aud")?.ok_or_else(|| missing("aud"))?;
        Self::new(methods, Audience::read(audience)?)
    }
}

impl Audience {
    fn read(text: &str) -> Result<Self, PermissionError> {
        match text {
            "*" => Ok(Self::Any),
            _ => Ok(Self::Service(service(text)?)),
        }
    }

    /// Whether `service` is one of them.
    pub fn contains(&self, service: &Service) -> bool {
        match self {
            Self::Any => true,
            Self::Service(own) => own == service,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Service(service) => service.as_str(),
        }
    }
}

/// Reads the service of an `aud`, whose DID has to be one that AT Protocol allows.
pub(super) fn service(text: &str) -> Result<Service, PermissionError> {
    let expected = match text.contains('#') {
        true => "expected a did:plc or did:web, `%23` and the id of a service",
        false => {
            "expected the id of a service after the DID, such as did:web:api.bsky.app%23bsky_appview"
        }
    };
    let refused = || PermissionError::value("aud", text, expected);
    let service = Service::parse(text).map_err(|_| refused())?;
    let (did, _) = text.split_once('#').ok_or_else(refused)?;
    // A development network has DIDs of `localhost` and of `.test` hosts.
    let did = Did::parse(did).map_err(|_| refused())?;
    did.check(true).map(|_| service).map_err(|_| refused())
}

impl fmt::Display for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audience = ("aud", self.audience.as_str());
        syntax::write(f, "rpc", ("lxm", &self.methods.texts()), &[audience])
    }
}
