//! One simulated server (a PDS, an authorization server, or both at one origin), and the routing of
//! its HTTP requests to endpoints.

pub(crate) mod assertion;
pub(crate) mod authorize;
pub(crate) mod blobs;
pub(crate) mod client;
pub(crate) mod client_metadata;
pub(crate) mod grant;
pub(crate) mod habits;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod nonce;
pub(crate) mod page;
pub(crate) mod par;
pub(crate) mod permission;
pub(crate) mod proof;
pub(crate) mod records;
pub(crate) mod redirect_uri;
pub(crate) mod refusal;
pub(crate) mod resource;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod xrpc;

use std::time::Duration;

use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::answer;
use crate::incoming::Incoming;
use crate::replay::Replay;
use crate::sandbox::Sandbox;
use crate::server::authorize::Visits;
use crate::server::client::Clients;
use crate::server::grant::Grants;
use crate::server::habits::Habits;
use crate::server::nonce::Nonces;
use crate::server::par::PushedRequests;
use crate::server::refusal::Refusal;

/// Id of one server of a [`Sandbox`]; valid only for the sandbox that returned it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ServerId(pub(crate) usize);

/// The state of a PDS, an authorization server, or both at one origin.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) origin: String,
    /// The `did:web` of the host, which is the audience of access tokens for this server.
    pub(crate) did: String,
    pub(crate) hosts_accounts: bool,
    /// The authorization server of the accounts hosted here: this server itself, or an entryway.
    pub(crate) issuer: ServerId,
    pub(crate) habits: Habits,
    pub(crate) nonces: Nonces,
    /// `jti` values of accepted DPoP proofs; a second use is a replay.
    pub(crate) proofs: Replay,
    /// `client_id` and `jti` of accepted client assertions; a second use is a replay.
    pub(crate) assertions: Replay,
    /// PKCE challenges of exchanged codes; a second use within a day is rejected.
    pub(crate) challenges: Replay,
    pub(crate) clients: Clients,
    pub(crate) pushed: PushedRequests,
    pub(crate) visits: Visits,
    pub(crate) grants: Grants,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) clock_ahead: Duration,
    pub(crate) clock_behind: Duration,
}

impl Server {
    pub(crate) fn new(
        origin: &str,
        hosts_accounts: bool,
        issuer: ServerId,
        secret: [u8; 32],
    ) -> Self {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        Self {
            origin: origin.to_owned(),
            did: format!("did:web:{}", host.replace(':', "%3A")),
            hosts_accounts,
            issuer,
            habits: Habits::reference(),
            nonces: Nonces::new(secret),
            proofs: Replay::default(),
            assertions: Replay::default(),
            challenges: Replay::default(),
            clients: Clients::default(),
            pushed: PushedRequests::default(),
            visits: Visits::default(),
            grants: Grants::default(),
            access_token_lifetime: Duration::from_secs(3600),
            clock_ahead: Duration::ZERO,
            clock_behind: Duration::ZERO,
        }
    }

    /// Returns the time on this server's clock when the sandbox's clock shows `now`.
    pub(crate) fn clock(&self, now: UnixTime) -> UnixTime {
        now + self.clock_ahead - self.clock_behind
    }

    /// Returns the nonce to hand out when this server's clock shows `now`; `None` if the server
    /// requires no nonces.
    fn next_nonce(&self, now: UnixTime) -> Option<String> {
        self.nonces.next(now, self.habits.nonce_lifetime)
    }
}

/// Passes a request to the handler of its path on the server with the id `at`, and returns the
/// response.
pub(crate) fn handle(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let server = sandbox.server(at);
    let (issues, hosts) = (server.issuer == at, server.hosts_accounts);
    match (request.method.as_str(), request.url.path()) {
        // A CORS preflight request: a browser asks before it sends a request to another origin.
        ("OPTIONS", _) => answer::empty(200),
        ("GET", "/.well-known/oauth-protected-resource") if hosts => {
            answer::json(200, &metadata::resource(sandbox, at))
        }
        ("GET", "/.well-known/oauth-authorization-server") if issues => {
            let mut response = answer::json(200, &metadata::server(sandbox, at));
            answer::set(&mut response, "cache-control", "max-age=300");
            response
        }
        ("GET", "/oauth/jwks") if issues => answer::json(200, &json!({"keys": []})),
        ("POST", "/oauth/par") if issues => endpoint(sandbox, at, request, 201, par::push),
        ("POST", "/oauth/token") if issues => endpoint(sandbox, at, request, 200, token::issue),
        ("POST", "/oauth/revoke") if issues => endpoint(sandbox, at, request, 200, revoke::revoke),
        ("GET", "/oauth/authorize") if issues => page::open(sandbox, at, request),
        ("POST", "/oauth/authorize") if issues => page::decide(sandbox, at, request),
        // Every other HTTP method at the PAR endpoint gets status 405 (RFC 9126 section 2.3).
        (_, "/oauth/par") if issues => answer::empty(405),
        (_, path) if path.starts_with("/xrpc/") && hosts => xrpc::handle(sandbox, at, request),
        _ => answer::text(404, "this server has no endpoint with this method and path"),
    }
}

/// Handler of a POST endpoint; returns the JSON body of the success response.
type Endpoint = fn(&mut Sandbox, ServerId, &Incoming) -> Result<Value, Refusal>;

/// Runs a POST endpoint of an authorization server and renders its result as an HTTP response.
///
/// Adds the headers that all these endpoints send: `Cache-Control: no-store`, `Pragma: no-cache`
/// and, with the habits of the reference server, the next `DPoP-Nonce`. `status` is the status of a
/// success; a [`Refusal`] has its own.
fn endpoint(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    status: u16,
    run: Endpoint,
) -> Response<Bytes> {
    let nonce = sandbox.server(at).next_nonce(sandbox.clock(at));
    let ended = run(sandbox, at, request);
    let habits = &sandbox.server(at).habits;
    let has_nonce = ended.is_err() || habits.nonce_on_success.is_for(request.url.path());
    let mut response = match ended {
        Ok(value) => answer::json(status, &value),
        Err(refusal) => refusal.to_oauth(habits.reason),
    };
    // A response with tokens must not be cached (RFC 6749 section 5.1).
    answer::set(&mut response, "cache-control", "no-store");
    answer::set(&mut response, "pragma", "no-cache");
    if let Some(nonce) = nonce.filter(|_| has_nonce) {
        // Every response of the reference server supplies the next nonce (RFC 9449 section 8.2).
        answer::set(&mut response, "dpop-nonce", &nonce);
    }
    response
}
