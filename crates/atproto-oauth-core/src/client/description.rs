//! The members of the metadata document that a consent page shows.
//!
//! RFC 7591 section 2; atproto OAuth, «Client ID Metadata Document».

use url::Url;

use crate::error::ConfigError;

/// Name and web pages of a client, for the consent page of the authorization server.
///
/// [`ClientBuilder::build`](crate::ClientBuilder::build) fails with
/// [`ConfigError::Page`] if a URL is not https.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "callers write it as a literal")]
pub struct Description {
    /// Name of the client.
    pub client_name: Option<String>,
    /// Home page of the client, which must have the origin of the `client_id`.
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

    /// Rejects URLs that are not https, and a `client_uri` of another origin than `client_id`,
    /// because authorization servers reject them.
    pub(crate) fn check(&self, client_id: &Url) -> Result<(), ConfigError> {
        for (name, url) in self.urls() {
            if url.as_ref().is_some_and(|url| url.scheme() != "https") {
                return Err(ConfigError::Page { name, why: "it must be an https URL" });
            }
        }
        match &self.client_uri {
            Some(uri) if uri.origin() != client_id.origin() => Err(ConfigError::Page {
                name: "client_uri",
                why: "it must be at the client_id's origin",
            }),
            Some(_) | None => Ok(()),
        }
    }
}
