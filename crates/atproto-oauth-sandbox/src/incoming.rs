//! An HTTP request as the hosts of the network receive it.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method, Request};
use url::Url;

/// A request with an absolute URL, from a client or from a server of the network.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Incoming {
    /// Converts an HTTP request; `None` if its URL is not absolute.
    pub(crate) fn read(request: Request<Bytes>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).ok()?;
        Some(Self { method: head.method, url, headers: head.headers, body })
    }

    /// Returns the origin of the URL: scheme, host, and the port if it is not the default.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Returns the first value of a header; `None` if the header is missing or its value is not
    /// ASCII text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the `Content-Type` is `application/x-www-form-urlencoded`.
    pub(crate) fn is_form(&self) -> bool {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// Returns the name of a query parameter that occurs more than once.
    pub(crate) fn repeated_parameter(&self) -> Option<String> {
        repeated_parameter(&self.url)
    }

    /// Returns the first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(this, _)| this == name).map(|(_, value)| value.into_owned())
    }
}

/// Returns the name of a query parameter that occurs more than once.
pub(crate) fn repeated_parameter(url: &Url) -> Option<String> {
    let mut names = BTreeSet::new();
    let mut all = url.query_pairs().map(|(name, _)| name.into_owned());
    all.find(|name| !names.insert(name.clone()))
}
