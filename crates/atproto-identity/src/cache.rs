//! The cache of resolved handles and DID documents, and [`Forget`].
//!
//! A value is cached under its handle or DID and the settings that it depends on, so that resolvers
//! with other settings, which share the memory of a driver, do not share it. Cached values pass the
//! same checks as values from the network.
//!
//! atproto OAuth, «Identity Authentication».

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Cx, Machine, Step, Steps, Topic};
use bytes::Bytes;

use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::error::IdentityError;
use crate::syntax::did::Did;
use crate::syntax::did_method::DidMethod;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// Cache topic of resolved handles: handle and settings to DID, for nine minutes.
pub const HANDLES: Topic = Topic::new("atproto-identity: handles", 1000, 256 * 1024);

/// Cache topic of DID documents: DID and settings to JSON, for nine minutes; 16 MiB at most.
pub const DOCUMENTS: Topic = Topic::new("atproto-identity: documents", 1000, 16 * 1024 * 1024);

/// Machine of [`Resolver::forget`](crate::Resolver::forget): removes an account from the cache.
#[derive(Debug)]
pub struct Forget {
    config: Arc<Config>,
    /// The one state: the account that is not forgotten yet.
    steps: Steps<Identifier>,
}

impl Forget {
    pub(crate) fn new(config: Arc<Config>, identifier: Identifier) -> Self {
        Self { config, steps: Steps::begin(identifier) }
    }
}

impl Machine for Forget {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let Self { config, steps } = self;
        steps.run(|identifier| {
            forget(cx, config, &identifier);
            Ok(Step::Done(()))
        })
    }
}

/// Removes a handle, or the document of a DID. With a handle, removes the document of its cached
/// DID, too.
pub(crate) fn forget(cx: &Cx<'_>, config: &Config, identifier: &Identifier) {
    match identifier {
        Identifier::Handle(handle) => {
            if let Some(did) = recall_did(cx, config, handle) {
                cx.forget(DOCUMENTS, &document_key(config, &did));
            }
            cx.forget(HANDLES, &handle_key(config, handle));
        }
        Identifier::Did(did) => cx.forget(DOCUMENTS, &document_key(config, did)),
    }
}

pub(crate) fn recall_did(cx: &Cx<'_>, config: &Config, handle: &Handle) -> Option<Did> {
    let bytes = cx.recall(HANDLES, &handle_key(config, handle))?;
    let did = Did::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
    did.check(config.development).is_ok().then_some(did)
}

/// Updates the cache with the result of a resolution. A transient error leaves the cache as it is;
/// any other error removes the cached DID.
pub(crate) fn learn_did(
    cx: &Cx<'_>,
    config: &Config,
    handle: &Handle,
    result: &Result<Did, IdentityError>,
) {
    let key = handle_key(config, handle);
    match result {
        Ok(did) => {
            let value = Bytes::copy_from_slice(did.as_str().as_bytes());
            cx.remember(HANDLES, &key, value, LIFETIME);
        }
        Err(error) if error.is_transient() => {}
        Err(_) => cx.forget(HANDLES, &key),
    }
}

pub(crate) fn recall_document(cx: &Cx<'_>, config: &Config, did: &Did) -> Option<DidDocument> {
    DidDocument::parse(did, cx.recall(DOCUMENTS, &document_key(config, did))?).ok()
}

/// Updates the cache with the result of a resolution. A transient error leaves the cache as it is;
/// any other error removes the cached document.
pub(crate) fn learn_document(
    cx: &Cx<'_>,
    config: &Config,
    did: &Did,
    result: &Result<DidDocument, IdentityError>,
) {
    let key = document_key(config, did);
    match result {
        Ok(document) => cx.remember(DOCUMENTS, &key, document.json().clone(), LIFETIME),
        Err(error) if error.is_transient() => {}
        Err(_) => cx.forget(DOCUMENTS, &key),
    }
}

/// Cache key of a handle, with the settings that decide which hosts name its DID.
fn handle_key(config: &Config, handle: &Handle) -> String {
    let records = match &config.dns_over_https {
        _ if config.skips_dns(handle) => "none",
        Some(service) => service.as_str(),
        None => "driver",
    };
    let redirects = config.max_redirects;
    format!("{handle} {} records={records} redirects={redirects}", mode(config))
}

/// Cache key of a DID document, with the settings that decide which hosts have it.
fn document_key(config: &Config, did: &Did) -> String {
    let mut key = format!("{did} {}", mode(config));
    if did.check(config.development) == Ok(DidMethod::Plc) {
        for directory in &config.directories {
            key.push(' ');
            key.push_str(directory.as_str());
        }
    }
    key
}

fn mode(config: &Config) -> &'static str {
    if config.development { "development" } else { "production" }
}

/// Lifetime of cached values. A login must not use an answer that is ten minutes old.
const LIFETIME: Duration = Duration::from_secs(9 * 60);
