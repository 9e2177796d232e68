//! The members of the metadata document that a consent page shows.
//!
//! RFC 7591 section 2; atproto OAuth, «Client ID Metadata Document».

use url::Url;

use crate::error::ConfigError;

/// What people read about a client when they are asked to consent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "it is written as a literal")]
pub struct Description {
    /// Its name.
    pub client_name: Option<String>,
    /// Its home page, at the origin of the `client_id`.
    pub client_uri: Option<Url>,
    /// Its logo.
    pub logo_uri: Option<Url>,
    /// Its terms of service.
    pub tos_uri: Option<Url>,
    /// Its privacy policy.
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

    /// Servers refuse a home page that is not the client's own, and pages that are not https.
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
