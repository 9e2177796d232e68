//! The members of the metadata document that describe a client: those that a consent page shows, and
//! those that the protocol does not use.
//!
//! RFC 7591 sections 2 and 2.2; atproto OAuth, «Client ID Metadata Document».

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use crate::client::lint::code::{Broken, FindingCode};
use crate::error::ConfigError;
use crate::origin::{is_public, shown};

/// Name and web pages of a client, for the consent page of the authorization server; its contacts; and
/// further members of its metadata.
///
/// [`ClientBuilder::build`](crate::ClientBuilder::build) fails with
/// [`ConfigError::Page`] if authorization servers would reject a URL, and with
/// [`ConfigError::Member`] if they would reject a contact or a further member.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use atproto_oauth_core::Description;
///
/// let description = Description {
///     client_name: Some("Notes".to_owned()),
///     contacts: vec!["ops@example.com".to_owned()],
///     other_members: BTreeMap::from([
///         ("client_name#de".to_owned(), "Notizen".into()),
///         ("software_version".to_owned(), "2.1".into()),
///     ]),
///     ..Description::default()
/// };
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "callers write it as a literal")]
pub struct Description {
    /// Name of the client.
    pub client_name: Option<String>,
    /// Home page of the client. It must have the origin of the `client_id`, and a path above it,
    /// such as `/`.
    pub client_uri: Option<Url>,
    /// Image with the logo of the client.
    pub logo_uri: Option<Url>,
    /// Page with the terms of service.
    pub tos_uri: Option<Url>,
    /// Page with the privacy policy.
    pub policy_uri: Option<Url>,
    /// E-mail addresses of the people who run the client.
    pub contacts: Vec<String>,
    /// Members for which there is no field, by their names in the document, such as `software_id`, or
    /// `client_name#ja` for the name in another language (RFC 7591 section 2.2). A member that follows
    /// from other settings can't be among them.
    pub other_members: BTreeMap<String, Value>,
}

impl Description {
    pub(crate) fn urls(&self) -> [(&'static str, &Option<Url>); 4] {
        [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("tos_uri", &self.tos_uri),
            ("policy_uri", &self.policy_uri),
        ]
    }

    /// Rejects the URLs that authorization servers reject: URLs that are not https, and a
    /// `client_uri` that does not lead to the `client_id`.
    pub(crate) fn check(&self, client_id: &Url) -> Result<(), ConfigError> {
        for (name, url) in self.urls() {
            if let Some(url) = url {
                refuse(name, url, check_page(name, url))?;
            }
        }
        let Some(client_uri) = &self.client_uri else { return Ok(()) };
        refuse("client_uri", client_uri, check_client_uri(client_uri, client_id))
    }
}

/// All rules that a URL breaks which the metadata document names as its member `name`.
pub(crate) fn check_page(name: &str, url: &Url) -> Vec<Broken> {
    let mut broken = Vec::new();
    if url.scheme() != "https" {
        let code = match name {
            "client_uri" => FindingCode::ClientUriNotHttps,
            "logo_uri" => FindingCode::LogoUriNotHttps,
            "tos_uri" => FindingCode::TosUriNotHttps,
            "policy_uri" => FindingCode::PolicyUriNotHttps,
            _ => FindingCode::JwksUriNotHttps,
        };
        broken.push(Broken::new(code, "it must be an https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let why = "it must not have a user name or password";
        broken.push(Broken::new(FindingCode::PageUserinfo, why));
    }
    if !is_public(url, url.port()) {
        let why = "its host must be a public DNS name";
        broken.push(Broken::new(FindingCode::PageLocalHost, why));
    }
    broken
}

/// The rule that a `client_uri` breaks which does not lead to the `client_id`.
pub(crate) fn check_client_uri(client_uri: &Url, client_id: &Url) -> Vec<Broken> {
    if client_uri.origin() != client_id.origin() {
        let why = "it must have the origin of the client_id";
        return vec![Broken::new(FindingCode::ClientUriOtherHost, why)];
    }
    let parent = format!("{}/", client_uri.path().trim_end_matches('/'));
    if client_id.path() == client_uri.path() || client_id.path().starts_with(&parent) {
        return Vec::new();
    }
    let why = "its path must be a parent of the path of the client_id, such as /";
    vec![Broken::new(FindingCode::ClientUriNotParent, why)]
}

/// Fails with the first broken rule of a URL that is the member `name` of the metadata document.
pub(crate) fn refuse(
    name: &'static str,
    url: &Url,
    broken: Vec<Broken>,
) -> Result<(), ConfigError> {
    match broken.first() {
        Some(broken) => Err(refused(name, url, broken.why)),
        None => Ok(()),
    }
}

/// The error of a URL that can't be the member `name` of the metadata document.
pub(crate) fn refused(name: &'static str, url: &Url, why: &'static str) -> ConfigError {
    ConfigError::Page { name, url: shown(url.as_str()), why }
}
