//! A request to the account's PDS, with access token and DPoP proof.
//!
//! ```text
//! New ── streamed body, no nonce of the last 2 minutes ──▶ Prime ── token refused ──▶ end
//!  └────────────────────▶ Send ◀──────────────────────────────┘
//! ```
//!
//! A URL of another origin than the PDS is rejected, and the access token is sent in the
//! `Authorization` header only. A response of any status is a result, not an error.
//!
//! A streamed body ([`Body::Attached`]) can be sent only once, so the request can't be repeated if
//! the PDS demands another nonce. If no fresh nonce of the PDS is known, a small `GET` request
//! learns the nonce first.
//!
//! RFC 9449 section 7; atproto OAuth, «DPoP».

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::{AccessToken, Dpop, DpopReply, nonce_age};
use atproto_sansio::{
    Answer, Body, Budget, Cx, Endpoint, Fresh, How, Machine, Reach, Step, Steps, is_normal,
    printable,
};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, header};
use url::Url;

use crate::error::{Error, InputError};
use crate::origin::{Origin, to_uri};
use crate::session::Session;
use crate::xrpc::{SentToken, is_nonce_refused, is_token_refused};

/// Sends one request to the PDS, with access token and a new DPoP proof for each attempt.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct ResourceRequest {
    request: Dpop<Resource>,
    /// Small request that learns a nonce before a streamed body is sent; `None` for other bodies.
    primer: Option<Box<Primer>>,
    steps: Steps<State>,
}

/// Learns a nonce of the PDS.
#[derive(Debug)]
struct Primer {
    request: Dpop<Resource>,
    pds: Origin,
}

#[derive(Debug)]
enum State {
    New,
    Prime,
    Send,
}

/// The response of the PDS, with any status.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResourceReply {
    /// Response; of a streamed 2xx response only the head, because the driver holds the body.
    pub response: Response<Bytes>,
    /// Whether a successful response lacked the `DPoP-Nonce` that atproto OAuth demands («DPoP»).
    /// The missing nonce is not an error, because the PDS has carried out the request.
    pub nonce_missing: bool,
    /// True if a streamed body was not sent, because the PDS refused the small request before it.
    /// `response` is the refusal. The caller still has the whole body, for example for another
    /// attempt after a refresh.
    pub body_unsent: bool,
}

impl ResourceReply {
    /// Whether the same request may succeed with a new body, because the PDS has refused the access
    /// token or the nonce. For a managed session, both are new by then.
    pub fn wants_another_body(&self) -> bool {
        is_token_refused(&self.response) || is_nonce_refused(&self.response)
    }
}

struct Resource {
    token: AccessToken,
    request: Request<Body>,
    how: How,
}

/// Default limit of a buffered response body: 16 MiB.
const MAX_LEN: usize = 16 * 1024 * 1024;

/// Default timeout of one attempt, long enough for an upload.
const TIMEOUT: Duration = Duration::from_secs(60);

impl ResourceRequest {
    /// Prepares `request`, whose URI is a path at the PDS of `session` or a whole URL of the PDS.
    ///
    /// Removes the caller's credential, host and framing headers ([`REPLACED`]).
    pub(crate) fn new(
        session: &Session,
        mut request: Request<Body>,
        reach: Reach,
    ) -> Result<Self, Error> {
        *request.uri_mut() = target(session.pds(), request.uri())?;
        for name in REPLACED {
            request.headers_mut().remove(name);
        }
        let attached = matches!(request.body(), Body::Attached);
        let how = How { timeout: TIMEOUT, ..How::buffered(MAX_LEN, reach) };
        let proved = |request| {
            let resource = Resource { token: session.access_token().clone(), request, how };
            Dpop::new(resource, session.dpop_key()).bound_to(session.access_token())
        };
        let primer = match attached {
            true => {
                let pds = session.pds().clone();
                Some(Box::new(Primer { request: proved(small_request(&pds)?), pds }))
            }
            false => None,
        };
        Ok(Self { request: proved(request), primer, steps: Steps::begin(State::New) })
    }

    /// Delivery of the response body: buffered with a size limit, or streamed. By default, the body
    /// is buffered up to 16 MiB.
    pub fn answer(self, answer: Answer) -> Self {
        self.with(|how| how.answer = answer)
    }

    /// Timeout of one attempt; 60 s by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|how| how.timeout = timeout)
    }

    fn with(mut self, change: impl FnOnce(&mut How)) -> Self {
        change(&mut self.request.endpoint_mut().how);
        self
    }
}

impl Machine for ResourceRequest {
    type Output = ResourceReply;
    type Error = Error;

    fn budget(&self) -> Budget {
        let Budget { http, time, .. } = self.request.budget();
        match self.primer {
            Some(_) => Budget::new(http + 2, time.saturating_mul(2)),
            None => Budget::new(http, time),
        }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<ResourceReply, Error>> {
        let Self { request, primer, steps } = self;
        steps.run(|state| {
            Ok(match (state, &mut *primer) {
                (State::New, Some(primer)) if !primer.is_needless(cx) => Step::Next(State::Prime),
                (State::Prime, Some(primer)) => match primer.request.poll(cx) {
                    Poll::Pending => Step::Wait(State::Prime),
                    Poll::Ready(reply) => {
                        let reply = reply?;
                        // The nonce is stored already. A server that refuses the token would refuse
                        // it for the streamed body, too, and the body can be sent only once.
                        match is_refusal(&reply.output) {
                            true => Step::Done(answered(reply, true)),
                            false => Step::Next(State::Send),
                        }
                    }
                },
                (State::New | State::Prime, _) => Step::Next(State::Send),
                (State::Send, _) => match request.poll(cx) {
                    Poll::Pending => Step::Wait(State::Send),
                    Poll::Ready(reply) => Step::Done(answered(reply?, false)),
                },
            })
        })
    }
}

/// Whether the PDS refuses the access token or the proof, so that it would refuse any request.
fn is_refusal(response: &Response<Bytes>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED || is_token_refused(response)
}

fn answered(reply: DpopReply<Response<Bytes>>, body_unsent: bool) -> ResourceReply {
    let DpopReply { output: response, nonce_missing } = reply;
    ResourceReply { response, nonce_missing, body_unsent }
}

impl Primer {
    /// Whether the latest nonce of the PDS is younger than [`FRESH`].
    fn is_needless(&self, cx: &Cx<'_>) -> bool {
        nonce_age(cx, self.pds.as_str()).is_some_and(|age| age < FRESH)
    }
}

/// Age up to which a nonce is surely valid: servers accept a nonce for three minutes or more.
const FRESH: Duration = Duration::from_secs(2 * 60);

/// `GET /xrpc/com.atproto.server.getSession`: a small request that requires a DPoP proof.
fn small_request(pds: &Origin) -> Result<Request<Body>, Error> {
    let uri = format!("{pds}/xrpc/com.atproto.server.getSession");
    let request = Request::get(uri).header(header::ACCEPT, "application/json");
    let request = request.body(Body::default());
    Ok(request.map_err(|_| InputError::Request("no URI can be made from the origin of its PDS"))?)
}

/// Credential, host and framing headers, which are removed from the caller's request.
const REPLACED: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("dpop"),
];

/// Resolves the URI of the request against the PDS, and rejects other origins and user names. A URI in normal
/// form needs no parser.
fn target(pds: &Origin, uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("*", PathAndQuery::as_str);
    let whole = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => [scheme, "://", authority.as_str(), path].concat(),
        (_, Some(authority)) => authority.to_string(),
        (_, None) => [pds.as_str(), path].concat(),
    };
    // Clones of a `Uri` that is made of shared bytes are free.
    let shared = Bytes::from_owner(whole);
    if let Ok(uri) = Uri::from_maybe_shared(shared.clone())
        && is_normal(&uri)
        && pds.is_origin_of(&uri)
    {
        return Ok(uri);
    }
    let url = std::str::from_utf8(&shared).ok().and_then(|whole| Url::parse(whole).ok());
    let is_path = uri.authority().is_none();
    let url = url.filter(|url| !is_path || pds.contains(url));
    let url = url.ok_or(InputError::Request("its URL is neither a path nor a whole URL"))?;
    if !pds.contains(&url) {
        let found = printable(url.origin().ascii_serialization());
        return Err(InputError::ForeignOrigin { expected: pds.clone(), found }.into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InputError::Request("its URL has a user name or password").into());
    }
    Ok(to_uri(&url).ok_or(InputError::Request("its URL is not a valid HTTP URI"))?)
}

impl Endpoint for Resource {
    type Output = Response<Bytes>;
    type Error = Error;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, Error> {
        let mut request = Request::new(self.request.body().clone());
        *request.method_mut() = self.request.method().clone();
        *request.uri_mut() = self.request.uri().clone();
        *request.version_mut() = self.request.version();
        *request.extensions_mut() = self.request.extensions().clone();
        // With room for the proof, the token, `User-Agent` and `Content-Length`, the map of the headers does not
        // grow.
        let headers = self.request.headers();
        let mut room = HeaderMap::with_capacity(headers.len() + 4);
        for (name, value) in headers {
            room.append(name, value.clone());
        }
        *request.headers_mut() = room;
        Ok(request)
    }

    fn how(&self) -> How {
        self.how
    }

    fn response(&self, mut response: Response<Bytes>) -> Result<Response<Bytes>, Error> {
        if !response.status().is_success() {
            response.extensions_mut().insert(SentToken(self.token.clone()));
        }
        Ok(response)
    }
}

impl fmt::Debug for ResourceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceRequest")
            .field("request", &self.request)
            .field("state", &self.steps)
            .finish_non_exhaustive()
    }
}

/// Omits query and header values, because both may be private.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = (self.request.method(), self.request.uri().path());
        f.debug_struct("Resource")
            .field("method", method)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stays_at_the_accounts_server() {
        // Rule H-02
        let pds = Origin::parse("https://pds.example.com", false).unwrap();
        for (uri, expected) in [
            ("/xrpc/a.b.c?d=e", "https://pds.example.com/xrpc/a.b.c?d=e"),
            ("https://pds.example.com/xrpc/a.b.c", "https://pds.example.com/xrpc/a.b.c"),
            ("https://PDS.example.com:443/a/../b", "https://pds.example.com/b"),
            ("https://pds.example.com?c", "https://pds.example.com/?c"),
            ("/a/../../b", "https://pds.example.com/b"),
            ("//evil.com/x", "https://pds.example.com//evil.com/x"),
            ("/@evil.com", "https://pds.example.com/@evil.com"),
            ("/%2F/evil.com", "https://pds.example.com/%2F/evil.com"),
        ] {
            let found = target(&pds, &uri.parse().unwrap()).unwrap();
            assert_eq!(found.to_string(), expected, "{uri}");
            // `to_string` adds a slash that is missing, and a transport may not.
            assert!(found.path_and_query().unwrap().as_str().starts_with('/'), "{uri}");
        }
        for uri in [
            "https://evil.com/xrpc/a.b.c",
            "http://pds.example.com/xrpc/a.b.c",
            "https://pds.example.com:8443/xrpc/a.b.c",
            "https://pds.example.com.evil.com/",
            "https://user@pds.example.com/",
            "*",
            "pds.example.com",
            "pds.example.com:443",
        ] {
            assert!(target(&pds, &uri.parse().unwrap()).is_err(), "{uri}");
        }
    }
}
