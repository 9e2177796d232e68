//! Fetches a metadata document, or recalls it.
//!
//! What is remembered is the document as it came, for a minute: it is checked again each time, so
//! nothing that could be refused is believed because it was there before.

use std::task::{Poll, ready};
use std::time::Duration;

use atproto_identity::Freshness;
use atproto_sansio::{Cx, Endpoint, Fresh, Machine, Ticket, Topic};
use bytes::Bytes;
use http::{Response, header};

use crate::error::Error;

/// What is remembered: metadata documents, by their URLs.
pub const METADATA: Topic = Topic { name: "oauth-metadata", capacity: 256 };

const LIFETIME: Duration = Duration::from_secs(60);

/// An endpoint that serves a metadata document.
pub(crate) trait Document: Endpoint<Error = Error> {
    /// Where the document is.
    fn document_url(&self) -> String;
}

/// Fetches a metadata document, or recalls it.
#[derive(Debug)]
pub(crate) struct FetchDocument<E> {
    endpoint: E,
    freshness: Freshness,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Asked(Ticket<Response<Bytes>>),
    Ended,
}

impl<E: Document> FetchDocument<E> {
    pub(crate) fn new(endpoint: E, freshness: Freshness) -> Self {
        Self { endpoint, freshness, state: State::New }
    }

    /// The document, if it is remembered and still good.
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
            self.state = State::Asked(cx.http(request, self.endpoint.how()));
        }
        let State::Asked(ticket) = &self.state else {
            unreachable!("a document is not fetched after its end")
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
