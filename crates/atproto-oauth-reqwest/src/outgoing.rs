//! Converts a request of a machine into a [`reqwest::Request`].

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use atproto_sansio::{Body, Phase, TransportError, declare_length};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body::{Frame, SizeHint};
use reqwest::Url;

use crate::resolve::Addresses;
use crate::streams::{PollPiece, Streams};

pub(crate) fn prepare(
    request: Request<Body>,
    addresses: &Addresses,
    user_agent: &HeaderValue,
    streams: &Streams,
) -> Result<reqwest::Request, TransportError> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.entry(USER_AGENT).or_insert_with(|| user_agent.clone());
    let url = target(&parts.uri, addresses, &mut headers)?;
    let body = match body {
        Body::Bytes(bytes) => {
            declare_length(&parts.method, &mut headers, Some(bytes.len() as u64))?;
            reqwest::Body::from(bytes)
        }
        Body::Attached => {
            let attached = streams.take_body()?;
            match declare_length(&parts.method, &mut headers, attached.length)? {
                Some(0) => reqwest::Body::from(Bytes::new()),
                left => reqwest::Body::wrap(Pieces { poll: Mutex::new(attached.poll), left }),
            }
        }
    };
    let mut request = reqwest::Request::new(parts.method, url);
    *request.headers_mut() = headers;
    *request.body_mut() = Some(body);
    Ok(request)
}

/// Converts `uri` into a [`Url`] with the same path, and checks a host that is an IP address.
///
/// If the host has an address override, the URL loses its port, and the `Host` header keeps it.
fn target(
    uri: &Uri,
    addresses: &Addresses,
    headers: &mut HeaderMap,
) -> Result<Url, TransportError> {
    let mut url = Url::parse(&text(uri)).map_err(|_| not_sent("the URL is malformed"))?;
    if url.path() != uri.path() {
        // reqwest would send another path than the machine has asked for.
        return Err(not_sent("the path of the URL is not in the normal form of the URL standard"));
    }
    let host = url.host_str().unwrap_or_default();
    addresses.check_literal(host).map_err(|forbidden| TransportError::blocked(forbidden.0))?;
    if addresses.is_overridden(host) {
        // If the URL has a port, reqwest ignores the port of the override.
        let authority = uri.authority().map_or("", Authority::as_str);
        let host = HeaderValue::from_str(authority)
            .map_err(|_| not_sent("the host of the URL is malformed"))?;
        headers.entry(HOST).or_insert(host);
        url.set_port(None).map_err(|()| not_sent("the host of the URL is malformed"))?;
    }
    Ok(url)
}

/// The text of a whole URL. `to_string` would grow its result several times.
fn text(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map_or("", Authority::as_str);
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    [scheme, "://", authority, path].concat()
}

/// An attached body in the form of [`http_body::Body`].
struct Pieces {
    /// The mutex makes the body `Sync`, which reqwest requires. It is never locked.
    poll: Mutex<Box<PollPiece>>,
    /// Bytes that are still to be sent; `None` if the length is unknown.
    left: Option<u64>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        let poll = self.poll.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(mut piece) = ready!(poll(cx)).transpose()? else {
            return Poll::Ready(self.left.map(|_| {
                let reason = "the attached body is shorter than its declared length";
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }));
        };
        if let Some(left) = &mut self.left {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

fn not_sent(reason: &str) -> TransportError {
    TransportError::new(Phase::NotSent, reason)
}
