//! Runs the parity cases against the sandbox. The same cases run against the reference servers, so
//! the sandbox is as strict as these.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is a failed test"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use atproto_oauth_parity::target::{Account, Act, Landing, Server, Strictness, Target, Visit};
use atproto_oauth_parity::{Case, cases, edges};
use atproto_oauth_sandbox::{Names, ResolvedBy, Sandbox, ServerId};
use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use url::Url;

/// The network of the cases: the servers `a` and `b`, which issue their own tokens, and the server
/// `r`, whose authorization server is `a`.
struct Network {
    sandbox: Sandbox,
    a: ServerId,
    b: ServerId,
    r: ServerId,
    /// Cookie of each named browser; `None` before a server has set one.
    cookies: BTreeMap<String, Option<HeaderValue>>,
}

impl Network {
    fn new() -> Self {
        let mut sandbox = Sandbox::empty(1, Names::default());
        let a = sandbox.add_server("https://a.example.com");
        let b = sandbox.add_server("https://b.example.com");
        let r = sandbox.add_server_behind("https://r.example.com", a);
        for (server, name) in [(a, "alice"), (a, "carol"), (b, "bob"), (r, "rita")] {
            sandbox.add_account(server, &format!("{name}.example.com"), ResolvedBy::Both);
        }
        Self { sandbox, a, b, r, cookies: BTreeMap::new() }
    }

    fn id(&self, server: Server) -> ServerId {
        match server {
            Server::A => self.a,
            Server::B => self.b,
            Server::R => self.r,
            Server::Plc => panic!("the PLC directory has no server id"),
        }
    }
}

impl Target for Network {
    fn strictness(&self) -> Strictness {
        Strictness::Strict
    }

    fn origin(&self, server: Server) -> String {
        match server {
            Server::A => "https://a.example.com".to_owned(),
            Server::B => "https://b.example.com".to_owned(),
            Server::R => "https://r.example.com".to_owned(),
            Server::Plc => self.sandbox.names().plc.clone(),
        }
    }

    fn account(&self, name: &str) -> Account {
        let handle = format!("{name}.example.com");
        let did = self.sandbox.did(&handle).unwrap().to_owned();
        Account { handle, did, password: format!("{name}-pass") }
    }

    fn now(&self) -> u64 {
        self.sandbox.now().since(UnixTime::from_secs(0)).as_secs()
    }

    fn wait(&mut self, duration: Duration) {
        self.sandbox.advance(duration);
    }

    fn send(&mut self, mut request: Request<Bytes>) -> Response<Bytes> {
        if let Some(host) = request.headers().get("host") {
            let url = format!("https://{}{}", host.to_str().unwrap(), request.uri().path());
            *request.uri_mut() = url.parse().unwrap();
        }
        self.sandbox.exchange(request).whole().unwrap()
    }

    fn browse(&mut self, visit: Visit<'_>) -> Landing {
        let mut new_browser = None;
        let cookie = match visit.browser {
            Some(name) => self.cookies.entry(name.to_owned()).or_default(),
            None => &mut new_browser,
        };
        let mut response = browse(&mut self.sandbox, cookie, Request::get(visit.url), "");
        let page = Page::of(&response);
        if page.action == "/oauth/authorize" {
            let body = page.filled_in(&visit.act);
            let url = Url::parse(visit.url).unwrap().join(&page.action).unwrap();
            response = browse(&mut self.sandbox, cookie, Request::post(url.as_str()), &body);
        }
        if let Some(location) = response.headers().get("location") {
            return Landing::Redirect(location.to_str().unwrap().to_owned());
        }
        match Page::of(&response) {
            page if page.action.contains("://") => Landing::Form(page.action, page.hidden),
            _ => Landing::Page(response.status()),
        }
    }

    fn publish(&mut self, url: &str, status: StatusCode, headers: &HeaderMap, body: &str) {
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        self.sandbox.publish(url, response);
    }

    fn forget_clients(&mut self) {
        for server in [self.a, self.b] {
            self.sandbox.forget_clients(server);
        }
    }

    fn reset_nonces(&mut self, server: Server) {
        self.sandbox.reset_nonces(self.id(server));
    }

    fn rotate_nonces_each(&mut self, server: Server, interval: Duration) {
        self.sandbox.set_nonce_rotation(self.id(server), interval);
        self.sandbox.reset_nonces(self.id(server));
    }

    fn access_token_lifetime(&mut self, server: Server, lifetime: Duration) {
        self.sandbox.set_access_token_lifetime(self.id(server), lifetime);
    }
}

/// Sends a request with the cookie of a browser, and stores the cookie that the response sets.
fn browse(
    sandbox: &mut Sandbox,
    cookie: &mut Option<HeaderValue>,
    mut request: Builder,
    form: &str,
) -> Response<Bytes> {
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie.clone());
    }
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(Bytes::from(form.to_owned())).unwrap();
    let response = sandbox.exchange(request).whole().unwrap();
    if let Some(set) = response.headers().get("set-cookie") {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        *cookie = Some(pair.try_into().unwrap());
    }
    response
}

/// The form of an HTML page: its action, its hidden fields, and the scopes of its checkboxes.
struct Page {
    action: String,
    hidden: Vec<(String, String)>,
    scopes: Vec<String>,
}

impl Page {
    fn of(response: &Response<Bytes>) -> Self {
        let html = String::from_utf8_lossy(response.body());
        let attribute = |tag: &str, name: &str| {
            let from = tag.find(&format!("{name}=\""))? + name.len() + 2;
            let value = tag[from..].split('"').next()?;
            Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&"))
        };
        let tags: Vec<&str> = html.split('<').collect();
        let form = tags.iter().find(|tag| tag.starts_with("form"));
        let inputs = |kind: &str| {
            let of_kind = tags.iter().filter(move |tag| tag.starts_with("input"));
            let of_kind = of_kind.filter(|tag| attribute(tag, "type").as_deref() == Some(kind));
            of_kind
                .map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap()))
                .collect::<Vec<_>>()
        };
        let boxes = inputs("checkbox").into_iter();
        Self {
            action: form.and_then(|tag| attribute(tag, "action")).unwrap_or_default(),
            hidden: inputs("hidden"),
            scopes: boxes.filter(|(name, _)| name == "scope").map(|(_, value)| value).collect(),
        }
    }

    /// Returns the body of the request that submits the form with the user's decision.
    fn filled_in(&self, act: &Act<'_>) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.hidden);
        let Act::Approve { identifier, password, scopes, remember } = act else {
            return form.append_pair("decision", "deny").finish();
        };
        form.append_pair("identifier", identifier).append_pair("password", password);
        if *remember {
            form.append_pair("remember", "1");
        }
        for scope in &self.scopes {
            if scopes.is_none_or(|kept| kept.split(' ').any(|kept| kept == scope)) {
                form.append_pair("scope", scope);
            }
        }
        form.append_pair("decision", "approve").finish()
    }
}

/// Checks each case against a new network, and panics with the differences.
fn check(cases: &[Case]) {
    let failures: Vec<String> =
        cases.iter().filter_map(|case| case.check(&mut Network::new()).err()).collect();
    assert!(failures.is_empty(), "{} cases differ\n\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_sandbox_passes_the_parity_cases() {
    check(&cases());
}

#[test]
fn the_sandbox_passes_the_cases_at_the_edges_of_lifetimes() {
    check(&edges());
}
