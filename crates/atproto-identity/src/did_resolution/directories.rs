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
//!
//! The time for the document is divided among the directories that are left, so that a directory
//! that never answers leaves time for the next one.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Cx, Fetch, Machine, Step, Steps};
use url::Url;

use crate::config::Config;
use crate::did_resolution::document::DidDocument;
use crate::did_resolution::plc::{self, PlcDocument};
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::syntax::did::Did;

/// Machine that fetches the document of a `did:plc` from the first directory that answers.
pub(crate) struct AskDirectories {
    list: List,
    steps: Steps<State>,
}

enum State {
    /// The next directory is asked now.
    Next,
    Asked(Fetch<PlcDocument>),
}

/// The directories, and the failures of those that were asked.
struct List {
    config: Arc<Config>,
    did: Did,
    freshness: Freshness,
    /// Deadline of all directories together, on the scale of `Cx::elapsed`; set by the first
    /// request.
    deadline: Option<Duration>,
    failures: Vec<IdentityError>,
}

impl AskDirectories {
    pub(crate) fn new(config: Arc<Config>, did: Did, freshness: Freshness) -> Self {
        let list = List { config, did, freshness, deadline: None, failures: Vec::new() };
        Self { list, steps: Steps::begin(State::Next) }
    }
}

impl List {
    /// A request to the next directory, with its share of the time that is left. `None` if there
    /// is no directory or no time left.
    fn next(&mut self, elapsed: Duration) -> Option<Fetch<PlcDocument>> {
        let latest = elapsed.saturating_add(self.config.document_timeout);
        let left = self.deadline.get_or_insert(latest).saturating_sub(elapsed);
        let directories = self.config.directories.get(self.failures.len()..)?;
        let timeout = left.checked_div(u32::try_from(directories.len()).ok()?)?;
        let directory = directories.first().filter(|_| !timeout.is_zero())?.clone();
        let (did, freshness) = (self.did.clone(), self.freshness);
        Some(Fetch::new(PlcDocument { directory, did, freshness, timeout }))
    }

    /// URL at which the present directory has the document.
    fn url(&self) -> Option<Url> {
        let directory = self.config.directories.get(self.failures.len())?;
        Some(plc::url(directory, &self.did))
    }

    /// The error of all directories that were asked.
    fn failure(&mut self) -> IdentityError {
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by_key(IdentityError::rank);
        match <[IdentityError; 1]>::try_from(failures) {
            Ok([error]) => error,
            Err(failures) => IdentityError::Directories { did: self.did.clone(), failures },
        }
    }
}

impl Machine for AskDirectories {
    /// The document, and its URL at the directory that has answered.
    type Output = (DidDocument, Url);
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(DidDocument, Url), IdentityError>> {
        let Self { list, steps } = self;
        steps.run(|state| match state {
            State::Next => match list.next(cx.elapsed()) {
                Some(asked) => Ok(Step::Next(State::Asked(asked))),
                None => Err(list.failure()),
            },
            State::Asked(mut asked) => match asked.poll(cx) {
                Poll::Pending => Ok(Step::Wait(State::Asked(asked))),
                Poll::Ready(Ok(document)) => {
                    let url = list.url().expect("the directory that has answered is in the list");
                    Ok(Step::Done((document, url)))
                }
                Poll::Ready(Err(error)) => {
                    let is_final = !error.is_transient();
                    list.failures.push(error);
                    if is_final { Err(list.failure()) } else { Ok(Step::Next(State::Next)) }
                }
            },
        })
    }
}
