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
    Answer, Body, Budget, Cx, Endpoint, Fresh, How, Machine, Reach, Step, Steps, printable,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, Uri, header};
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
    primer: Option<Dpop<Resource>>,
    steps: Steps<State>,
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
    origin: Origin,
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
            let (token, origin) = (session.access_token().clone(), session.pds().clone());
            let resource = Resource { token, request, how, origin };
            Dpop::new(resource, session.dpop_key()).bound_to(session.access_token())
        };
        let primer = if attached { Some(proved(small_request(session.pds())?)) } else { None };
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
                (State::New, Some(_)) if !request.endpoint_mut().knows_nonce(cx) => {
                    Step::Next(State::Prime)
                }
                (State::Prime, Some(primer)) => match primer.poll(cx) {
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

impl Resource {
    /// Whether the latest nonce of the PDS is younger than [`FRESH`].
    fn knows_nonce(&self, cx: &Cx<'_>) -> bool {
        nonce_age(cx, self.origin.as_str()).is_some_and(|age| age < FRESH)
    }
}

/// Age up to which a nonce is surely valid: servers accept a nonce for three minutes or more.
const FRESH: Duration = Duration::from_secs(2 * 60);

/// `GET /xrpc/com.atproto.server.getSession`: a small request that requires a DPoP proof.
fn small_request(pds: &Origin) -> Result<Request<Body>, Error> {
    let uri = format!("{pds}/xrpc/com.atproto.server.getSession");
    let request = Request::get(uri).header(header::ACCEPT, "application/json");
    let request = request.body(Body::Bytes(Bytes::new()));
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

/// Resolves the URI of the request against the PDS, and rejects other origins and user names.
fn target(pds: &Origin, uri: &Uri) -> Result<Uri, Error> {
    let url = match uri.authority() {
        Some(_) => Url::parse(&uri.to_string()).ok(),
        None => uri.path_and_query().and_then(|path| pds.join(path.as_str()).ok()),
    };
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
        Ok(self.request.clone())
    }

    fn how(&self) -> How {
        self.how
    }

    fn response(&self, mut response: Response<Bytes>) -> Result<Response<Bytes>, Error> {
        response.extensions_mut().insert(SentToken(self.token.clone()));
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
            ("/a/../../b", "https://pds.example.com/b"),
        ] {
            assert_eq!(target(&pds, &uri.parse().unwrap()).unwrap().to_string(), expected, "{uri}");
        }
        for uri in [
            "https://evil.com/xrpc/a.b.c",
            "http://pds.example.com/xrpc/a.b.c",
            "https://pds.example.com:8443/xrpc/a.b.c",
            "https://pds.example.com.evil.com/",
            "https://user@pds.example.com/",
            "*",
        ] {
            assert!(target(&pds, &uri.parse().unwrap()).is_err(), "{uri}");
        }
        if let Ok(uri) = "//evil.com/x".parse::<Uri>() {
            let leads_to = target(&pds, &uri).map(|uri| uri.host().map(str::to_owned));
            assert!(matches!(
                leads_to.as_ref().map(Option::as_deref),
                Ok(Some("pds.example.com")) | Err(_)
            ));
        }
    }
}
