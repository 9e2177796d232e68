//! The two documents that lead from a server that holds data to the one that issues tokens for it.

use std::fmt;

use atproto_sansio::{Body, How, Reach, printable};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::json;
use crate::origin::{Origin, OriginError, to_uri};

/// The largest metadata document that is read.
const MAX_LEN: usize = 64 * 1024;

/// Why the metadata of a server can't be used.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The reply has another status than 200.
    #[error("{url} answered {status}, which is not the 200 that atproto OAuth asks for")]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: StatusCode,
    },
    /// The document is not `application/json`.
    #[error("{url} is not application/json, as atproto OAuth asks for, but {found}")]
    ContentType {
        /// What was asked for.
        url: String,
        /// What it is, or «without a type».
        found: String,
    },
    /// The document can't be read.
    #[error("{url}: {what}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// The document can be read and breaks rules: all of them.
    #[error("{url} breaks {}: {}", rules(.violations.len()), list(.violations))]
    Violations {
        /// What was asked for.
        url: String,
        /// Each rule that it breaks.
        violations: Vec<Violation>,
    },
    /// The server of the account has no protected resource metadata: it does not offer OAuth.
    #[error("{0} does not offer OAuth: it has no protected resource metadata (RFC 9728)")]
    NoOAuth(Origin),
    /// The authorization server does not list the account's server among those it protects.
    #[error("{issuer} does not list {resource} in its `protected_resources` (RFC 9728 section 4)")]
    NotProtected {
        /// The authorization server.
        issuer: Origin,
        /// The server that names it.
        resource: Origin,
    },
}

/// One rule that a document breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// The member, as it is spelled in the document.
    pub member: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a member of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It has another JSON type.
    WrongType,
    /// It is not an origin in canonical form.
    NotAnOrigin(OriginError),
    /// It is not an absolute https URL without user name and fragment.
    NotAnHttpsUrl,
    /// It is not what the document was asked of.
    IsNot {
        /// What it must be.
        expected: String,
    },
    /// A list that must have exactly one element has another number of them.
    NotExactlyOne(usize),
    /// A list lacks an element.
    Lacks(&'static str),
    /// A list has an element that it must not have.
    Has(&'static str),
    /// It is not `true`.
    NotTrue,
}

impl DiscoveryError {
    /// Whether another try may bring another result.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::ContentType { .. }
            | Self::Malformed { .. }
            | Self::Violations { .. }
            | Self::NoOAuth(_)
            | Self::NotProtected { .. } => false,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = self.member;
        match &self.problem {
            Problem::Missing => write!(f, "`{member}` is missing"),
            Problem::WrongType => write!(f, "`{member}` has the wrong JSON type"),
            Problem::NotAnOrigin(why) => {
                write!(f, "`{member}` is not the origin of a server: {why}")
            }
            Problem::NotAnHttpsUrl => write!(f, "`{member}` is not an https URL"),
            Problem::IsNot { expected } => write!(f, "`{member}` is not {expected}"),
            Problem::NotExactlyOne(count) => {
                write!(f, "`{member}` has {count} elements instead of one")
            }
            Problem::Lacks(element) => write!(f, "`{member}` lacks {element}"),
            Problem::Has(element) => write!(f, "`{member}` must not have {element}"),
            Problem::NotTrue => write!(f, "`{member}` is not true"),
        }
    }
}

fn rules(count: usize) -> String {
    if count == 1 { "a rule".to_owned() } else { format!("{count} rules") }
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

/// `GET` of a metadata document: no credentials, nothing that identifies the user.
pub(super) fn get(url: &str) -> Result<Request<Body>, DiscoveryError> {
    Request::get(url)
        .header(header::ACCEPT, "application/json")
        .body(Body::Bytes(Bytes::new()))
        .map_err(|_| DiscoveryError::Malformed {
            url: url.to_owned(),
            what: "it is no URL".to_owned(),
        })
}

pub(super) fn how(development: bool) -> How {
    How::buffered(MAX_LEN, Reach::untrusted(development))
}

/// The JSON object of a reply: 200, `application/json`, and nothing else in the body.
pub(super) fn document<T: DeserializeOwned>(
    url: &str,
    response: &Response<Bytes>,
) -> Result<T, DiscoveryError> {
    let url = || url.to_owned();
    if response.status() != StatusCode::OK {
        return Err(DiscoveryError::Status { url: url(), status: response.status() });
    }
    let found = response.headers().get(header::CONTENT_TYPE);
    let found = found.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let essence = found.as_deref().and_then(|found| found.split(';').next()).unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        let found = found.map_or_else(|| "without a type".to_owned(), printable);
        return Err(DiscoveryError::ContentType { url: url(), found });
    }
    json::object(response.body()).map_err(|what| DiscoveryError::Malformed { url: url(), what })
}

/// Collects all the rules that a document breaks.
#[derive(Default)]
pub(super) struct Check {
    pub(super) violations: Vec<Violation>,
    pub(super) development: bool,
}

impl Check {
    pub(super) fn broken(&mut self, member: &'static str, problem: Problem) {
        self.violations.push(Violation { member, problem });
    }

    /// The member as a list of strings.
    pub(super) fn strings<'a>(
        &mut self,
        member: &'static str,
        value: Option<&'a Value>,
    ) -> Option<Vec<&'a str>> {
        let Some(value) = value else {
            self.broken(member, Problem::Missing);
            return None;
        };
        let strings = value
            .as_array()
            .and_then(|values| values.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        if strings.is_none() {
            self.broken(member, Problem::WrongType);
        }
        strings
    }

    /// The member is a list that has all of `wanted`.
    pub(super) fn contains(
        &mut self,
        member: &'static str,
        value: Option<&Value>,
        wanted: &[&'static str],
    ) {
        let Some(strings) = self.strings(member, value) else { return };
        for &element in wanted {
            if !strings.contains(&element) {
                self.broken(member, Problem::Lacks(element));
            }
        }
    }

    /// The member is `true`, and not something that looks like it.
    pub(super) fn is_true(&mut self, member: &'static str, value: Option<&Value>) {
        match value {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => self.broken(member, Problem::NotTrue),
            Some(_) => self.broken(member, Problem::WrongType),
            None => self.broken(member, Problem::Missing),
        }
    }

    /// The member is a string.
    pub(super) fn string<'a>(
        &mut self,
        member: &'static str,
        value: Option<&'a Value>,
    ) -> Option<&'a str> {
        match value {
            Some(Value::String(text)) => return Some(text),
            Some(_) => self.broken(member, Problem::WrongType),
            None => self.broken(member, Problem::Missing),
        }
        None
    }

    /// The member is the URL of an endpoint.
    pub(super) fn endpoint(
        &mut self,
        member: &'static str,
        value: Option<&Value>,
    ) -> Option<url::Url> {
        let text = self.string(member, value)?;
        let url = url::Url::parse(text).ok().filter(|url| {
            let origin = Origin::parse(&url.origin().ascii_serialization(), self.development);
            url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
                && origin.is_ok()
                && to_uri(url)
                    .is_some_and(|uri| Reach::untrusted(self.development).check(&uri).is_ok())
        });
        if url.is_none() {
            self.broken(member, Problem::NotAnHttpsUrl);
        }
        url
    }

    pub(super) fn finish(self, url: &str) -> Result<(), DiscoveryError> {
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(DiscoveryError::Violations { url: url.to_owned(), violations: self.violations })
    }
}
