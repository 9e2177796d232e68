//! A minimal network for tests without a transcript: one host is the PDS and authorization server
//! of one account, and every request succeeds. A test may change the responses.

use atproto_oauth_core::{CallbackParams, Client, Pending, Scopes, Session, Subject};
use atproto_sansio::{Body, Call, Flow, HttpCall, Machine, Output, Reply};
use bytes::Bytes;
use http::Response;

use crate::replayer::environment::Environment;
use crate::replayer::fixture;

/// A network in which every request succeeds, unless [`Network::mutate`] changes a response.
pub struct Network {
    /// Clocks, entropy and memory of the client.
    pub environment: Environment,
    tokens: [&'static str; 2],
    asked: usize,
    mutate: Box<dyn Mutate>,
}

/// A function that changes a response. Its arguments are the number of the request, which counts
/// from 0, the URL of the request, and the response.
pub trait Mutate: FnMut(usize, &str, &mut Response<Bytes>) {}

impl<F: FnMut(usize, &str, &mut Response<Bytes>)> Mutate for F {}

impl Network {
    /// Returns a network that issues the tokens of the fixtures.
    pub fn new() -> Self {
        Self {
            environment: Environment::new(),
            tokens: ["at-", "rt-"],
            asked: 0,
            mutate: Box::new(|_, _, _| {}),
        }
    }

    /// Returns a network whose tokens begin with `secret-`, so that a test can search for them.
    pub fn with_secret_tokens() -> Self {
        Self { tokens: ["secret-at-", "secret-rt-"], ..Self::new() }
    }

    /// Applies `mutate` to each further response. The count of requests restarts at 0.
    pub fn mutate(&mut self, mutate: impl FnMut(usize, &str, &mut Response<Bytes>) + 'static) {
        self.asked = 0;
        self.mutate = Box::new(mutate);
    }

    /// Returns the loopback client of the network.
    pub fn client(&self) -> Client {
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        Client::loopback(scopes).redirect_path("/callback").build().unwrap()
    }

    /// Runs `machine` to its end in the blocking order.
    ///
    /// # Errors
    ///
    /// Returns the error of the machine.
    ///
    /// # Panics
    ///
    /// Panics if the machine waits although no call is outstanding.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, M::Error> {
        let mut flow = Flow::new(machine);
        loop {
            match flow.poll_output(&mut self.environment.env()) {
                Output::Call(call) => flow.handle_reply(self.answer(call)),
                Output::Wait => panic!("every call was answered"),
                Output::Done(result) => return result,
            }
        }
    }

    /// Begins a login of `alice.example.com`, and returns it before its callback.
    ///
    /// # Panics
    ///
    /// Panics if the login fails.
    pub fn pending(&mut self, client: &Client) -> Pending {
        let subject = Subject::parse("alice.example.com").unwrap();
        self.run(client.authorize(subject)).unwrap().pending
    }

    /// Logs `alice.example.com` in, and returns the session.
    ///
    /// # Panics
    ///
    /// Panics if the login fails.
    pub fn session(&mut self, client: &Client) -> Session {
        let pending = self.pending(client);
        let params = format!("state={}&iss=https://pds.example.com&code=c-1", pending.state());
        let params = CallbackParams::parse(&params).unwrap();
        self.run(client.callback(pending, params)).unwrap().session
    }

    /// Replies to one call.
    ///
    /// # Panics
    ///
    /// Panics if the call is neither HTTP nor a TXT lookup nor a sleep.
    pub fn answer(&mut self, call: Call) -> Reply {
        match call {
            Call::Http(call) => {
                let url = call.request.uri().to_string();
                let mut response = self.good(&call);
                (self.mutate)(self.asked, &url, &mut response);
                self.asked += 1;
                call.respond.with(Ok(response))
            }
            Call::Txt(call) => {
                call.respond.with(Ok(vec!["did=did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned()]))
            }
            Call::Sleep(call) => call.respond.with(Ok(())),
            Call::Notify(call) => call.respond.with(Ok(())),
            other => panic!("the network has no reply to {other:?}"),
        }
    }

    fn good(&self, call: &HttpCall) -> Response<Bytes> {
        let uri = call.request.uri();
        let form = match call.request.body() {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes),
            Body::Attached => "".into(),
        };
        let (status, body) = match (uri.host().unwrap_or_default(), uri.path()) {
            ("plc.directory", _) => {
                (200, r#"@did-document {"alsoKnownAs":["at://alice.example.com"]}"#)
            }
            (_, "/.well-known/oauth-protected-resource") => (200, "@resource-metadata"),
            (_, "/.well-known/oauth-authorization-server") => (200, "@server-metadata"),
            (_, "/oauth/par") => (201, "@pushed"),
            (_, "/oauth/token") if form.contains("refresh_token=") => (200, "@refreshed"),
            (_, "/oauth/token") => (200, "@tokens"),
            (_, "/oauth/revoke") => (200, "{}"),
            (_, path) if path.starts_with("/xrpc/") => (200, "{}"),
            _ => (404, ""),
        };
        let [at, rt] = self.tokens;
        let body = fixture::body(body).replace("\"at-", &format!("\"{at}"));
        let body = body.replace("\"rt-", &format!("\"{rt}"));
        Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .header("dpop-nonce", "nonce")
            .body(Bytes::from(body))
            .unwrap()
    }
}
