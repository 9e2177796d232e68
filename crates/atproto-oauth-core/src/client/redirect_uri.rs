//! The rules of redirect URIs, the URLs that an authorization server may redirect a browser to.
//!
//! atproto OAuth, «Request Fields» and «Native Clients»; RFC 8252 section 7.

use atproto_sansio::Reach;
use url::{Host, Url};

use crate::error::ConfigError;
use crate::origin::to_uri;

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

/// Checks a redirect URI that a client declares in its metadata.
pub(crate) fn check(
    uri: &Url,
    client_id: &Url,
    application_type: ApplicationType,
) -> Result<(), ConfigError> {
    let refused = |why| ConfigError::RedirectUri { uri: uri.to_string(), why };
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
                return Err(refused("its host must be a public DNS name"));
            }
            if native && uri.origin() != client_id.origin() {
                return Err(refused(
                    "in a native client, with https, it must have the client_id's origin",
                ));
            }
        }
        "http" if !native => return Err(refused("in a web client it must be an https URL")),
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

/// Whether a requested redirect URI equals the declared one. If the declared URI is a loopback
/// address without a port, the requested URI may have any port (RFC 8252 section 7.3).
pub(crate) fn matches(declared: &Url, requested: &Url) -> bool {
    let mut requested = requested.clone();
    let free = is_loopback(declared) && declared.port().is_none();
    if free && requested.set_port(None).is_err() {
        return false;
    }
    *declared == requested
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
        let accepted = |text: &str, kind| check(&url(text), &client_id, kind).is_ok();
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
        let free = url("http://127.0.0.1/cb");
        for same in ["http://127.0.0.1/cb", "http://127.0.0.1:1234/cb"] {
            assert!(matches(&free, &url(same)), "{same}");
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
            assert!(!matches(&free, &url(other)), "{other}");
        }
        let fixed = url("http://127.0.0.1:7777/cb");
        assert!(!matches(&fixed, &url("http://127.0.0.1:7778/cb")));
        let web = url("https://app.example.com/cb");
        assert!(!matches(&web, &url("https://app.example.com:8443/cb")));
    }
}
