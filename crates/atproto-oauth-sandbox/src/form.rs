//! `application/x-www-form-urlencoded` bodies of requests to an authorization server.

use std::collections::BTreeSet;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::incoming::Incoming;
use crate::server::refusal::Refusal;

/// Fields of a form as pairs of name and value, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

/// Maximum size of a form, in bytes.
const LARGEST: usize = 100 * 1024;

impl Form {
    /// Checks and parses the body of a request.
    ///
    /// # Errors
    ///
    /// Fails with status 415 if the body is not a form in UTF-8 or has a content coding, with 413
    /// if it is larger than 100 KiB, and with `invalid_request` if a field is repeated (forbidden
    /// by RFC 6749 section 3.2).
    pub(crate) fn of(request: &Incoming) -> Result<Self, Refusal> {
        let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
        let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
        let mut charsets =
            parameters.split(';').filter_map(|one| one.trim().strip_prefix("charset="));
        let is_utf8 =
            charsets.all(|charset| ["utf-8", "utf8"].contains(&charset.trim().trim_matches('"')));
        let unsupported = |what: &str| {
            let description = format!("Unsupported {what}");
            Err(Refusal { status: 415, ..Refusal::invalid_request(&description) })
        };
        if essence.trim() != "application/x-www-form-urlencoded" || !is_utf8 {
            return unsupported(&format!("content-type: {}", essence.trim()));
        }
        if request.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return unsupported("content-encoding");
        }
        if request.body.len() > LARGEST {
            return Err(Refusal {
                status: 413,
                ..Refusal::invalid_request("The form is too large")
            });
        }
        let form = Self::parse(&request.body);
        let mut names = BTreeSet::new();
        match form.0.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((name, _)) => {
                Err(Refusal::invalid_request(&format!("The parameter {name} is repeated")))
            }
            None => Ok(form),
        }
    }

    /// Parses a query or a body without any check. Repeated fields are kept.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Returns the first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(this, _)| this == name).map(|(_, value)| value.as_str())
    }

    /// Iterates over all values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(this, _)| this == name).map(|(_, value)| value.as_str())
    }
}
