//! The log: requests with their responses, and DNS lookups.

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
use crate::sandbox::MAX_LOGGED_BODY;
use crate::server::ServerId;

/// Sender of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum By {
    /// The client, or another program outside the network.
    Client,
    /// An authorization server of the network, which fetches the metadata or the JWKS of a client.
    Server(ServerId),
}

/// One entry of the log. An entry holds complete requests and responses, including tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Seen {
    /// An HTTP request and its response.
    Request(Box<Exchange>),
    /// A DNS lookup of TXT records.
    Lookup {
        /// Time of the lookup, on the network's clock.
        at: UnixTime,
        /// The name in lower case, without a final dot.
        name: String,
        /// Answer to the lookup, after the effects of faults.
        answer: Dns,
    },
}

/// An HTTP request, its response, and the faults that applied.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// Time at which the request arrived, on the network's clock.
    pub at: UnixTime,
    /// Sender of the request.
    pub by: By,
    /// Method of the request.
    pub method: Method,
    /// Absolute URL of the request.
    pub url: Url,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// Body of the request; empty if it is larger than 64 KiB.
    pub body: Bytes,
    /// Status of the response, even if a fault lost the response; `None` if no response was made.
    pub status: Option<u16>,
    /// Headers of the response.
    pub answer_headers: HeaderMap,
    /// Body of the response; empty if it is larger than 64 KiB.
    pub answer_body: Bytes,
    /// Whether the complete response was sent. `false` if a fault lost, cut or withheld the
    /// response. If `true`, the client may have timed out nevertheless.
    pub delivered: bool,
    /// Descriptions of the faults that applied, separated by `, `; `None` if no fault applied.
    pub fault: Option<String>,
}

/// A JSON Web Token from a request: a DPoP proof or a client assertion. The token is decoded,
/// but not verified.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Decoded {
    /// Members of the JOSE header.
    pub header: Map<String, Value>,
    /// Claims of the payload.
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
                0..=MAX_LOGGED_BODY => request.body.clone(),
                _ => Bytes::new(),
            },
            status: None,
            answer_headers: HeaderMap::new(),
            answer_body: Bytes::new(),
            delivered: false,
            fault: None,
        }
    }

    /// Stores the response, but not a body above the size limit of the log.
    pub(crate) fn set_response(&mut self, response: Response<Bytes>) {
        let (head, body) = response.into_parts();
        self.status = Some(head.status.as_u16());
        self.answer_headers = head.headers;
        if body.len() <= MAX_LOGGED_BODY {
            self.answer_body = body;
        }
    }

    /// Returns the path of the URL, for example `/oauth/token`.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Returns the DPoP proof from the `DPoP` header; `None` if it is missing or malformed.
    pub fn proof(&self) -> Option<Decoded> {
        Decoded::read(self.headers.get("dpop")?.to_str().ok()?)
    }

    /// Returns a field of the form in the request body, for example `grant_type`.
    pub fn form(&self, name: &str) -> Option<String> {
        Form::parse(&self.body).get(name).map(str::to_owned)
    }

    /// Returns the client assertion from the form; `None` if it is missing or malformed.
    pub fn assertion(&self) -> Option<Decoded> {
        Decoded::read(&self.form("client_assertion")?)
    }

    /// Returns the member `error` of a JSON response, for example `use_dpop_nonce`.
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

    /// Returns a claim; `None` if it is missing or not a string.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

/// Prints the method, URL, status and error, for example `POST https://pds.example.com/oauth/par
/// 400 use_dpop_nonce`. The query, the headers and the bodies are not printed.
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

/// Prints a request as [`Exchange`] does, and a lookup as `TXT <name> <records>`.
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
