//! Redirect URIs, the URLs that an authorization server may redirect a browser to.
//!
//! atproto OAuth, «Request Fields» and «Native Clients»; RFC 8252 section 7.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::client::lint::code::Broken;
use crate::client::redirect_rules::{Declarer, NOT_URL, check, check_spelling, is_loopback};
use crate::error::ConfigError;
use crate::origin::shown;

/// Kind of a client that publishes its metadata, its `application_type`: a web application with a
/// server, or a program on the user's device.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "OpenID Connect Registration defines these two")]
pub enum ApplicationType {
    /// `web`: redirect URIs are https URLs.
    #[default]
    Web,
    /// `native`: redirect URIs may also be http URLs of a loopback address, or have a private-use
    /// scheme, such as `com.example.app:/callback` (RFC 8252 section 7.1).
    Native,
}

/// A redirect URI in the spelling in which the client declares it. Servers compare redirect URIs as
/// strings, and [`Url`] would drop a port 80 that is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    pub(crate) fn parse(text: &str) -> Result<Self, Broken> {
        let url = Url::parse(text).map_err(|_| NOT_URL)?;
        match check_spelling(text, &url) {
            Some(broken) => Err(broken),
            None => Ok(Self { text: text.to_owned(), url }),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the URI to send if a login asks for `asked`, or `None` if this URI does not declare
    /// it. If this URI is a loopback address without a port, `asked` may have any port (RFC 8252
    /// section 7.3).
    pub(crate) fn declares(&self, asked: &Url) -> Option<Self> {
        if self.url == *asked {
            return Some(self.clone());
        }
        let mut without_port = asked.clone();
        let free = is_loopback(&self.url) && !self.has_port();
        let fits = free && without_port.set_port(None).is_ok() && without_port == self.url;
        fits.then(|| asked.clone().into())
    }

    /// Whether a port is written, also the default port of the scheme.
    fn has_port(&self) -> bool {
        let (_, authority) = self.text.split_once("://").unwrap_or_default();
        let host = self.url.host_str().unwrap_or_default();
        authority.strip_prefix(host).is_some_and(|rest| rest.starts_with(':'))
    }
}

impl From<Url> for RedirectUri {
    fn from(url: Url) -> Self {
        Self { text: url.to_string(), url }
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .map_err(|broken| de::Error::custom(broken.why))
    }
}

/// Parses a redirect URI that a client declares. Fails with the first rule that it breaks.
pub(crate) fn parse(text: &str, declarer: Declarer<'_>) -> Result<RedirectUri, ConfigError> {
    let refused = |broken: Broken| ConfigError::RedirectUri { uri: shown(text), why: broken.why };
    let uri = RedirectUri::parse(text).map_err(refused)?;
    match check(&uri.url, declarer).first() {
        Some(broken) => Err(refused(*broken)),
        None => Ok(uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn only_the_port_of_a_declared_loopback_address_is_free() {
        // Rules C-31, C-32, C-33
        let declares = |declared: &str, asked: &str| {
            let declared = RedirectUri::parse(declared).unwrap();
            declared.declares(&url(asked)).map(|uri| uri.as_str().to_owned())
        };
        let free = "http://127.0.0.1/cb";
        for same in ["http://127.0.0.1/cb", "http://127.0.0.1:1234/cb"] {
            assert_eq!(declares(free, same).as_deref(), Some(same));
        }
        for other in [
            "http://localhost:1234/cb",
            "http://localhost.evil.com/cb",
            "http://127.0.0.2:1234/cb",
            "http://[::1]:1234/cb",
            "https://127.0.0.1:1234/cb",
            "http://127.0.0.1:1234/other",
            "http://127.0.0.1:1234/cb?x",
            "http://127.0.0.1:1234/cb#x",
            "http://u@127.0.0.1:1234/cb",
        ] {
            assert_eq!(declares(free, other), None, "{other}");
        }
        assert_eq!(declares("http://127.0.0.1:7777/cb", "http://127.0.0.1:7778/cb"), None);
        assert_eq!(declares("https://app.example.com/cb", "https://app.example.com:8443/cb"), None);
    }

    #[test]
    fn a_redirect_uri_is_sent_in_the_spelling_that_was_declared() {
        // Rules C-30, C-32, C-36
        for text in ["http://127.0.0.1:80/cb", "http://[::1]:80/cb", "https://app.example.com"] {
            let declared = RedirectUri::parse(text).unwrap();
            assert_eq!(declared.declares(&url(text)).unwrap().as_str(), text);
            let stored = serde_json::to_string(&declared).unwrap();
            assert_eq!(stored, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<RedirectUri>(&stored).unwrap(), declared);
        }
        let fixed = RedirectUri::parse("http://127.0.0.1:80/cb").unwrap();
        assert_eq!(fixed.declares(&url("http://127.0.0.1:8080/cb")), None);
        for text in [
            "https://app.example.com:443/cb",
            "https://APP.example.com/cb",
            "https://app.example.com/a/../cb",
            "https:\\\\app.example.com\\cb",
            "https:///app.example.com/cb",
            "https://app.example.com/\tcb",
            "https://app.example.com/\u{e9}",
            " https://app.example.com/cb",
            "app.example.com/cb",
        ] {
            assert!(RedirectUri::parse(text).is_err(), "{text}");
        }
    }
}
