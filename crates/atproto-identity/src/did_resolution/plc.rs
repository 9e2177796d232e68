//! `GET <directory>/<did>`
//!
//! Asks a PLC directory for the document of a `did:plc`.
//!
//! The directory comes from the configuration and is trusted for every `did:plc`. Status 404 means
//! that there is no such DID, 410 that the DID is tombstoned; both answers are final.
//!
//! atproto DID, «Blessed DID Methods»; did:plc, «DID Resolution».

use std::time::Duration;

use atproto_sansio::{Body, Endpoint, Fresh, How, Reach};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use url::Url;

use crate::did_resolution::document::{ACCEPT, DidDocument, MAX_LEN};
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::request::{get, place, unexpected};
use crate::syntax::did::Did;

/// Endpoint of one PLC directory for the document of a `did:plc`.
#[derive(Debug)]
pub(crate) struct PlcDocument {
    pub(crate) directory: Url,
    pub(crate) did: Did,
    pub(crate) freshness: Freshness,
    pub(crate) timeout: Duration,
}

impl PlcDocument {
    fn url(&self) -> Url {
        url(&self.directory, &self.did)
    }
}

/// URL of the document of `did` at a directory.
pub(crate) fn url(directory: &Url, did: &Did) -> Url {
    let mut url = directory.clone();
    // A checked `did:plc` has no character that must be escaped in a path.
    let path = format!("{}/{did}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

impl Endpoint for PlcDocument {
    type Output = DidDocument;
    type Error = IdentityError;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, IdentityError> {
        get(self.url().as_str(), ACCEPT, self.freshness)
    }

    fn how(&self) -> How {
        How { timeout: self.timeout, ..How::buffered(MAX_LEN, Reach::Configured) }
    }

    fn response(&self, response: Response<Bytes>) -> Result<DidDocument, IdentityError> {
        let from = place(&self.url());
        match response.status() {
            StatusCode::OK => DidDocument::from_reply(&from, &self.did, response.body()),
            StatusCode::GONE => Err(IdentityError::Tombstoned(self.did.clone())),
            _ => Err(unexpected(from, &response)),
        }
    }
}
