//! Fetches a metadata document, or takes it from the cache.
//!
//! The cache holds the unparsed document for 60 seconds. Each use parses and checks it again, so
//! that a cached document passes the same checks as a new one.

use std::task::Poll;
use std::time::Duration;

use atproto_identity::Freshness;
use atproto_sansio::{Body, Cx, Endpoint, Fetch, Fresh, How, Machine, Step, Steps, Topic};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

use crate::error::Error;

/// Cache of metadata documents in [`Memory`](atproto_sansio::Memory): the key is the URL of the
/// document, at most 256 documents of 8 MiB together are held, each for 60 seconds.
pub const METADATA: Topic = Topic::new("oauth-metadata", 256, 8 * 1024 * 1024);

const LIFETIME: Duration = Duration::from_secs(60);

/// An endpoint that serves a metadata document.
pub(crate) trait Document: Endpoint<Error = Error> {
    /// URL of the document, the key of the cache.
    fn document_url(&self) -> String;
}

/// Machine that fetches a metadata document, or takes it from the cache.
#[derive(Debug)]
pub(crate) struct FetchDocument<E>(Steps<State<E>>);

#[derive(Debug)]
enum State<E> {
    /// The document may be in the cache.
    Cached(E),
    Fetching(Fetch<Kept<E>>),
}

/// The endpoint of a document, with the unparsed document in its output, for the cache.
#[derive(Debug)]
struct Kept<E> {
    endpoint: E,
    freshness: Freshness,
}

impl<E: Document> FetchDocument<E> {
    pub(crate) fn new(endpoint: E, freshness: Freshness) -> Self {
        Self(Steps::begin(match freshness {
            Freshness::Cached => State::Cached(endpoint),
            Freshness::Fresh => State::Fetching(Fetch::new(Kept { endpoint, freshness })),
        }))
    }
}

impl<E: Document> Machine for FetchDocument<E> {
    type Output = E::Output;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<E::Output, Error>> {
        self.0.run(|state| {
            Ok(match state {
                State::Cached(endpoint) => match recall(&endpoint, cx) {
                    Some(output) => Step::Done(output),
                    None => {
                        let kept = Kept { endpoint, freshness: Freshness::Cached };
                        Step::Next(State::Fetching(Fetch::new(kept)))
                    }
                },
                State::Fetching(mut fetch) => match fetch.poll(cx) {
                    Poll::Pending => Step::Wait(State::Fetching(fetch)),
                    Poll::Ready(received) => {
                        let (output, url, body) = received?;
                        cx.remember(METADATA, &url, body, LIFETIME);
                        Step::Done(output)
                    }
                },
            })
        })
    }
}

/// The cached document, if it passes all checks.
fn recall<E: Document>(endpoint: &E, cx: &Cx<'_>) -> Option<E::Output> {
    let body = cx.recall(METADATA, &endpoint.document_url())?;
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    endpoint.response(response.body(body).ok()?).ok()
}

impl<E: Document> Endpoint for Kept<E> {
    /// The output of the endpoint, the URL of the document, and the document.
    type Output = (E::Output, String, Bytes);
    type Error = Error;

    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, Error> {
        let mut request = self.endpoint.request(fresh)?;
        if self.freshness == Freshness::Fresh {
            // A cache between this client and the server must not answer with an old document.
            let no_cache = HeaderValue::from_static("no-cache");
            request.headers_mut().insert(header::CACHE_CONTROL, no_cache);
        }
        Ok(request)
    }

    fn how(&self) -> How {
        self.endpoint.how()
    }

    fn response(&self, response: Response<Bytes>) -> Result<Self::Output, Error> {
        let body = response.body().clone();
        Ok((self.endpoint.response(response)?, self.endpoint.document_url(), body))
    }
}
