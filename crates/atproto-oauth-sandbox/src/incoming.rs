//! A request as the network sees it.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header::HeaderName};
use url::Url;

/// A request to some host of the network.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Incoming {
    /// `None` if the URL is not absolute.
    pub(crate) fn read(request: Request<Bytes>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).ok()?;
        Some(Self { method: head.method, url, headers: head.headers, body })
    }

    /// Scheme, host, and a port that is not the default.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// A header that is there once, as text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(this, _)| this == name).map(|(_, value)| value.into_owned())
    }
}
