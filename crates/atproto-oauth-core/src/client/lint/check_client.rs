//! Fetches the documents of a client as an authorization server does, and lints them.
//!
//! ```text
//! Metadata ── jwks_uri ──▶ Keys ──▶ ClientReport
//!     └─────────────────────────────────▲
//! ```
//!
//! atproto OAuth, «Client ID Metadata Document»; Client ID Metadata Document draft.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Budget, Cx, Fetch, Machine, Reach, Step, Steps};
use bytes::Bytes;
use url::Url;

use crate::client::config::Config;
use crate::client::lint::document::Document;
use crate::client::lint::fetch::{self, ClientDocument, NoDocument};
use crate::client::lint::finding::{Finding, Findings};
use crate::client::lint::jwks::{self, JWKS_URI};
use crate::client::lint::loopback::{self, lint_loopback_client_id};
use crate::client::lint::metadata::{lint_client_id, lint_metadata};
use crate::client::lint::names::Severity;
use crate::error::Error;
use crate::origin::to_uri;

/// Machine that fetches the metadata document of any client, and the keys at its `jwks_uri`, as an
/// authorization server does, and ends in a [`ClientReport`] with all findings.
///
/// Authorization servers require status 200 without a redirect and the content type
/// `application/json`, and fetch only from public hosts. A document that they would not get is a
/// finding, too, so the machine never fails.
///
/// The `client_id` of a loopback client is checked without any request.
pub struct CheckClient {
    client_id: String,
    reach: Reach,
    /// Settings that the documents are compared with.
    own: Option<Arc<Config>>,
    steps: Steps<State>,
}

/// The documents of a client, as far as they could be fetched, and everything that is wrong with
/// them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientReport {
    /// URL of the metadata document.
    pub client_id: String,
    /// The metadata document; `None` if it could not be fetched, and for a loopback client.
    pub document: Option<Bytes>,
    /// The document at the `jwks_uri`; `None` if there is no such URL, or if it could not be fetched.
    pub jwks: Option<Bytes>,
    /// All findings: of the responses, in the documents, and in the comparison of both with the
    /// settings of the client. A place in the document at the `jwks_uri` begins with `jwks_uri`.
    pub findings: Vec<Finding>,
}

#[derive(Debug)]
enum State {
    Begin,
    Metadata(Fetch<ClientDocument>),
    Keys { document: Bytes, fetch: Fetch<ClientDocument> },
}

impl CheckClient {
    /// Checks the client with this `client_id`.
    ///
    /// With `development`, documents are fetched from loopback and `.test` hosts, too, also with
    /// plain http. Such hosts are findings all the same, because they work in that network only.
    pub fn new(client_id: impl Into<String>, development: bool) -> Self {
        let reach = Reach::untrusted(development);
        Self { client_id: client_id.into(), reach, own: None, steps: Steps::begin(State::Begin) }
    }

    /// Checks the published documents of the client with these settings, and compares them.
    pub(crate) fn of_own(config: Arc<Config>) -> Self {
        Self {
            client_id: config.client_id.clone(),
            reach: config.reach(),
            own: Some(config),
            steps: Steps::begin(State::Begin),
        }
    }
}

impl ClientReport {
    /// Whether authorization servers accept the client: no finding is an error.
    pub fn is_accepted(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    fn new(client_id: &str, findings: Vec<Finding>) -> Self {
        Self { client_id: client_id.to_owned(), document: None, jwks: None, findings }
    }

    /// The report of a client whose metadata could not be fetched.
    fn without_document(client_id: &str, NoDocument { code, why }: NoDocument) -> Self {
        let mut findings = Findings::default();
        findings.extend(lint_client_id(client_id));
        findings.about_document(code, why);
        Self::new(client_id, findings.finish())
    }

    /// The report of a client whose metadata were fetched. `keys` are the outcome at its `jwks_uri`,
    /// if it has been asked.
    fn with_document(
        client_id: &str,
        document: Bytes,
        keys: Option<Result<Bytes, NoDocument>>,
        own: Option<&Config>,
    ) -> Self {
        let mut findings = Findings::default();
        findings.extend(lint_metadata(client_id, &document));
        let jwks = match keys {
            Some(Ok(jwks)) => {
                findings.extend(jwks::lint_at_jwks_uri(&jwks));
                Some(jwks)
            }
            Some(Err(NoDocument { code, why })) => {
                findings.add(code, JWKS_URI, why);
                None
            }
            None => None,
        };
        if let Some(own) = own {
            own.compare(&document, jwks.as_deref(), &mut findings);
        }
        Self { document: Some(document), jwks, ..Self::new(client_id, findings.finish()) }
    }
}

impl Machine for CheckClient {
    type Output = ClientReport;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<ClientReport, Error>> {
        let Self { client_id, reach, own, steps } = self;
        let own = own.as_deref();
        steps.run(|state| {
            Ok(match state {
                State::Begin if loopback::is_loopback(client_id) => {
                    let findings = lint_loopback_client_id(client_id);
                    Step::Done(ClientReport::new(client_id, findings))
                }
                State::Begin => match fetchable(client_id, *reach) {
                    Some(url) => Step::Next(State::Metadata(fetch(url, *reach, &fetch::METADATA))),
                    // The rules of a `client_id` are stricter, so they have findings for it.
                    None => Step::Done(ClientReport::new(client_id, lint_client_id(client_id))),
                },
                State::Metadata(mut fetching) => match outcome(&mut fetching, &fetch::METADATA, cx)
                {
                    Poll::Pending => Step::Wait(State::Metadata(fetching)),
                    Poll::Ready(Err(none)) => {
                        Step::Done(ClientReport::without_document(client_id, none))
                    }
                    Poll::Ready(Ok(document)) => match jwks_uri(&document, *reach) {
                        Some(url) => {
                            let fetch = fetch(url, *reach, &fetch::JWKS);
                            Step::Next(State::Keys { document, fetch })
                        }
                        None => {
                            Step::Done(ClientReport::with_document(client_id, document, None, own))
                        }
                    },
                },
                State::Keys { document, mut fetch } => {
                    match outcome(&mut fetch, &fetch::JWKS, cx) {
                        Poll::Pending => Step::Wait(State::Keys { document, fetch }),
                        Poll::Ready(keys) => {
                            let keys = Some(keys);
                            Step::Done(ClientReport::with_document(client_id, document, keys, own))
                        }
                    }
                }
            })
        })
    }

    /// Two requests within a minute.
    fn budget(&self) -> Budget {
        Budget::new(2, Duration::from_secs(60))
    }
}

fn fetch(url: String, reach: Reach, codes: &'static fetch::Codes) -> Fetch<ClientDocument> {
    Fetch::new(ClientDocument { url, reach, codes })
}

/// The document, or the reason for which there is none.
fn outcome(
    fetch: &mut Fetch<ClientDocument>,
    codes: &fetch::Codes,
    cx: &mut Cx<'_>,
) -> Poll<Result<Bytes, NoDocument>> {
    fetch.poll(cx).map(|outcome| outcome.unwrap_or_else(|error| Err(codes.failed(&error))))
}

/// The URL to request for a URL that a client names; `None` if its scheme or host is out of reach.
fn fetchable(text: &str, reach: Reach) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    url.set_fragment(None); // the URL of a request has no fragment
    let uri = to_uri(&url)?;
    reach.check(&uri).is_ok().then(|| url.into())
}

/// The `jwks_uri` of a document, if it can be requested. Otherwise the document has a finding.
fn jwks_uri(document: &[u8], reach: Reach) -> Option<String> {
    fetchable(Document::readable(document)?.get(JWKS_URI)?.as_str()?, reach)
}

impl fmt::Debug for CheckClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CheckClient");
        shown.field("client_id", &self.client_id).field("steps", &self.steps);
        shown.finish_non_exhaustive()
    }
}
