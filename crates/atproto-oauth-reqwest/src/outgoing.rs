//! A request as reqwest is to send it.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use atproto_sansio::{Body, Phase, TransportError, declare_length};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
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

/// The URL in reqwest's form.
fn target(
    uri: &Uri,
    addresses: &Addresses,
    headers: &mut HeaderMap,
) -> Result<Url, TransportError> {
    let mut url = Url::parse(&uri.to_string()).map_err(|_| not_sent("the URL is not valid"))?;
    if url.path() != uri.path() {
        // What was signed is not what would be sent.
        return Err(not_sent("the path of the URL is not in its normal form"));
    }
    let host = url.host_str().unwrap_or_default();
    addresses.check_literal(host).map_err(|forbidden| TransportError::blocked(forbidden.0))?;
    if addresses.is_overridden(host) {
        // reqwest prefers the port of the URL to that of the address.
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let host = HeaderValue::from_str(authority)
            .map_err(|_| not_sent("the host of the URL is not valid"))?;
        headers.entry(HOST).or_insert(host);
        url.set_port(None).map_err(|()| not_sent("the host of the URL is not valid"))?;
    }
    Ok(url)
}

/// An attached body on its way.
struct Pieces {
    /// Never locked: hyper asks for a body that may be shared.
    poll: Mutex<Box<PollPiece>>,
    /// How many bytes are still to come, if that is known.
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
                let reason = "the body is shorter than its length";
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
