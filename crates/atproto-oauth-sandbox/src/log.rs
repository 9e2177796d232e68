//! What the network saw.

use std::fmt;

use atproto_sansio::UnixTime;
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use serde_json::{Map, Value};
use url::Url;

use crate::accounts::handles::Dns;
use crate::form::Form;
use crate::incoming::Incoming;
use crate::jwt::Jwt;
use crate::sandbox::LARGEST_KEPT;
use crate::server::ServerId;

/// Who sent something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum By {
    /// The client, or whoever else asked from outside.
    Client,
    /// One of the network's servers, which fetches what a client named.
    Server(ServerId),
}

/// One thing that the network saw. It holds everything that was sent, tokens included.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Seen {
    /// A request, and what came of it.
    Request(Box<Exchange>),
    /// A DNS question for TXT records.
    Lookup {
        /// When.
        at: UnixTime,
        /// The name, without a final dot.
        name: String,
        /// What was answered.
        answer: Dns,
    },
}

/// A request, and what came of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// When it arrived.
    pub at: UnixTime,
    /// Who sent it.
    pub by: By,
    /// Its method.
    pub method: Method,
    /// Its URL.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The status of the answer, whether it arrived or not; `None` if there was none.
    pub status: Option<u16>,
    /// The headers of the answer.
    pub answer_headers: HeaderMap,
    /// The body of the answer.
    pub answer_body: Bytes,
    /// Whether the whole answer was sent on its way, and not lost, cut or withheld.
    pub delivered: bool,
    /// The faults that it met, in words.
    pub fault: Option<String>,
}

/// A JSON Web Token that was sent, decoded and not verified.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Decoded {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl Exchange {
    pub(crate) fn new(at: UnixTime, by: By, request: &Incoming) -> Self {
        Self {
            at,
            by,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: match request.body.len() {
                0..=LARGEST_KEPT => request.body.clone(),
                _ => Bytes::new(),
            },
            status: None,
            answer_headers: HeaderMap::new(),
            answer_body: Bytes::new(),
            delivered: false,
            fault: None,
        }
    }

    /// Keeps what was answered.
    pub(crate) fn answer(&mut self, response: Response<Bytes>) {
        let (head, body) = response.into_parts();
        self.status = Some(head.status.as_u16());
        self.answer_headers = head.headers;
        if body.len() <= LARGEST_KEPT {
            self.answer_body = body;
        }
    }

    /// The path of its URL.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The DPoP proof that it carried.
    pub fn proof(&self) -> Option<Decoded> {
        Decoded::read(self.headers.get("dpop")?.to_str().ok()?)
    }

    /// A field of its form.
    pub fn form(&self, name: &str) -> Option<String> {
        Form::parse(&self.body).get(name).map(str::to_owned)
    }

    /// The client assertion that it carried.
    pub fn assertion(&self) -> Option<Decoded> {
        Decoded::read(&self.form("client_assertion")?)
    }

    /// The `error` that the answer named.
    pub fn error(&self) -> Option<String> {
        let answer: Value = serde_json::from_slice(&self.answer_body).ok()?;
        Some(answer.get("error")?.as_str()?.to_owned())
    }
}

impl Decoded {
    fn read(text: &str) -> Option<Self> {
        let jwt = Jwt::parse(text)?;
        Some(Self { header: jwt.header, claims: jwt.claims })
    }

    /// A claim that is a string.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

/// `POST https://pds.example.com/oauth/par 400 use_dpop_nonce`: no query, no header, no body.
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        write!(f, "{} {origin}{}", self.method, self.url.path())?;
        match self.status {
            Some(status) if self.delivered => write!(f, " {status}")?,
            Some(status) => write!(f, " {status} (lost)")?,
            None => f.write_str(" (no answer)")?,
        }
        match self.error() {
            Some(error) => write!(f, " {error}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(exchange) => exchange.fmt(f),
            Self::Lookup { name, answer, .. } => {
                let found = match answer {
                    Dns::Records(records) => records.join(", "),
                    Dns::NoSuchName => "(no such name)".to_owned(),
                    Dns::Fails => "(failed)".to_owned(),
                    Dns::Silent => "(no answer)".to_owned(),
                };
                write!(f, "TXT {name} {found}")
            }
        }
    }
}
