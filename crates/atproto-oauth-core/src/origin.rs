//! Origins of servers: scheme, host and port, in canonical form.
//!
//! Issuers are compared as strings (RFC 8414 section 3.3), so that an issuer in another form is
//! rejected.

use std::fmt;

use atproto_sansio::{Reach, is_development_host, printable};
use http::Uri;
use http::uri::Authority;
use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;
use url::{Host, Url};

/// Origin of a server in canonical form: `https://host` or `https://host:port`, in lower case,
/// without default port and final slash.
///
/// For development, `http://` with a loopback or `.test` host is allowed, too, if the function that
/// parses the origin gets `development: true`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Origin(String);

/// The rule that a text breaks, so that it is not an [`Origin`].
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum OriginError {
    /// The text is not an absolute URL.
    #[error("it must be a whole URL, such as https://bsky.social")]
    NotAUrl,
    /// The scheme is not `https`, and not `http` with a development host where that is allowed.
    #[error("it must begin with https://")]
    NotHttps,
    /// The host is a loopback address, or a local name with plain http. This is allowed in a
    /// development network only; see
    /// [`ClientBuilder::development`](crate::ClientBuilder::development).
    #[error(
        "its host is for development only: build the client with `ClientBuilder::development`, or \
         give the option --development"
    )]
    Development,
    /// The URL is the page of a profile. Its account is given by the handle alone.
    #[error("it is the page of a profile: give the handle alone, such as alice.bsky.social")]
    ProfilePage,
    /// The URL has more than scheme, host and port: a user name, path, query or fragment.
    #[error("it must have nothing but a scheme, a host and perhaps a port: https://bsky.social")]
    NotAnOrigin,
    /// The text is an origin, but spelled differently from its canonical form. Only
    /// [`Origin::parse_canonical`] requires the canonical form.
    #[error("it is not in canonical form (lower case, no final slash, no default port)")]
    NotCanonical,
    /// The host is an IP address, which is allowed for a loopback address in development only.
    #[error("its host must be a DNS name, not an IP address")]
    IpAddress,
}

impl Origin {
    /// Parses an origin from a user or operator, and normalizes it: a final slash, upper case and a
    /// default port are accepted.
    ///
    /// # Errors
    ///
    /// Any [`OriginError`] except [`NotCanonical`](OriginError::NotCanonical).
    pub fn parse(text: &str, development: bool) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotAUrl)?;
        // `Url::parse` removes tabs and `/..`, and takes backslashes for slashes, so the text is
        // checked, too.
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::NotAUrl)?;
        // `Url::parse` also reads `https:/host`, whose path might contain `://`.
        if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(OriginError::NotAUrl);
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if !authority.bytes().all(|byte| byte.is_ascii_graphic() && !b"/\\?#@".contains(&byte)) {
            let is_profile = url.scheme() == "https" && url.path().starts_with("/profile/");
            return Err(match is_profile {
                true => OriginError::ProfilePage,
                false => OriginError::NotAnOrigin,
            });
        }
        Self::of_url(&url, development)
    }

    /// Parses an origin from a server or from storage: only the canonical form is accepted.
    ///
    /// # Errors
    ///
    /// [`OriginError::NotCanonical`] for an origin in another form, or any other [`OriginError`].
    pub fn parse_canonical(text: &str, development: bool) -> Result<Self, OriginError> {
        let origin = Self::parse(text, development)?;
        if origin.0 == text { Ok(origin) } else { Err(OriginError::NotCanonical) }
    }

    /// Converts a URL that has only an origin, and perhaps a final slash.
    ///
    /// # Errors
    ///
    /// [`OriginError::NotAnOrigin`] if the URL has more than an origin, and
    /// [`NotHttps`](OriginError::NotHttps) or [`IpAddress`](OriginError::IpAddress) if its scheme
    /// or host is not allowed.
    pub fn of_url(url: &Url, development: bool) -> Result<Self, OriginError> {
        let host = url.host().ok_or(OriginError::NotAnOrigin)?;
        let is_name = matches!(host, Host::Domain(_));
        let must_be_local = url.scheme() == "http" || !is_name;
        let is_local = (must_be_local || development) && is_development_host(&host.to_string());
        let is_development = development && is_local;
        if must_be_local && is_local && !development {
            return Err(OriginError::Development);
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && is_development) {
            return Err(OriginError::NotHttps);
        }
        let bare = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(OriginError::NotAnOrigin);
        }
        if !is_name && !is_development {
            return Err(OriginError::IpAddress);
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// Server of a login without an account, unless the client names another.
    pub(crate) fn default_server() -> Self {
        Self("https://bsky.social".to_owned())
    }

    /// Canonical form, for example `https://bsky.social`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `url` has this origin.
    pub fn contains(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.0
    }

    /// Whether `uri`, a URL in normal form, has this origin.
    pub(crate) fn is_origin_of(&self, uri: &Uri) -> bool {
        let (scheme, authority) = (uri.scheme_str(), uri.authority().map(Authority::as_str));
        self.0
            .split_once("://")
            .is_some_and(|own| (Some(own.0), Some(own.1)) == (scheme, authority))
    }
}

/// Returns text that a user or an operator gave, for an error message: printable, and with `…`
/// instead of the user name and password of a URL.
pub(crate) fn shown(text: &str) -> String {
    let start = text.find("://").map_or(0, |index| index + 3);
    let (scheme, rest) = text.split_at(start);
    let Some((user, after)) = rest.rsplit_once('@') else { return printable(text) };
    let user = user.trim_start_matches(['/', '\\']);
    let authority = user.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    // A password may have a slash that is not encoded, so that only the colon tells it from a path.
    // The `@` of a handle or of an e-mail address has no colon before it.
    let is_secret = authority.contains(':') || (start > 0 && authority == user);
    if is_secret { printable(format!("{scheme}…@{after}")) } else { printable(text) }
}

/// Converts a [`Url`] into the [`Uri`] type of `http`; `None` if `http` can't represent it.
pub(crate) fn to_uri(url: &Url) -> Option<Uri> {
    url.as_str().parse().ok()
}

/// Whether an https URL with the host of `url` and with `port` may be requested by any server: its
/// host is a public DNS name. A URL without a host passes, because its scheme is not https.
pub(crate) fn is_public(url: &Url, port: Option<u16>) -> bool {
    let Some(host) = url.host_str() else { return true };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let uri: Result<Uri, _> = format!("https://{host}{port}/").parse();
    uri.is_ok_and(|uri| Reach::Public.check(&uri).is_ok())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    /// Reads a stored origin, also one of a development host. Whether a request to it is allowed is
    /// checked for each request ([`Reach`](atproto_sansio::Reach)).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_canonical(&text, true).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_of_an_origin_is_an_issuer() {
        // Rules B-07, B-22, N-12
        for text in ["https://bsky.social", "https://pds.example.com:8443"] {
            assert_eq!(Origin::parse_canonical(text, false).unwrap().as_str(), text);
        }
        for text in [
            "https://bsky.social/",
            "https://BSKY.social",
            "https://bsky.social:443",
            "https://bsky.social/path",
            "https://bsky.social?",
            "https://bsky.social#",
            "https://user@bsky.social",
            "http://bsky.social",
            "https://1.1.1.1",
            "https://[2606:4700::1111]",
            "bsky.social",
            "javascript:alert(1)",
            "data:text/html,x",
            "",
            "https://",
            " https://bsky.social",
        ] {
            assert!(Origin::parse_canonical(text, false).is_err(), "{text}");
            assert!(Origin::parse_canonical(text, true).is_err(), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_development_hosts_in_development() {
        for text in ["http://localhost:2583", "http://127.0.0.1:1", "http://pds.test"] {
            assert!(Origin::parse_canonical(text, true).is_ok(), "{text}");
            let error = Origin::parse_canonical(text, false);
            assert_eq!(error, Err(OriginError::Development), "{text}");
        }
    }

    #[test]
    fn a_final_slash_and_upper_case_from_a_user_are_normalized() {
        let origin = Origin::parse("HTTPS://BSKY.social:443/", false).unwrap();
        assert_eq!(origin.as_str(), "https://bsky.social");
        // Rule B-58
        for text in [
            "https:/bsky.social",
            "https:/evil.chttps://bsky.social",
            "https://bsky.social//",
            "https://bsky.social/a/..",
            "https://bsky.social/.",
            "https://@bsky.social",
            "https:///bsky.social",
            "https:\\\\bsky.social",
            "https://bs\tky.social",
            "https://bsky.social/?",
        ] {
            assert!(Origin::parse(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_of_an_origin_names_the_way_out() {
        // Rule M-07
        for (text, error, way_out) in [
            ("bsky.social", OriginError::NotAUrl, "https://bsky.social"),
            ("bsky.social:443", OriginError::NotAUrl, "https://bsky.social"),
            ("localhost:2583", OriginError::NotAUrl, "https://bsky.social"),
            ("http://bsky.social", OriginError::NotHttps, "https://"),
            ("https://bsky.app/profile/a.b", OriginError::ProfilePage, "the handle alone"),
            ("https://bsky.social/xrpc", OriginError::NotAnOrigin, "https://bsky.social"),
            ("https://127.0.0.1:8443", OriginError::Development, "--development"),
            ("http://pds.test", OriginError::Development, "`ClientBuilder::development`"),
        ] {
            assert_eq!(Origin::parse(text, false), Err(error), "{text}");
            assert!(error.to_string().contains(way_out), "{text}: {error}");
        }
    }

    #[test]
    fn an_error_never_shows_the_password_of_a_url() {
        // Rule K-05
        for text in [
            "https://user:secret@pds.example.com",
            "https://secret@pds.example.com/x",
            "https://user:sec/ret@pds.example.com",
            "https://user:secret@pds@pds.example.com",
            "https://user:secret?#@pds.example.com",
            "https://user:1/secret@pds.example.com",
            "https:\\\\user:secret@pds.example.com",
            "https:/user:secret@pds.example.com",
            "https:user:secret@pds.example.com",
            "//user:secret@pds.example.com",
            "user:secret@pds.example.com",
            "HTTP://user:123@pds.example.com",
        ] {
            let shown = shown(text);
            assert!(shown.contains("…@pds.example.com"), "{text}: {shown}");
            assert!(!shown.contains("sec") && !shown.contains("123"), "{text}: {shown}");
        }
        for text in [
            "alice@example.com",
            "@alice.example.com",
            "https://bsky.app/profile/@alice",
            "at://did:plc:x/y",
            "",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
