//! Fetches a metadata document, or takes it from the cache.
//!
//! The cache holds the unparsed document for 60 seconds. Each use parses and checks it again, so
//! that a cached document passes the same checks as a new one.

use std::task::{Poll, ready};
use std::time::Duration;

use atproto_identity::Freshness;
use atproto_sansio::{Cx, Endpoint, Fresh, Machine, Ticket, Topic};
use bytes::Bytes;
use http::{Response, header};

use crate::error::Error;

/// Cache of metadata documents in [`Memory`](atproto_sansio::Memory): the key is the URL of the
/// document, at most 256 documents are held, each for 60 seconds.
pub const METADATA: Topic = Topic { name: "oauth-metadata", capacity: 256 };

const LIFETIME: Duration = Duration::from_secs(60);

/// An endpoint that serves a metadata document.
pub(crate) trait Document: Endpoint<Error = Error> {
    /// URL of the document, the key of the cache.
    fn document_url(&self) -> String;
}

/// Machine that fetches a metadata document, or takes it from the cache.
#[derive(Debug)]
pub(crate) struct FetchDocument<E> {
    endpoint: E,
    freshness: Freshness,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Requested(Ticket<Response<Bytes>>),
    Ended,
}

impl<E: Document> FetchDocument<E> {
    pub(crate) fn new(endpoint: E, freshness: Freshness) -> Self {
        Self { endpoint, freshness, state: State::New }
    }

    /// The cached document, if `freshness` allows it and it passes all checks.
    fn recall(&self, cx: &Cx<'_>) -> Option<E::Output> {
        let body = match self.freshness {
            Freshness::Cached => cx.recall(METADATA, &self.endpoint.document_url())?,
            Freshness::Fresh => return None,
        };
        let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
        self.endpoint.response(response.body(body).ok()?).ok()
    }
}

impl<E: Document> Machine for FetchDocument<E> {
    type Output = E::Output;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<E::Output, Error>> {
        if let State::New = self.state {
            self.state = State::Ended;
            if let Some(output) = self.recall(cx) {
                return Poll::Ready(Ok(output));
            }
            let request = self.endpoint.request(Fresh::new(cx.now(), cx.entropy()))?;
            self.state = State::Requested(cx.http(request, self.endpoint.how()));
        }
        let State::Requested(ticket) = &self.state else {
            unreachable!("`FetchDocument` is not polled after its end")
        };
        let answer = ready!(cx.take(ticket));
        self.state = State::Ended;
        let response = answer?;
        let body = response.body().clone();
        let output = self.endpoint.response(response)?;
        cx.remember(METADATA, &self.endpoint.document_url(), body, LIFETIME);
        Poll::Ready(Ok(output))
    }
}
