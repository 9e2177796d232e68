//! A small network in which everything goes well, for tests that are no transcripts: one host is
//! PDS and authorization server of one account. A test may spoil its answers.

use atproto_oauth_core::{CallbackParams, Client, Pending, Scopes, Session, Subject};
use atproto_sansio::{Body, Call, Flow, HttpCall, Machine, Output, Reply};
use bytes::Bytes;
use http::Response;

use crate::replayer::environment::Environment;
use crate::replayer::fixture;

/// A network in which everything goes well, unless its answers are spoiled.
pub struct Network {
    /// Time, entropy and memory.
    pub environment: Environment,
    tokens: [&'static str; 2],
    asked: usize,
    mutate: Box<dyn Mutate>,
}

/// Changes an answer; it is given the number of the request and its URL.
pub trait Mutate: FnMut(usize, &str, &mut Response<Bytes>) {}

impl<F: FnMut(usize, &str, &mut Response<Bytes>)> Mutate for F {}

impl Network {
    /// One whose tokens are those of the fixtures.
    pub fn new() -> Self {
        Self {
            environment: Environment::new(),
            tokens: ["at-", "rt-"],
            asked: 0,
            mutate: Box::new(|_, _, _| {}),
        }
    }

    /// One whose tokens can be searched for.
    pub fn with_secret_tokens() -> Self {
        Self { tokens: ["secret-at-", "secret-rt-"], ..Self::new() }
    }

    /// From now on, changes each answer; it is given the number of the request and its URL.
    pub fn mutate(&mut self, mutate: impl FnMut(usize, &str, &mut Response<Bytes>) + 'static) {
        self.asked = 0;
        self.mutate = Box::new(mutate);
    }

    /// The client that all of this is about.
    pub fn client(&self) -> Client {
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        Client::loopback(scopes).redirect_path("/callback").build().unwrap()
    }

    /// Runs `machine` to its end, one call after another.
    ///
    /// # Errors
    ///
    /// What it ends in.
    ///
    /// # Panics
    ///
    /// It waits for nothing.
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

    /// A login that waits for its browser.
    ///
    /// # Panics
    ///
    /// It could not be begun.
    pub fn pending(&mut self, client: &Client) -> Pending {
        let subject = Subject::parse("alice.example.com").unwrap();
        self.run(client.authorize(subject)).unwrap().pending
    }

    /// A session.
    ///
    /// # Panics
    ///
    /// The login could not be finished.
    pub fn session(&mut self, client: &Client) -> Session {
        let pending = self.pending(client);
        let params = format!("state={}&iss=https://pds.example.com&code=c-1", pending.state());
        let params = CallbackParams::parse(&params).unwrap();
        self.run(client.callback(pending, params)).unwrap().session
    }

    /// Answers one call.
    ///
    /// # Panics
    ///
    /// It is of a kind that this network does not have.
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
            other => panic!("there is no {other:?} here"),
        }
    }

    fn good(&self, call: &HttpCall) -> Response<Bytes> {
        let uri = call.request.uri();
        let form = match call.request.body() {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes),
            Body::Attached => "".into(),
        };
        let (status, body) = match (uri.host().unwrap_or_default(), uri.path()) {
            ("plc.directory", _) => (200, "@did-document"),
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
