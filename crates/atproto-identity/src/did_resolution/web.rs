//! `GET https://<host>/.well-known/did.json`
//!
//! Asks the host of a `did:web` for its document.
//!
//! The host is untrusted. Only status 200 has a document. Redirects are not followed, because
//! another host could then control the DID.
//!
//! atproto DID, «Blessed DID Methods»; did:web, «Read (Resolve)».

use std::time::Duration;

use atproto_sansio::{Body, Endpoint, Fresh, How, Reach, printable};
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::did_resolution::document::{ACCEPT, DidDocument, MAX_LEN};
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::request::{get, unexpected};
use crate::syntax::did::Did;
use crate::syntax::did_method::web_url;

/// Endpoint of the host of a `did:web` for its document. The DID has passed [`Did::check`].
#[derive(Debug)]
pub(crate) struct WebDocument {
    pub(crate) did: Did,
    pub(crate) freshness: Freshness,
    pub(crate) timeout: Duration,
    pub(crate) reach: Reach,
}

impl Endpoint for WebDocument {
    type Output = DidDocument;
    type Error = IdentityError;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, IdentityError> {
        get(&web_url(&self.did), ACCEPT, self.freshness)
    }

    fn how(&self) -> How {
        How { timeout: self.timeout, ..How::buffered(MAX_LEN, self.reach) }
    }

    fn response(&self, response: Response<Bytes>) -> Result<DidDocument, IdentityError> {
        let url = web_url(&self.did);
        let from = url.split_once("://").map_or(url.as_str(), |(_, place)| place);
        match response.status() {
            StatusCode::OK => DidDocument::from_reply(from, &self.did, response.body()),
            _ => Err(unexpected(printable(from), &response)),
        }
    }
}
