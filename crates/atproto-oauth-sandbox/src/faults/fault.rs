//! Injected faults: their effects, and the conditions on the requests that they apply to.

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

/// One injected fault: its effect, the conditions on the requests that it applies to, and how often
/// it applies (once by default).
///
/// If several faults match a request, all of them apply, and each counts the request.
///
/// The first request of a client to an authorization server usually has no nonce and fails with
/// `use_dpop_nonce`. To change a successful response, for example with [`merge`](Self::merge),
/// exclude that first request with [`skip`](Self::skip).
///
/// A CORS preflight request (`OPTIONS`) matches only faults with this [`method`](Self::method).
///
/// ```
/// # use atproto_oauth_sandbox::{Fault, Sandbox};
/// # let mut sandbox = Sandbox::new(1);
/// // The token endpoint processes its second request, and the response is lost.
/// sandbox.fault(Fault::lose_answer().path("/oauth/token").skip(1));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault has no effect until `Sandbox::fault` adds it"]
pub struct Fault {
    action: Action,
    host: Option<String>,
    path: Option<String>,
    method: Option<Method>,
    form: Option<(String, String)>,
    /// `true`: only requests of clients; `false`: only requests of servers.
    by_client: Option<bool>,
    /// Number of matching requests that still pass without an effect.
    skip: u32,
    /// Number of requests that the fault still applies to; `u32::MAX` has no limit.
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

    /// Refuses the connection, as if the host did not listen.
    pub fn refuse() -> Self {
        Self::new(Action::Refuse)
    }

    /// Closes the connection before the server receives the request. The client can't distinguish
    /// this from [`lose_answer`](Self::lose_answer).
    pub fn lose_request() -> Self {
        Self::new(Action::LoseRequest)
    }

    /// Closes the connection after the server has processed the request, without a response.
    pub fn lose_answer() -> Self {
        Self::new(Action::LoseAnswer)
    }

    /// Keeps the connection open after the server has processed the request, without a response.
    pub fn silence() -> Self {
        Self::new(Action::Silence)
    }

    /// Delays the response by this duration.
    pub fn delay(by: Duration) -> Self {
        Self::new(Action::Delay(by))
    }

    /// Sends the body of the response slowly, spread over this duration.
    pub fn trickle(over: Duration) -> Self {
        Self::new(Action::Trickle(over))
    }

    /// Closes the connection after this many bytes of the response body.
    pub fn cut(after: usize) -> Self {
        Self::new(Action::Cut(after))
    }

    /// Appends spaces to the response body until it has `to` bytes, at most 1 GiB. A longer body
    /// does not change.
    pub fn pad(to: usize) -> Self {
        Self::new(Action::Pad(to.min(1 << 30)))
    }

    /// Invalidates all DPoP nonces of the server just before it receives the request.
    pub fn reset_nonces() -> Self {
        Self::new(Action::ResetNonces)
    }

    /// Responds instead of the server, which does not receive the request.
    pub fn answer(response: Response<Bytes>) -> Self {
        Self::new(Action::Answer(response))
    }

    /// Responds instead of the server, with this status and an HTML page, as a gateway does.
    pub fn status(status: StatusCode) -> Self {
        let page = format!("<html><body><h1>{status}</h1></body></html>");
        Self::answer(answer::html(status.as_u16(), page))
    }

    /// Responds instead of the server, with a redirect to `location`.
    ///
    /// # Panics
    ///
    /// Panics if `location` is not a valid header value, for example because it has a line break.
    pub fn redirect(status: StatusCode, location: &str) -> Self {
        let mut response = answer::empty(status.as_u16());
        let value = HeaderValue::from_str(location).expect("a location is a valid header value");
        response.headers_mut().insert(LOCATION, value);
        Self::answer(response)
    }

    /// Changes the status of the server's response.
    pub fn with_status(status: StatusCode) -> Self {
        Self::new(Action::Status(status))
    }

    /// Applies a JSON Merge Patch to the body of the server's response (RFC 7396): `null` removes a
    /// member, an object is merged into the member, and every other value replaces the member.
    pub fn merge(patch: Value) -> Self {
        Self::new(Action::Merge(patch))
    }

    /// Replaces the body of the server's response.
    pub fn with_body(body: impl Into<Bytes>) -> Self {
        Self::new(Action::Body(body.into()))
    }

    /// Sets a header of the server's response and removes its previous values.
    pub fn with_header(name: HeaderName, value: HeaderValue) -> Self {
        Self::new(Action::SetHeader(name, value))
    }

    /// Adds a header to the server's response and keeps its previous values.
    pub fn with_another_header(name: HeaderName, value: HeaderValue) -> Self {
        Self::new(Action::AddHeader(name, value))
    }

    /// Sets the `Content-Type` of the server's response.
    pub fn with_content_type(value: &'static str) -> Self {
        Self::with_header(CONTENT_TYPE, HeaderValue::from_static(value))
    }

    /// Removes a header from the server's response.
    pub fn without_header(name: HeaderName) -> Self {
        Self::new(Action::RemoveHeader(name))
    }

    /// Replaces the answer to DNS lookups of TXT records, by TXT calls as well as by DNS over
    /// HTTPS.
    ///
    /// To restrict the fault to one handle, set the handle as [`host`](Self::host). The numbers of
    /// [`skip`](Self::skip) and [`times`](Self::times) count lookups. All other conditions are
    /// ignored.
    pub fn dns(answer: Dns) -> Self {
        Self::new(Action::Dns(answer))
    }

    /// Restricts the fault to requests to this host, with its port if it is not the default port,
    /// or to this origin.
    ///
    /// # Panics
    ///
    /// Panics if `host` is neither a host, like `pds.example.com` or `localhost:2583`, nor an
    /// origin, like `https://pds.example.com`.
    pub fn host(mut self, host: &str) -> Self {
        let is_origin = host.contains("://");
        self.host = Some(if is_origin { canonical(host) } else { canonical_host(host) });
        self
    }

    /// Restricts the fault to requests with this path. If `path` ends with `*`, it matches all
    /// paths that begin with the text before the `*`.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Restricts the fault to requests with this HTTP method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Restricts the fault to requests whose form has this field with this value, for example
    /// `grant_type` with `refresh_token`.
    pub fn form(mut self, name: &str, value: &str) -> Self {
        self.form = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Restricts the fault to requests of clients, which come from outside the network.
    pub fn by_client(mut self) -> Self {
        self.by_client = Some(true);
        self
    }

    /// Restricts the fault to requests of the network's servers, which fetch the metadata and the
    /// JWKS of clients.
    pub fn by_servers(mut self) -> Self {
        self.by_client = Some(false);
        self
    }

    /// Does not apply to the first `requests` matching requests.
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Applies to this many matching requests after the skipped ones; 1 by default.
    pub fn times(mut self, requests: u32) -> Self {
        self.times = requests;
        self
    }

    /// Applies to all matching requests after the skipped ones.
    pub fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// Whether the fault has applied as often as it may.
    pub(crate) fn is_over(&self) -> bool {
        self.times == 0
    }

    /// Returns the effect on this request; `None` if the fault does not apply. Counts the request
    /// if it matches.
    pub(crate) fn match_request(&mut self, by: By, request: &Incoming) -> Option<Action> {
        let matches = !matches!(self.action, Action::Dns(_)) && self.is_for(by, request);
        self.count(matches).then(|| self.action.clone())
    }

    /// Returns the answer to a lookup of this handle; `None` if the fault does not apply. Counts
    /// the lookup if it matches.
    pub(crate) fn match_lookup(&mut self, handle: &str) -> Option<Dns> {
        let host = self.host.as_deref().map(|host| host.strip_prefix("_atproto.").unwrap_or(host));
        let matches = host.is_none_or(|host| host == handle);
        match &self.action {
            Action::Dns(answer) => {
                let answer = answer.clone();
                self.count(matches).then_some(answer)
            }
            _ => None,
        }
    }

    /// Counts a request or lookup that matches, and returns whether the fault applies to it.
    fn count(&mut self, matches: bool) -> bool {
        if !matches || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = if self.times == u32::MAX { u32::MAX } else { self.times - 1 };
        true
    }

    /// Whether the request meets all conditions.
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
