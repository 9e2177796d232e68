//! [`ResolveDid`]: resolves a DID to its DID document.
//!
//! ```text
//!   begin ──┬─ did:plc ─▶ directories ────▶ end
//!           ├─ did:web ─▶ host ───────────▶ end
//!           └─ cached, or not supported ──▶ end
//! ```
//!
//! Guarantees of `Ok`: the document comes from the PLC directory or from the host of the `did:web`,
//! now or within the last nine minutes. The `id` member of the document equals the DID, byte for
//! byte.
//!
//! atproto DID, «Blessed DID Methods» and «DID Documents».

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Fetch, Machine, Step, Steps};
use url::Url;

use crate::cache::{learn_document, recall_document};
use crate::config::Config;
use crate::did_resolution::directories::AskDirectories;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::web::WebDocument;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::request::place;
use crate::syntax::did::Did;
use crate::syntax::did_method::{DidMethod, web_url};

/// Machine of [`Resolver::did`](crate::Resolver::did): resolves a DID to its [`DidDocument`].
pub struct ResolveDid {
    config: Arc<Config>,
    did: Did,
    freshness: Freshness,
    steps: Steps<State>,
}

enum State {
    Begin,
    Asked(AskNetwork),
}

/// The requests for a document: to PLC directories, or to the host of a `did:web`.
pub(crate) enum AskNetwork {
    Directories(Box<AskDirectories>),
    Host { host: Box<Fetch<WebDocument>>, url: String },
}

impl ResolveDid {
    pub(crate) fn new(config: Arc<Config>, did: Did, freshness: Freshness) -> Self {
        Self { config, did, freshness, steps: Steps::begin(State::Begin) }
    }
}

impl Machine for ResolveDid {
    type Output = DidDocument;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<DidDocument, IdentityError>> {
        let Self { config, did, freshness, steps } = self;
        steps.run(|state| match state {
            State::Begin => {
                let asked = State::Asked(AskNetwork::new(config, did, *freshness)?);
                let cached = match freshness {
                    Freshness::Cached => recall_document(cx, config, did),
                    Freshness::Fresh => None,
                };
                Ok(cached.map_or(Step::Next(asked), Step::Done))
            }
            State::Asked(mut asked) => {
                let Poll::Ready(result) = asked.poll(cx) else {
                    return Ok(Step::Wait(State::Asked(asked)));
                };
                let result = result.map(|(document, _)| document);
                learn_document(cx, config, did, &result);
                result.map(Step::Done)
            }
        })
    }

    fn budget(&self) -> Budget {
        self.config.did_budget()
    }
}

impl AskNetwork {
    /// Checks the DID, and prepares the requests of its method.
    pub(crate) fn new(
        config: &Arc<Config>,
        did: &Did,
        freshness: Freshness,
    ) -> Result<Self, IdentityError> {
        let (config, did) = (Arc::clone(config), did.clone());
        match did.check(config.development)? {
            DidMethod::Plc if config.directories.is_empty() => Err(IdentityError::NoDirectory(did)),
            DidMethod::Plc => {
                Ok(Self::Directories(Box::new(AskDirectories::new(config, did, freshness))))
            }
            DidMethod::Web => {
                let (timeout, reach, url) =
                    (config.document_timeout, config.reach(), web_url(&did));
                let host = Box::new(Fetch::new(WebDocument { did, freshness, timeout, reach }));
                Ok(Self::Host { host, url })
            }
        }
    }

    /// Returns the document, and its URL without the query, which may hold a key.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Cx<'_>,
    ) -> Poll<Result<(DidDocument, String), IdentityError>> {
        match self {
            Self::Directories(directories) => {
                directories.poll(cx).map_ok(|(document, url)| (document, without_secrets(&url)))
            }
            Self::Host { host, url } => host.poll(cx).map_ok(|document| (document, url.clone())),
        }
    }
}

fn without_secrets(url: &Url) -> String {
    format!("{}://{}", url.scheme(), place(url))
}

impl fmt::Debug for ResolveDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveDid").field("did", &self.did).finish_non_exhaustive()
    }
}
