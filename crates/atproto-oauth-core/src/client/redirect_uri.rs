//! The rules of redirect URIs, the URLs that an authorization server may redirect a browser to.
//!
//! atproto OAuth, «Request Fields» and «Native Clients»; RFC 8252 section 7.

use atproto_sansio::Reach;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

use crate::error::ConfigError;
use crate::origin::{shown, to_uri};

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
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "it is not a URL")?;
        let without_port = text.replacen(":80", "", usize::from(url.scheme() == "http"));
        let canonical = |text: &str| text == url.as_str() || format!("{text}/") == url.as_str();
        if canonical(text) || canonical(&without_port) {
            return Ok(Self { text: text.to_owned(), url });
        }
        Err("it is not in canonical form (lower-case host, no port 443, no `..`, only ASCII)")
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
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Checks a redirect URI that a client declares in its metadata.
pub(crate) fn check(
    uri: &RedirectUri,
    client_id: &Url,
    application_type: ApplicationType,
) -> Result<(), ConfigError> {
    let refused = |why| ConfigError::RedirectUri { uri: shown(uri.as_str()), why };
    let uri = uri.url();
    if uri.fragment().is_some() {
        return Err(refused("it must not have a fragment"));
    }
    if !uri.username().is_empty() || uri.password().is_some() {
        return Err(refused("it must not have a user name or password"));
    }
    let native = application_type == ApplicationType::Native;
    match uri.scheme() {
        "https" => {
            let public = to_uri(uri).is_some_and(|uri| Reach::Public.check(&uri).is_ok());
            if !public {
                return Err(refused(
                    "its host must be a public DNS name; for development, use `Client::loopback`",
                ));
            }
            if native && uri.origin() != client_id.origin() {
                return Err(refused(
                    "in a native client, with https, it must have the client_id's origin",
                ));
            }
        }
        "http" if !native => {
            return Err(refused(
                "in a web client it must be an https URL; for development, use `Client::loopback`",
            ));
        }
        "http" if !is_loopback(uri) => {
            return Err(refused("with http, its host must be 127.0.0.1 or [::1], not localhost"));
        }
        "http" => {}
        _ if !native => {
            return Err(refused("only a native client may use a private-use scheme"));
        }
        scheme => check_own_scheme(uri, scheme, client_id).map_err(refused)?,
    }
    Ok(())
}

/// Checks a redirect URI that the `client_id` of a loopback client declares.
pub(crate) fn check_loopback(uri: &RedirectUri) -> Result<(), ConfigError> {
    let url = uri.url();
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if bare && url.scheme() == "http" && is_loopback(url) {
        return Ok(());
    }
    let why = "it must be an http URL at 127.0.0.1 or [::1], without user name and fragment";
    Err(ConfigError::RedirectUri { uri: shown(uri.as_str()), why })
}

/// Checks a redirect URI with a private-use scheme: `com.example.app:/callback` for a client whose
/// `client_id` has the host `app.example.com`.
fn check_own_scheme(uri: &Url, scheme: &str, client_id: &Url) -> Result<(), &'static str> {
    let host = client_id.host_str().unwrap_or_default();
    let reversed = host.rsplit('.').collect::<Vec<_>>().join(".");
    if scheme != reversed {
        return Err(
            "its scheme must be the host of the client_id with its labels in reverse order",
        );
    }
    let rest = uri.as_str().strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':'));
    match rest {
        Some(rest) if rest.starts_with('/') && !rest.starts_with("//") => Ok(()),
        _ => Err("exactly one slash must follow its scheme"),
    }
}

/// Whether the host is `127.0.0.1` or `[::1]`. The name `localhost` is not accepted, because name
/// resolution may return another address for it.
fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        Some(Host::Domain(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn redirect_uris_fit_the_kind_of_client() {
        // Rules C-30, C-31, C-32, C-34, C-35
        use ApplicationType::{Native, Web};
        let client_id = url("https://app.example.com/c.json");
        let accepted = |text: &str, kind| check(&url(text).into(), &client_id, kind).is_ok();
        for text in ["https://app.example.com/cb", "https://other.example.com/cb?x=y"] {
            assert!(accepted(text, Web), "{text}");
        }
        for text in [
            "https://app.example.com/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "com.example.app:/cb",
        ] {
            assert!(accepted(text, Native), "{text}");
        }
        for text in [
            "http://app.example.com/cb",
            "http://127.0.0.1/cb",
            "https://localhost/cb",
            "https://app/cb",
            "https://10.0.0.1/cb",
            "https://user@app.example.com/cb",
            "https://app.example.com/cb#x",
            "com.example.app:/cb",
            "javascript:alert(1)",
        ] {
            assert!(!accepted(text, Web), "{text}");
        }
        for text in [
            "https://other.example.com/cb",
            "http://localhost/cb",
            "http://localhost.evil.com/cb",
            "http://127.0.0.2/cb",
            "http://app.example.com/cb",
            "com.example.app://cb",
            "com.example.app:cb",
            "com.example.other:/cb",
            "myapp:/cb",
            "javascript:alert(1)",
        ] {
            assert!(!accepted(text, Native), "{text}");
        }
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
