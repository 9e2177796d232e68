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
use std::task::{Poll, ready};

use atproto_sansio::{Budget, Cx, Fetch, Machine};

use crate::cache::{learn_document, recall_document};
use crate::config::Config;
use crate::did_resolution::directories::AskDirectories;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::web::WebDocument;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::syntax::did::Did;
use crate::syntax::did_method::DidMethod;

/// Machine of [`Resolver::did`](crate::Resolver::did): resolves a DID to its [`DidDocument`].
pub struct ResolveDid {
    config: Arc<Config>,
    did: Did,
    freshness: Freshness,
    state: State,
}

enum State {
    Begin,
    Directories(Box<AskDirectories>),
    Host(Fetch<WebDocument>),
    Ended,
}

impl ResolveDid {
    pub(crate) fn new(config: Arc<Config>, did: Did, freshness: Freshness) -> Self {
        Self { config, did, freshness, state: State::Begin }
    }

    /// Checks the DID and returns the state for its method: PLC directories, or the `did:web` host.
    fn begin(&self) -> Result<State, IdentityError> {
        let (config, did, freshness) = (Arc::clone(&self.config), self.did.clone(), self.freshness);
        match did.check(config.development)? {
            DidMethod::Plc => AskDirectories::new(config, did, freshness)
                .map(|directories| State::Directories(Box::new(directories)))
                .ok_or_else(|| IdentityError::NoDirectory(self.did.clone())),
            DidMethod::Web => {
                let timeout = config.document_timeout;
                let reach = config.reach();
                Ok(State::Host(Fetch::new(WebDocument { did, freshness, timeout, reach })))
            }
        }
    }

    fn recall(&self, cx: &Cx<'_>) -> Option<DidDocument> {
        match self.freshness {
            Freshness::Cached => recall_document(cx, &self.config, &self.did),
            Freshness::Fresh => None,
        }
    }
}

impl Machine for ResolveDid {
    type Output = DidDocument;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<DidDocument, IdentityError>> {
        if let State::Begin = self.state {
            self.state = State::Ended;
            let asked = self.begin()?;
            if let Some(document) = self.recall(cx) {
                return Poll::Ready(Ok(document));
            }
            self.state = asked;
        }
        let result = ready!(match &mut self.state {
            State::Directories(directories) => directories.poll(cx),
            State::Host(host) => host.poll(cx),
            State::Begin | State::Ended => unreachable!("a resolution was polled after its end"),
        });
        self.state = State::Ended;
        learn_document(cx, &self.config, &self.did, &result);
        Poll::Ready(result)
    }

    fn budget(&self) -> Budget {
        self.config.did_budget()
    }
}

impl fmt::Debug for ResolveDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveDid").field("did", &self.did).finish_non_exhaustive()
    }
}
