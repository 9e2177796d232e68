//! `application/x-www-form-urlencoded` bodies of the authorization server's endpoints.

use http::header::CONTENT_TYPE;

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
        let is_utf8 = parameters.split_once("charset=").is_none_or(|(_, charset)| {
            ["utf-8", "utf8"].contains(&charset.trim().trim_matches('"'))
        });
        if essence.trim() != "application/x-www-form-urlencoded" || !is_utf8 {
            let description = format!("Unsupported content-type: {}", essence.trim());
            return Err(Refusal { status: 415, ..Refusal::invalid_request(&description) });
        }
        if request.body.len() > LARGEST {
            return Err(Refusal { status: 413, ..Refusal::invalid_request("It is too large") });
        }
        let form = Self::parse(&request.body);
        let names = form.0.iter().enumerate();
        let repeated = names
            .map(|(at, (name, _))| (at, name))
            .find(|(at, name)| form.0.iter().take(*at).any(|(earlier, _)| earlier == *name));
        match repeated {
            Some((_, name)) => {
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
