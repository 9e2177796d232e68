//! What is remembered of earlier resolutions, and how to forget it.
//!
//! What comes out of the memory passes the same checks as what comes from the network.
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

/// The DIDs of handles, as remembered for nine minutes: handle to DID.
pub const HANDLES: Topic = Topic { name: "atproto-identity: handles", capacity: 1000 };

/// DID documents, as remembered for nine minutes: DID to JSON.
pub const DOCUMENTS: Topic = Topic { name: "atproto-identity: documents", capacity: 1000 };

/// Whether an answer may be one that is remembered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Freshness {
    /// At most nine minutes old.
    Cached,
    /// Asked for now. The answer is remembered for others.
    Fresh,
}

/// Forgets what is remembered of an account, so that the next resolution asks anew.
///
/// It asks for no call, and is for an app that learns that an identity has changed. Given a handle,
/// the document of the DID that it leads to is forgotten as well.
#[derive(Debug)]
pub struct Forget {
    identifier: Option<Identifier>,
}

impl Forget {
    /// Is going to forget `identifier`.
    pub fn new(identifier: Identifier) -> Self {
        Self { identifier: Some(identifier) }
    }
}

impl Machine for Forget {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let identifier = self.identifier.take().expect("nothing is forgotten twice");
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

/// Remembers how a resolution ended; that it failed for good, by forgetting what was known.
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

/// Remembers how a resolution ended; that it failed for good, by forgetting what was known.
pub(crate) fn learn_document(cx: &Cx<'_>, did: &Did, result: &Result<DidDocument, IdentityError>) {
    match result {
        Ok(document) => {
            cx.remember(DOCUMENTS, did.as_str(), document.json().clone(), LIFETIME);
        }
        Err(error) if error.is_transient() => {}
        Err(_) => cx.forget(DOCUMENTS, did.as_str()),
    }
}

/// A login must not rest on an answer of ten minutes ago.
const LIFETIME: Duration = Duration::from_secs(9 * 60);
