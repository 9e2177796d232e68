//! The lines of a case: one line describes a response, or a visit to the authorization page.
//!
//! ```text
//! POST par 400 invalid_request nonce
//! GET getSession 401 use_dpop_nonce nonce DPoP
//! browser query: code iss state
//! ```
//!
//! The line of a response has the method; the last part of the path, with `@b`, `@r` or `@plc` if
//! the server is not `a`; the status; the JSON member `error`, or `-`; `nonce` if there is a
//! `DPoP-Nonce`; the schemes of the challenges, with `error=` if it differs from the body; the
//! headers that the case shows; and the label of the request in parentheses. The line of a visit
//! has the response mode and the parameters. `elsewhere` marks a URL that does not begin with the
//! redirect URI, `iss=other` marks another issuer, and `browser page` is an error page. Error
//! descriptions are not compared.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::draft::Draft;
use super::target::{Landing, Server};

/// A response with its decoded body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Decoded body; `null` if the body is not JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn new(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Self { status: head.status, headers: head.headers, body, json }
    }

    /// Returns a string member of the body; panics without it, which fails the case.
    pub(crate) fn text(&self, name: &str) -> String {
        let text = self.json[name].as_str();
        text.unwrap_or_else(|| panic!("no {name} in {}: {}", self.status, self.json)).to_owned()
    }

    pub(crate) fn nonce(&self) -> Option<String> {
        Some(self.header("dpop-nonce")?.to_owned())
    }

    /// Returns the line of the response to `draft`.
    pub(crate) fn line(&self, draft: &Draft) -> String {
        let error = self.json["error"].as_str().unwrap_or("-");
        let place = place(draft);
        let mut line = format!("{} {place} {} {error}", draft.method, self.status.as_u16());
        if self.nonce().is_some() {
            line.push_str(" nonce");
        }
        for challenge in self.headers.get_all(WWW_AUTHENTICATE) {
            line.push_str(&summary(challenge.to_str().unwrap_or_default(), error));
        }
        for name in &draft.shown {
            let value = self.header(name).unwrap_or("-");
            let value = if *name == "content-type" { essence(value) } else { value };
            write!(line, " {name}={value}").unwrap();
        }
        if !draft.label.is_empty() {
            write!(line, " ({})", draft.label).unwrap();
        }
        line
    }

    /// Returns a line with the names of all members, and the values of those that are not random.
    pub(crate) fn members(&self) -> String {
        let mut line = String::from("+");
        for (name, value) in self.json.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("token_type" | "scope", value) => write!(line, " {name}={value}").unwrap(),
                // Rounded to ten seconds, because a real server's clock goes on.
                ("expires_in", Value::Number(seconds)) => {
                    let rounded = (seconds.as_f64().unwrap_or_default() / 10.0).round() * 10.0;
                    write!(line, " {name}~{rounded}").unwrap();
                }
                (name, _) => write!(line, " {name}").unwrap(),
            }
        }
        line
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Landing {
    /// Returns the line of a visit, for a client with this redirect URI.
    pub(crate) fn line(&self, redirect_uri: &str, issuer: &str) -> String {
        let (to, how) = match self {
            Self::Page(status) => return format!("browser page {}", status.as_u16()),
            Self::Redirect(to) if to.contains('#') => (to, "fragment"),
            Self::Redirect(to) => (to, "query"),
            Self::Form(to, _) => (to, "form"),
        };
        let elsewhere = if to.starts_with(redirect_uri) { "" } else { " elsewhere" };
        let parameters = self.parameters().into_iter().filter_map(|(name, value)| match &*name {
            "error_description" | "error_uri" => None,
            "error" => Some(format!(" error={value}")),
            "iss" if value != issuer => Some(" iss=other".to_owned()),
            _ => Some(format!(" {name}")),
        });
        let mut parameters: Vec<_> = parameters.collect();
        parameters.sort();
        format!("browser{elsewhere} {how}:{}", parameters.concat())
    }

    /// Returns a parameter of the callback.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut all = self.parameters().into_iter();
        all.find(|(parameter, _)| parameter == name).map(|(_, value)| value)
    }

    fn parameters(&self) -> Vec<(String, String)> {
        let owned = |text: &str| {
            url::form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>()
        };
        match self {
            Self::Page(_) => Vec::new(),
            Self::Form(_, fields) => fields.clone(),
            Self::Redirect(to) => {
                let to = Url::parse(to).unwrap();
                owned(to.fragment().or_else(|| to.query()).unwrap_or_default())
            }
        }
    }
}

fn place(draft: &Draft) -> String {
    let path = draft.path.split('?').next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit(['/', '.']).next().unwrap_or_default();
    let name = if last.starts_with("did:") { "did" } else { last };
    match draft.server {
        Server::A => name.to_owned(),
        Server::B => format!("{name}@b"),
        Server::R => format!("{name}@r"),
        Server::Plc => format!("{name}@plc"),
    }
}

/// Returns the scheme of a challenge, and its `error` if that differs from the body. Other
/// parameters, such as `algs`, are not compared.
fn summary(challenge: &str, in_body: &str) -> String {
    let scheme = challenge.split(' ').next().unwrap_or_default();
    let error = challenge.split("error=\"").nth(1).and_then(|rest| rest.split('"').next());
    match error.unwrap_or("-") {
        error if error == in_body => format!(" {scheme}"),
        error => format!(" {scheme} error={error}"),
    }
}

/// Returns a media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
