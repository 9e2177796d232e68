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
    steps: Steps<State>,
}

enum State {
    Begin,
    Directories(Box<AskDirectories>),
    Host(Fetch<WebDocument>),
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
        steps.run(|state| {
            let (state, result) = match state {
                State::Begin => {
                    let asked = ask(config, did, *freshness)?;
                    let cached = match freshness {
                        Freshness::Cached => recall_document(cx, config, did),
                        Freshness::Fresh => None,
                    };
                    return Ok(cached.map_or(Step::Next(asked), Step::Done));
                }
                State::Directories(mut directories) => {
                    let result = directories.poll(cx);
                    (State::Directories(directories), result)
                }
                State::Host(mut host) => {
                    let result = host.poll(cx);
                    (State::Host(host), result)
                }
            };
            let Poll::Ready(result) = result else { return Ok(Step::Wait(state)) };
            learn_document(cx, config, did, &result);
            result.map(Step::Done)
        })
    }

    fn budget(&self) -> Budget {
        self.config.did_budget()
    }
}

/// Checks the DID and returns the state for its method: PLC directories, or the `did:web` host.
fn ask(config: &Arc<Config>, did: &Did, freshness: Freshness) -> Result<State, IdentityError> {
    let (config, did) = (Arc::clone(config), did.clone());
    match did.check(config.development)? {
        DidMethod::Plc if config.directories.is_empty() => Err(IdentityError::NoDirectory(did)),
        DidMethod::Plc => {
            let directories = AskDirectories::new(config, did, freshness);
            Ok(State::Directories(Box::new(directories)))
        }
        DidMethod::Web => {
            let (timeout, reach) = (config.document_timeout, config.reach());
            Ok(State::Host(Fetch::new(WebDocument { did, freshness, timeout, reach })))
        }
    }
}

impl fmt::Debug for ResolveDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveDid").field("did", &self.did).finish_non_exhaustive()
    }
}
