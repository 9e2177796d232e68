//! [`AskDirectories`]: asks the PLC directories in order until one answers.
//!
//! ```text
//!   ┌──▶ directory ──▶ document, or a final error
//!   └───────┘
//!   transient error
//! ```
//!
//! The first answer counts: answers of several directories are never compared or merged. A
//! directory also answers if it says that there is no such DID (404), or that the DID is tombstoned
//! (410).

use std::sync::Arc;
use std::task::{Poll, ready};

use atproto_sansio::{Cx, Fetch, Machine};

use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::plc::PlcDocument;
use crate::error::IdentityError;
use crate::syntax::did::Did;

/// Machine that fetches the document of a `did:plc` from the first directory that answers.
pub(crate) struct AskDirectories {
    config: Arc<Config>,
    did: Did,
    asked: usize,
    directory: Fetch<PlcDocument>,
}

impl AskDirectories {
    /// `None` if no directory is configured.
    pub(crate) fn new(config: Arc<Config>, did: Did) -> Option<Self> {
        let directory = fetch(&config, &did, 0)?;
        Some(Self { config, did, asked: 1, directory })
    }
}

impl Machine for AskDirectories {
    type Output = DidDocument;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<DidDocument, IdentityError>> {
        loop {
            let result = ready!(self.directory.poll(cx));
            let next = match &result {
                Err(error) if error.is_transient() => fetch(&self.config, &self.did, self.asked),
                Ok(_) | Err(_) => None,
            };
            let Some(next) = next else { return Poll::Ready(result) };
            self.asked += 1;
            self.directory = next;
        }
    }
}

fn fetch(config: &Arc<Config>, did: &Did, index: usize) -> Option<Fetch<PlcDocument>> {
    let directory = config.directories.get(index)?.clone();
    let timeout = config.document_timeout;
    Some(Fetch::new(PlcDocument { directory, did: did.clone(), timeout }))
}
