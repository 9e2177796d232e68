//! Notes about the requests of a client: where its secrets may go, and which answers were not honest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atproto_sansio::{Body, Call, HttpCall, Reach, UnixTime};
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use serde_json::value::RawValue;
use url::{Url, form_urlencoded};

/// The purpose of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A pushed authorization request.
    Push,
    /// A request with a code or a refresh token.
    Token,
    Revocation,
    ServerMetadata,
    /// A request with an access token.
    Resource,
    /// Any other request or call.
    Other,
}

/// Notes about one input.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Origins to which each issuer's metadata has sent the client.
    endpoints: BTreeMap<String, BTreeSet<String>>,
    /// Secrets of the login or session; none may be shown, or leave for another origin.
    secrets: Vec<String>,
    /// The issuer of the login or session, when it is known.
    pub(crate) issuer: Option<String>,
    /// The PDS of the session, when it is known.
    pub(crate) pds: Option<String>,
    jtis: BTreeSet<String>,
    /// An answer of a server was not honest.
    pub(crate) forged: bool,
    pub(crate) forged_metadata: bool,
    pub(crate) forged_token: bool,
    pub(crate) forged_revocation: bool,
    /// The clock of a server is wrong.
    pub(crate) clocks_differ: bool,
    /// An account has moved, or its sessions were ended.
    pub(crate) changed: bool,
    /// The client received tokens that the server has issued, in a readable response.
    pub(crate) handed: bool,
}

/// Longest time by which a new proof or assertion is dated back: 25 seconds, and 10 for a remote signer.
const BACKDATED: Duration = Duration::from_secs(36);

impl Kind {
    pub(crate) fn of(call: &Call) -> Self {
        match call {
            Call::Http(call) => Self::of_request(&call.request),
            _ => Self::Other,
        }
    }

    pub(crate) fn of_request(request: &Request<Body>) -> Self {
        let names: Vec<String> = form(request).into_iter().map(|(name, _)| name).collect();
        let has = |name: &str| names.iter().any(|own| own == name);
        if has("grant_type") {
            Self::Token
        } else if has("token") {
            Self::Revocation
        } else if has("code_challenge") {
            Self::Push
        } else if request.headers().contains_key("authorization") {
            Self::Resource
        } else if request.uri().path() == "/.well-known/oauth-authorization-server" {
            Self::ServerMetadata
        } else {
            Self::Other
        }
    }
}

impl Ledger {
    /// Notes a secret. A short text is not noted, because it may occur by chance.
    pub(crate) fn keep(&mut self, secret: &str) {
        if secret.len() >= 16 {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Notes the secrets of a stored login or session.
    pub(crate) fn keep_all(&mut self, stored: &str) {
        let stored: Value = serde_json::from_str(stored).expect("a stored value is JSON");
        for place in ["/code_verifier", "/dpop_key/d", "/access_token", "/refresh_token"] {
            if let Some(secret) = stored.pointer(place).and_then(Value::as_str) {
                self.keep(secret);
            }
        }
    }

    /// Checks that a text for people or logs has no secret.
    pub(crate) fn check_shown(&self, shown: &str) {
        assert!(!self.secrets.iter().any(|secret| shown.contains(secret)), "a secret in: {shown}");
    }

    /// Whether a revocation may have succeeded in vain: its answer or its endpoint was not honest, or the
    /// server has refused the client assertion for its times, which it answers with 200.
    pub(crate) fn may_be_deceived(&self) -> bool {
        self.forged_revocation || self.forged_metadata || self.clocks_differ
    }

    /// Notes an answer that the client gets.
    pub(crate) fn note(&mut self, kind: Kind, request: &Url, delivered: &Response<Bytes>) {
        // A client skips members that it does not read, also those that are no valid `Value`.
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(delivered.body()).unwrap_or_default();
        let text = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
        if kind == Kind::ServerMetadata {
            let issuer = request.origin().ascii_serialization();
            let named = members.values().filter_map(|value| Url::parse(&text(value)?).ok());
            let named = named.map(|url| url.origin().ascii_serialization());
            self.endpoints.entry(issuer).or_default().extend(named);
        }
        if kind == Kind::Token {
            for member in ["access_token", "refresh_token"] {
                if let Some(token) = members.get(member).and_then(|value| text(value)) {
                    self.keep(&token);
                }
            }
        }
    }

    /// Checks a call before it is performed.
    ///
    /// # Panics
    ///
    /// Panics if the call sends or shows a secret that it must not.
    pub(crate) fn see(&mut self, call: &Call, now: UnixTime) {
        self.check_shown(&format!("{call:?}"));
        if let Call::Http(call) = call {
            self.see_request(call, now);
        }
    }

    fn see_request(&mut self, call: &HttpCall, now: UnixTime) {
        let request = &call.request;
        let url = Url::parse(&request.uri().to_string()).expect("a request has a URL");
        let origin = url.origin().ascii_serialization();
        assert_eq!(call.reach.check(request.uri()), Ok(()), "{url}");
        let trusted = origin == "https://plc.directory";
        assert_eq!(call.reach, if trusted { Reach::Configured } else { Reach::Public }, "{url}");
        self.check_shown(url.as_str());
        let (kind, form) = (Kind::of_request(request), form(request));
        let field = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        let issuer = match field("client_assertion").map(|assertion| claims(assertion)) {
            Some(claims) => {
                self.check_fresh(&claims, now);
                let audience = claims["aud"].as_str().expect("an assertion has an audience");
                assert!(self.issuer.as_deref().is_none_or(|issuer| issuer == audience), "{url}");
                Some(audience.to_owned())
            }
            None => self.issuer.clone(),
        };
        let is_home = match kind {
            Kind::Push | Kind::Token | Kind::Revocation => {
                let issuers = self.endpoints.iter();
                let mut issuers =
                    issuers.filter(|(own, _)| issuer.as_ref().is_none_or(|i| i == *own));
                issuers.any(|(_, origins)| origins.contains(&origin))
            }
            Kind::Resource => self.pds.as_ref() == Some(&origin),
            Kind::ServerMetadata | Kind::Other => {
                let headers = request.headers();
                assert!(!headers.contains_key("dpop") && !headers.contains_key("cookie"), "{url}");
                true
            }
        };
        assert!(is_home, "{kind:?} of {issuer:?} goes to {url}");
        self.check_proof(request, &url, now);
        self.check_text(request, kind);
    }

    /// Checks that the secrets are where they belong: tokens of a session in `Authorization`, everything
    /// else in the form.
    fn check_text(&self, request: &Request<Body>, kind: Kind) {
        for (name, value) in request.headers() {
            let is_place = kind == Kind::Resource && name == "authorization";
            if !is_place {
                self.check_shown(&String::from_utf8_lossy(value.as_bytes()));
            }
        }
        if let (Body::Bytes(body), false) =
            (request.body(), matches!(kind, Kind::Token | Kind::Revocation))
        {
            self.check_shown(&String::from_utf8_lossy(body));
        }
    }

    fn check_proof(&mut self, request: &Request<Body>, url: &Url, now: UnixTime) {
        let Some(proof) = request.headers().get("dpop") else { return };
        assert_eq!(request.headers().get_all("dpop").iter().count(), 1);
        let claims = claims(proof.to_str().expect("a proof is ASCII"));
        self.check_fresh(&claims, now);
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        assert_eq!(claims["htu"], target.as_str());
        assert_eq!(claims["htm"], request.method().as_str());
        let has_token = request.headers().contains_key("authorization");
        assert_eq!(claims.get("ath").is_some(), has_token, "{url}");
    }

    /// Checks that a proof or assertion is new, and was made when its request was handed out.
    fn check_fresh(&mut self, claims: &Value, now: UnixTime) {
        let jti = claims["jti"].as_str().expect("a proof and an assertion have an id");
        assert!(self.jtis.insert(jti.to_owned()), "the jti {jti} is used twice");
        if !self.forged && !self.clocks_differ {
            let iat = claims["iat"].as_u64().map(UnixTime::from_secs).expect("`iat` is a number");
            assert!(iat <= now && now.since(iat) <= BACKDATED, "{iat:?} at {now:?}");
        }
    }
}

fn form(request: &Request<Body>) -> Vec<(String, String)> {
    match request.body() {
        Body::Bytes(body) => form_urlencoded::parse(body).into_owned().collect(),
        Body::Attached => Vec::new(),
    }
}

/// The claims of a JWT of the client.
fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).expect("a JWT has three parts");
    let payload = Base64UrlUnpadded::decode_vec(payload).expect("a JWT is base64url");
    serde_json::from_slice(&payload).expect("the claims are JSON")
}
