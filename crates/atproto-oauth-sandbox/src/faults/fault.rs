//! What goes wrong on purpose.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::Value;

use crate::accounts::handles::Dns;
use crate::answer;
use crate::faults::action::Action;
use crate::form::Form;
use crate::incoming::Incoming;
use crate::log::By;
use crate::origin::{canonical, canonical_host};

/// Something that goes wrong with some requests: which, when, and what.
///
/// The first request of a client to an authorization server is mostly but a question for its nonce:
/// what changes an answer ([`merge`](Self::merge) and the like) should [`skip`](Self::skip) that one. A
/// request meets all faults that are for it, and each of them has happened then.
///
/// A browser's question before a request (`OPTIONS`) meets only those faults that name this method.
///
/// ```
/// # use atproto_oauth_sandbox::{Fault, Sandbox};
/// # let mut sandbox = Sandbox::new(1);
/// // The second answer of a token endpoint is lost, though the server has acted on the request.
/// sandbox.fault(Fault::lose_answer().path("/oauth/token").skip(1));
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `Sandbox::fault`"]
pub struct Fault {
    action: Action,
    host: Option<String>,
    path: Option<String>,
    method: Option<Method>,
    form: Option<(String, String)>,
    by_client: Option<bool>,
    skip: u32,
    times: u32,
}

impl Fault {
    fn new(action: Action) -> Self {
        Self {
            action,
            host: None,
            path: None,
            method: None,
            form: None,
            by_client: None,
            skip: 0,
            times: 1,
        }
    }

    /// Nobody listens: the connection is refused.
    pub fn refuse() -> Self {
        Self::new(Action::Refuse)
    }

    /// The connection breaks before the server sees the request. The client can't know that.
    pub fn lose_request() -> Self {
        Self::new(Action::Drop)
    }

    /// The server acts on the request, and its answer is lost.
    pub fn lose_answer() -> Self {
        Self::new(Action::LoseAnswer)
    }

    /// The server acts on the request, and the connection stays silent.
    pub fn silence() -> Self {
        Self::new(Action::Silence)
    }

    /// The answer comes this much later.
    pub fn delay(by: Duration) -> Self {
        Self::new(Action::Delay(by))
    }

    /// The answer's body takes this long to come in.
    pub fn trickle(over: Duration) -> Self {
        Self::new(Action::Trickle(over))
    }

    /// The answer breaks off after this many bytes of its body.
    pub fn cut(after: usize) -> Self {
        Self::new(Action::Cut(after))
    }

    /// The answer's body has this many bytes at least, by white space after it; a gigabyte at most.
    pub fn pad(to: usize) -> Self {
        Self::new(Action::Pad(to.min(1 << 30)))
    }

    /// All nonces that the server has given become worthless just before the request.
    pub fn reset_nonces() -> Self {
        Self::new(Action::ResetNonces)
    }

    /// This answer comes in the server's place, which does not see the request.
    pub fn answer(response: Response<Bytes>) -> Self {
        Self::new(Action::Answer(response))
    }

    /// An answer with this status and a page of HTML comes in the server's place, as from a gateway.
    pub fn status(status: StatusCode) -> Self {
        let page = format!("<html><body><h1>{status}</h1></body></html>");
        Self::answer(answer::html(status.as_u16(), page))
    }

    /// The browser or client is sent to `location`, in the server's place.
    ///
    /// # Panics
    ///
    /// `location` can't be the value of a header.
    pub fn redirect(status: StatusCode, location: &str) -> Self {
        let mut response = answer::empty(status.as_u16());
        let value = HeaderValue::from_str(location).expect("a location is the value of a header");
        response.headers_mut().insert(LOCATION, value);
        Self::answer(response)
    }

    /// The server's own answer has another status.
    pub fn with_status(status: StatusCode) -> Self {
        Self::new(Action::Status(status))
    }

    /// The server's own JSON answer is merged with `patch`: `null` removes a member (RFC 7396).
    pub fn merge(patch: Value) -> Self {
        Self::new(Action::Merge(patch))
    }

    /// The server's own answer has another body.
    pub fn with_body(body: impl Into<Bytes>) -> Self {
        Self::new(Action::Body(body.into()))
    }

    /// The server's own answer has this header, in the place of those of the same name.
    pub fn with_header(name: HeaderName, value: HeaderValue) -> Self {
        Self::new(Action::Header(name, value))
    }

    /// The server's own answer has this header too, beside those of the same name.
    pub fn with_another_header(name: HeaderName, value: HeaderValue) -> Self {
        Self::new(Action::AnotherHeader(name, value))
    }

    /// The server's own answer has this content type.
    pub fn with_content_type(value: &'static str) -> Self {
        Self::with_header(CONTENT_TYPE, HeaderValue::from_static(value))
    }

    /// The server's own answer lacks this header.
    pub fn without_header(name: HeaderName) -> Self {
        Self::new(Action::NoHeader(name))
    }

    /// DNS answers this to a look-up, whether it is asked itself or over HTTPS. The handle that is
    /// looked up is the [`host`](Self::host); of the other conditions on requests there is none.
    pub fn dns(answer: Dns) -> Self {
        Self::new(Action::Dns(answer))
    }

    /// Only for requests to this host, with its port if it has one; or to this whole origin.
    ///
    /// # Panics
    ///
    /// It is neither: `pds.example.com`, `localhost:2583`, `https://pds.example.com`.
    pub fn host(mut self, host: &str) -> Self {
        let is_origin = host.contains("://");
        self.host = Some(if is_origin { canonical(host) } else { canonical_host(host) });
        self
    }

    /// Only for requests with this path; an end with `*` stands for all that begin so.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only for requests with this method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only for requests whose form has this field: `grant_type`, `refresh_token`.
    pub fn form(mut self, name: &str, value: &str) -> Self {
        self.form = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Only for what comes from outside: the client's requests.
    pub fn by_client(mut self) -> Self {
        self.by_client = Some(true);
        self
    }

    /// Only for what the network's servers fetch: metadata and keys of clients.
    pub fn by_servers(mut self) -> Self {
        self.by_client = Some(false);
        self
    }

    /// Lets this many requests through first.
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Meets this many requests; one, if it is not said.
    pub fn times(mut self, requests: u32) -> Self {
        self.times = requests;
        self
    }

    /// Meets all requests from then on.
    pub fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// Whether all that it was to meet has come.
    pub(crate) fn is_over(&self) -> bool {
        self.times == 0
    }

    /// What to do with this request, if it is one of those.
    pub(crate) fn meet(&mut self, by: By, request: &Incoming) -> Option<Action> {
        let is_met = !matches!(self.action, Action::Dns(_)) && self.is_for(by, request);
        self.count(is_met).then(|| self.action.clone())
    }

    /// What to answer to a look-up of this handle, if it is one of those.
    pub(crate) fn meet_lookup(&mut self, handle: &str) -> Option<Dns> {
        let host = self.host.as_deref().map(|host| host.strip_prefix("_atproto.").unwrap_or(host));
        let is_met = host.is_none_or(|host| host == handle);
        match &self.action {
            Action::Dns(answer) => {
                let answer = answer.clone();
                self.count(is_met).then_some(answer)
            }
            _ => None,
        }
    }

    /// Whether its time has come, if it is met now.
    fn count(&mut self, is_met: bool) -> bool {
        if !is_met || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = if self.times == u32::MAX { u32::MAX } else { self.times - 1 };
        true
    }

    fn is_for(&self, by: By, request: &Incoming) -> bool {
        let origin = request.origin();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        let is_field =
            |(name, value): &(String, String)| Form::parse(&request.body).get(name) == Some(value);
        self.host.as_deref().is_none_or(|host| host == authority || host == origin)
            && match &self.method {
                Some(method) => *method == request.method,
                None => request.method != Method::OPTIONS,
            }
            && self.by_client.is_none_or(|by_client| by_client == (by == By::Client))
            && self.path.as_deref().is_none_or(|path| match path.strip_suffix('*') {
                Some(start) => request.url.path().starts_with(start),
                None => request.url.path() == path,
            })
            && self.form.as_ref().is_none_or(|field| request.is_form() && is_field(field))
    }
}
