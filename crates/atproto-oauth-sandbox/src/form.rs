//! `application/x-www-form-urlencoded` bodies of the authorization server's endpoints.

use std::collections::BTreeSet;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::incoming::Incoming;
use crate::server::refusal::Refusal;

/// The fields of a form, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

/// The largest form.
const LARGEST: usize = 100 * 1024;

impl Form {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// It is another type, or a field is repeated (RFC 6749 section 3.2: must not be).
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
            return Err(Refusal { status: 413, ..Refusal::invalid_request("It is too large") });
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

    /// Reads a query or a body, repetitions and all.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A field, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(this, _)| this == name).map(|(_, value)| value.as_str())
    }

    /// All fields of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(this, _)| this == name).map(|(_, value)| value.as_str())
    }
}
