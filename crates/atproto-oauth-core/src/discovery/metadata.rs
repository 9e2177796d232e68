//! Common parts of the two metadata documents: the request, the checks, and the errors.
//!
//! `resource.rs` has the protected resource metadata of a PDS, `server.rs` the metadata of an
//! authorization server.

use std::fmt;
use std::time::Duration;

use atproto_sansio::{Body, How, Reach, is_transient, printable, retry_after};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::json;
use crate::origin::{Origin, OriginError, to_uri};

/// Largest accepted metadata document, in bytes.
const MAX_LEN: usize = 64 * 1024;

/// The metadata of a PDS or an authorization server can't be used.
///
/// Only the operator of that server can correct it, except if
/// [`is_transient`](Self::is_transient) is true.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The response has another status than 200; redirects are not followed. Retry later if the
    /// status is 408, 429 or 5xx.
    #[error("{url} answered {status}, but atproto OAuth requires 200 without a redirect: {}",
        way_out(*.status, *.retry_after))]
    Status {
        /// URL of the document.
        url: String,
        /// Status of the response.
        status: StatusCode,
        /// Time to wait before a retry, from the `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// The content type of the document is not `application/json`.
    #[error("{url} is not application/json, as atproto OAuth requires, but {found}: {}", OPERATOR)]
    ContentType {
        /// URL of the document.
        url: String,
        /// The `Content-Type` header, or `without a type` if there is none.
        found: String,
    },
    /// The document is not a well-formed JSON object, or has a member twice.
    #[error("the metadata document at {url} is malformed: {what}; {}", OPERATOR)]
    Malformed {
        /// URL of the document.
        url: String,
        /// The reason, without any part of the document.
        what: String,
    },
    /// The document is well-formed, but breaks rules of the atproto OAuth profile.
    #[error("{url} breaks {}: {}; {}",
        rules(.violations.len()), list(.violations), OPERATOR)]
    Violations {
        /// URL of the document.
        url: String,
        /// All broken rules, not only the first.
        violations: Vec<Violation>,
    },
    /// The PDS has no protected resource metadata (status 404), so it does not support OAuth. For
    /// a PDS that predates this metadata, build the client with
    /// [`resource_metadata_fallback`](crate::ClientBuilder::resource_metadata_fallback).
    #[error(
        "{0} does not offer OAuth: it has no protected resource metadata (RFC 9728); for a server \
         that predates them, build the client with `ClientBuilder::resource_metadata_fallback`"
    )]
    NoOAuth(Origin),
    /// The `protected_resources` of the authorization server lack the PDS that names it.
    #[error(
        "{issuer} does not list {resource} in its `protected_resources` (RFC 9728 section 4): \
         {}",
        OPERATOR
    )]
    NotProtected {
        /// Authorization server.
        issuer: Origin,
        /// PDS that names the authorization server.
        resource: Origin,
    },
}

/// One broken rule of a metadata document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// Member of the document, such as `token_endpoint`.
    pub member: &'static str,
    /// Rule that the member breaks.
    pub problem: Problem,
}

/// The rule that a member of a metadata document breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// The document lacks the member, which is required.
    Missing,
    /// The member has the wrong JSON type, for example a string instead of a list.
    WrongType,
    /// The member must be an origin in canonical form.
    NotAnOrigin(OriginError),
    /// The member must be an absolute https URL of a public host, without user name, password and
    /// fragment.
    NotAnHttpsUrl,
    /// The member must be the origin that the document was fetched from.
    IsNot {
        /// Required value.
        expected: String,
    },
    /// The list must have exactly one element, but has this number of elements.
    NotExactlyOne(usize),
    /// The list lacks this required element.
    Lacks(&'static str),
    /// The list has this forbidden element.
    Has(&'static str),
    /// The member is `false`, but must be `true`.
    NotTrue,
}

impl DiscoveryError {
    /// Whether a retry may succeed: the status is 408, 429 or 5xx.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => is_transient(*status),
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

/// The way out of an error that does not pass.
const OPERATOR: &str = "only its operator can correct it";

fn way_out(status: StatusCode, retry_after: Option<Duration>) -> String {
    match (is_transient(status), retry_after) {
        (true, Some(wait)) => format!("try again in {} s", wait.as_secs()),
        (true, None) => "try again later".to_owned(),
        (false, _) => OPERATOR.to_owned(),
    }
}

fn rules(count: usize) -> String {
    if count == 1 { "a rule".to_owned() } else { format!("{count} rules") }
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

/// `GET` request for a metadata document, without credentials or data about the user.
pub(super) fn get(url: &str) -> Result<Request<Body>, DiscoveryError> {
    Request::get(url).header(header::ACCEPT, "application/json").body(Body::default()).map_err(
        |_| DiscoveryError::Malformed {
            url: url.to_owned(),
            what: "its URL can't be requested".to_owned(),
        },
    )
}

pub(super) fn how(development: bool) -> How {
    How::buffered(MAX_LEN, Reach::untrusted(development))
}

/// Parses the JSON object of a response, which must have status 200 and the content type
/// `application/json`.
pub(super) fn document<T: DeserializeOwned>(
    url: &str,
    response: &Response<Bytes>,
) -> Result<T, DiscoveryError> {
    let url = || url.to_owned();
    if response.status() != StatusCode::OK {
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        return Err(DiscoveryError::Status { url: url(), status, retry_after });
    }
    if let Err(found) = check_content_type(response.headers()) {
        return Err(DiscoveryError::ContentType { url: url(), found });
    }
    json::object(response.body()).map_err(|what| DiscoveryError::Malformed { url: url(), what })
}

/// Requires the content type `application/json`, with any parameters.
///
/// # Errors
///
/// Fails with the `Content-Type` that was found, for an error message.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), String> {
    let found = headers.get(header::CONTENT_TYPE);
    let found = found.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let essence = found.as_deref().and_then(|found| found.split(';').next()).unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(found.map_or_else(|| "without a type".to_owned(), printable))
}

/// Checks the members of a document, and collects all broken rules.
#[derive(Default)]
pub(super) struct Check {
    pub(super) violations: Vec<Violation>,
    pub(super) development: bool,
}

impl Check {
    pub(super) fn broken(&mut self, member: &'static str, problem: Problem) {
        self.violations.push(Violation { member, problem });
    }

    /// Requires a list of strings, and returns it.
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

    /// Requires a list of strings that has all elements of `required`.
    pub(super) fn contains(
        &mut self,
        member: &'static str,
        value: Option<&Value>,
        required: &[&'static str],
    ) {
        let Some(strings) = self.strings(member, value) else { return };
        for &element in required {
            if !strings.contains(&element) {
                self.broken(member, Problem::Lacks(element));
            }
        }
    }

    /// Requires the JSON value `true`; the string `"true"` and the number 1 are broken rules.
    pub(super) fn is_true(&mut self, member: &'static str, value: Option<&Value>) {
        match value {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => self.broken(member, Problem::NotTrue),
            Some(_) => self.broken(member, Problem::WrongType),
            None => self.broken(member, Problem::Missing),
        }
    }

    /// Requires a string, and returns it.
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

    /// Requires the URL of an endpoint, and returns it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn error_of(status: u16, content_type: &str, body: &str) -> DiscoveryError {
        let response = Response::builder().status(status).header("content-type", content_type);
        let response = response.header("retry-after", "30");
        let response = response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        document::<Vec<u8>>("https://pds.example.com/x", &response).unwrap_err()
    }

    #[test]
    fn an_error_names_the_document_and_the_way_out() {
        // Rules M-02, M-07
        for (status, transient) in
            [(408, true), (429, true), (500, true), (302, false), (403, false)]
        {
            let error = error_of(status, "application/json", "{}");
            assert_eq!(error.is_transient(), transient, "{error}");
            let way_out = if transient { "try again in 30 s" } else { "only its operator" };
            for part in ["https://pds.example.com/x", &status.to_string(), way_out] {
                assert!(error.to_string().contains(part), "{error}");
            }
        }
        for (content_type, body) in [("text/html", "{}"), ("application/json", "[]")] {
            let error = error_of(200, content_type, body);
            for part in ["https://pds.example.com/x", "only its operator"] {
                assert!(error.to_string().contains(part), "{error}");
            }
        }
    }

    #[test]
    fn a_status_is_kept_for_the_program() {
        // Rule M-02
        let error = Error::from(error_of(503, "application/json", "{}"));
        assert_eq!(error.http_status(), Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        let pds = Origin::parse("https://pds.example.com", false).unwrap();
        let error = Error::from(DiscoveryError::NoOAuth(pds));
        assert_eq!(error.http_status(), Some(StatusCode::NOT_FOUND));
    }

    #[test]
    fn a_quoted_content_type_is_cut() {
        // Rule M-03
        let error = error_of(200, &"x".repeat(5000), "{}").to_string();
        assert!(error.len() < 400, "{error}");
        let error = error_of(200, "application/json", "{\"a\":\"s3cret\"}").to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
