//! The cache of resolved handles and DID documents, and [`Forget`].
//!
//! Cached values pass the same checks as values from the network.
//!
//! atproto OAuth, «Identity Authentication».

use std::convert::Infallible;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Cx, Machine, Topic};
use bytes::Bytes;

use crate::did_resolution::document::DidDocument;
use crate::error::IdentityError;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// Cache topic of resolved handles: handle to DID, for nine minutes.
pub const HANDLES: Topic = Topic::new("atproto-identity: handles", 1000, 256 * 1024);

/// Cache topic of DID documents: DID to JSON, for nine minutes; 16 MiB at most.
pub const DOCUMENTS: Topic = Topic::new("atproto-identity: documents", 1000, 16 * 1024 * 1024);

/// Whether a resolution may use cached results.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a result is either cached or fresh")]
pub enum Freshness {
    /// The result may come from the cache, at most nine minutes old.
    Cached,
    /// The result comes from the network. It is cached for later resolutions.
    Fresh,
}

/// Machine that removes an account from the cache, so that the next resolution uses the network.
///
/// For an app that learns that an identity has changed. The machine asks for no call. Given a
/// handle, it also removes the document of the DID that the cache holds for the handle.
#[derive(Debug)]
pub struct Forget {
    identifier: Option<Identifier>,
}

impl Forget {
    /// A machine that removes `identifier` from the cache.
    pub fn new(identifier: Identifier) -> Self {
        Self { identifier: Some(identifier) }
    }
}

impl Machine for Forget {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let identifier = self.identifier.take().expect("`Forget` is not polled after its end");
        forget(cx, &identifier);
        Poll::Ready(Ok(()))
    }
}

pub(crate) fn forget(cx: &Cx<'_>, identifier: &Identifier) {
    match identifier {
        Identifier::Handle(handle) => {
            if let Some(did) = recall_did(cx, handle, true) {
                cx.forget(DOCUMENTS, did.as_str());
            }
            cx.forget(HANDLES, handle.as_str());
        }
        Identifier::Did(did) => cx.forget(DOCUMENTS, did.as_str()),
    }
}

pub(crate) fn recall_did(cx: &Cx<'_>, handle: &Handle, development: bool) -> Option<Did> {
    let bytes = cx.recall(HANDLES, handle.as_str())?;
    let did = Did::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
    did.check(development).is_ok().then_some(did)
}

/// Updates the cache with the result of a resolution. A transient error leaves the cache as it is;
/// any other error removes the cached DID.
pub(crate) fn learn_did(cx: &Cx<'_>, handle: &Handle, result: &Result<Did, IdentityError>) {
    match result {
        Ok(did) => {
            let value = Bytes::copy_from_slice(did.as_str().as_bytes());
            cx.remember(HANDLES, handle.as_str(), value, LIFETIME);
        }
        Err(error) if error.is_transient() => {}
        Err(_) => cx.forget(HANDLES, handle.as_str()),
    }
}

pub(crate) fn recall_document(cx: &Cx<'_>, did: &Did) -> Option<DidDocument> {
    DidDocument::parse(did, cx.recall(DOCUMENTS, did.as_str())?).ok()
}

/// Updates the cache with the result of a resolution. A transient error leaves the cache as it is;
/// any other error removes the cached document.
pub(crate) fn learn_document(cx: &Cx<'_>, did: &Did, result: &Result<DidDocument, IdentityError>) {
    match result {
        Ok(document) => {
            cx.remember(DOCUMENTS, did.as_str(), document.json().clone(), LIFETIME);
        }
        Err(error) if error.is_transient() => {}
        Err(_) => cx.forget(DOCUMENTS, did.as_str()),
    }
}

/// Lifetime of cached values. A login must not use an answer that is ten minutes old.
const LIFETIME: Duration = Duration::from_secs(9 * 60);
