//! The members of the metadata document that a consent page shows.
//!
//! RFC 7591 section 2; atproto OAuth, «Client ID Metadata Document».

use atproto_sansio::Reach;
use url::Url;

use crate::error::ConfigError;
use crate::origin::{shown, to_uri};

/// Name and web pages of a client, for the consent page of the authorization server.
///
/// [`ClientBuilder::build`](crate::ClientBuilder::build) fails with
/// [`ConfigError::Page`] if authorization servers would reject a URL.
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

    /// Rejects what authorization servers reject: URLs that are not https, and a `client_uri`
    /// that does not lead to the `client_id`.
    pub(crate) fn check(&self, client_id: &Url) -> Result<(), ConfigError> {
        for (name, url) in self.urls() {
            if let Some(url) = url {
                check_page(name, url)?;
            }
        }
        let Some(client_uri) = &self.client_uri else { return Ok(()) };
        let wrong = |why| refused("client_uri", client_uri, why);
        if client_uri.origin() != client_id.origin() {
            return Err(wrong("it must have the origin of the client_id"));
        }
        let parent = format!("{}/", client_uri.path().trim_end_matches('/'));
        if client_id.path() == client_uri.path() || client_id.path().starts_with(&parent) {
            return Ok(());
        }
        Err(wrong("its path must be a parent of the path of the client_id, such as /"))
    }
}

/// Checks a URL that the metadata document names as its member `name`.
pub(crate) fn check_page(name: &'static str, url: &Url) -> Result<(), ConfigError> {
    let wrong = |why| Err(refused(name, url, why));
    if url.scheme() != "https" {
        return wrong("it must be an https URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("it must not have a user name or password");
    }
    let public = to_uri(url).is_some_and(|uri| Reach::Public.check(&uri).is_ok());
    if public { Ok(()) } else { wrong("its host must be a public DNS name") }
}

/// The error of a URL that can't be the member `name` of the metadata document.
pub(crate) fn refused(name: &'static str, url: &Url, why: &'static str) -> ConfigError {
    ConfigError::Page { name, url: shown(url.as_str()), why }
}
