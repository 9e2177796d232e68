//! The rules of redirect URIs, the URLs that an authorization server may redirect a browser to.
//!
//! atproto OAuth, «Request Fields» and «Native Clients»; RFC 8252 section 7.

use url::{Host, Url};

use crate::client::lint::code::{Broken, FindingCode};
use crate::client::redirect_uri::ApplicationType;
use crate::origin::is_public;

/// The client that declares a redirect URI.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Declarer<'a> {
    /// A client that publishes its metadata. Without a readable `client_id`, no rule compares the
    /// redirect URI with it.
    Published { client_id: Option<&'a Url>, application_type: ApplicationType },
    /// A loopback client.
    Loopback,
}

/// All rules that a redirect URI breaks which a client declares, also in its spelling.
pub(crate) fn check_text(text: &str, declarer: Declarer<'_>) -> Vec<Broken> {
    let Ok(url) = Url::parse(text) else { return vec![NOT_URL] };
    let mut broken: Vec<_> = check_spelling(text, &url).into_iter().collect();
    broken.extend(check(&url, declarer));
    broken
}

/// The rule that the spelling of a redirect URI breaks.
pub(super) fn check_spelling(text: &str, url: &Url) -> Option<Broken> {
    let without_port = text.replacen(":80", "", usize::from(url.scheme() == "http"));
    let canonical = |text: &str| text == url.as_str() || format!("{text}/") == url.as_str();
    if canonical(text) || canonical(&without_port) {
        return None;
    }
    let is_default_port = url.scheme() == "https" && canonical(&text.replacen(":443", "", 1));
    Some(if is_default_port { DEFAULT_PORT } else { NOT_CANONICAL })
}

/// All rules that the parts of a redirect URI break.
pub(super) fn check(uri: &Url, declarer: Declarer<'_>) -> Vec<Broken> {
    let mut broken = Vec::new();
    if uri.fragment().is_some() {
        broken.push(FRAGMENT);
    }
    if !uri.username().is_empty() || uri.password().is_some() {
        broken.push(USERINFO);
    }
    broken.extend(match declarer {
        Declarer::Loopback => check_loopback(uri),
        Declarer::Published { application_type: ApplicationType::Web, .. } => check_web(uri),
        Declarer::Published { client_id, application_type: ApplicationType::Native } => {
            check_native(uri, client_id)
        }
    });
    broken
}

/// Checks scheme and host of a redirect URI of a web client.
fn check_web(uri: &Url) -> Option<Broken> {
    match uri.scheme() {
        "https" => check_https(uri),
        "http" if is_localhost(uri) => Some(LOCALHOST),
        "http" if is_loopback(uri) => Some(LOOPBACK_ON_WEB),
        "http" => Some(HTTP_ON_WEB),
        scheme if is_foreign_scheme(scheme) => Some(BAD_SCHEME),
        _ => Some(CUSTOM_SCHEME_ON_WEB),
    }
}

/// Checks scheme and host of a redirect URI of a native client.
fn check_native(uri: &Url, client_id: Option<&Url>) -> Option<Broken> {
    match uri.scheme() {
        "https" => check_https(uri).or_else(|| {
            let is_other = client_id.is_some_and(|id| uri.origin() != id.origin());
            is_other.then_some(NATIVE_HTTPS_OTHER_ORIGIN)
        }),
        "http" if is_localhost(uri) => Some(LOCALHOST),
        "http" if is_loopback(uri) => None,
        "http" => Some(HTTP_NON_LOOPBACK),
        scheme if is_foreign_scheme(scheme) => Some(BAD_SCHEME),
        scheme => check_own_scheme(uri, scheme, client_id),
    }
}

/// Checks scheme and host of a redirect URI that the `client_id` of a loopback client declares.
fn check_loopback(uri: &Url) -> Option<Broken> {
    match uri.scheme() {
        "http" | "https" if is_localhost(uri) => Some(LOCALHOST),
        "http" if is_loopback(uri) => None,
        "http" => Some(HTTP_NON_LOOPBACK),
        "https" if is_loopback(uri) => Some(LOOPBACK_HTTPS),
        _ => Some(NOT_LOOPBACK),
    }
}

/// Checks the host of an https URL.
fn check_https(uri: &Url) -> Option<Broken> {
    if is_localhost(uri) {
        return Some(LOCALHOST);
    }
    if is_loopback(uri) {
        return Some(LOOPBACK_HTTPS);
    }
    (!is_public(uri, uri.port())).then_some(NOT_PUBLIC)
}

/// Checks a redirect URI with a private-use scheme: `com.example.app:/callback` for a client whose
/// `client_id` has the host `app.example.com`.
fn check_own_scheme(uri: &Url, scheme: &str, client_id: Option<&Url>) -> Option<Broken> {
    if !scheme.contains('.') {
        return Some(CUSTOM_SCHEME_NO_DOT);
    }
    if client_id.is_some_and(|id| reversed(id) != scheme) {
        return Some(CUSTOM_SCHEME_MISMATCH);
    }
    let rest = uri.as_str().strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':'));
    match rest {
        Some(rest) if rest.starts_with("//") => Some(CUSTOM_SCHEME_DOUBLE_SLASH),
        Some(rest) if rest.starts_with('/') => None,
        Some(_) | None => Some(CUSTOM_SCHEME_NO_SLASH),
    }
}

/// The labels of the host in reverse order: the private-use scheme of a client.
fn reversed(client_id: &Url) -> String {
    let host = client_id.host_str().unwrap_or_default();
    host.rsplit('.').collect::<Vec<_>>().join(".")
}

/// Whether browsers or operating systems give the scheme a meaning of its own.
fn is_foreign_scheme(scheme: &str) -> bool {
    FOREIGN_SCHEMES.contains(&scheme)
}

/// Whether the host is the name `localhost`, or a name within it.
fn is_localhost(uri: &Url) -> bool {
    let host = uri.host_str().unwrap_or_default();
    host == "localhost" || host.ends_with(".localhost")
}

/// Whether the host is `127.0.0.1` or `[::1]`. The name `localhost` is not accepted, because name
/// resolution may return another address for it.
pub(super) fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        Some(Host::Domain(_)) | None => false,
    }
}

/// Schemes that never lead to a program which a client could register.
const FOREIGN_SCHEMES: [&str; 16] = [
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "javascript",
    "mailto",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

pub(super) const NOT_URL: Broken = Broken::new(FindingCode::RedirectUriNotUrl, "it is not a URL");
const DEFAULT_PORT: Broken = Broken::new(
    FindingCode::RedirectUriDefaultPort,
    "it is not in canonical form: it must not have the port 443, which is the default",
);
const NOT_CANONICAL: Broken = Broken::new(
    FindingCode::RedirectUriNotCanonical,
    "it is not in canonical form (lower-case host, no port 443, no `..`, only ASCII)",
);
const FRAGMENT: Broken =
    Broken::new(FindingCode::RedirectUriFragment, "it must not have a fragment");
const USERINFO: Broken =
    Broken::new(FindingCode::RedirectUriUserinfo, "it must not have a user name or password");
const NOT_PUBLIC: Broken = Broken::new(
    FindingCode::RedirectUriNotPublic,
    "its host must be a public DNS name; for development, use `Client::loopback`",
);
const LOCALHOST: Broken = Broken::new(
    FindingCode::RedirectUriLocalhost,
    "localhost may resolve to any address: with http, its host must be 127.0.0.1 or [::1], not \
     localhost, in a native client or `Client::loopback`",
);
const LOOPBACK_HTTPS: Broken = Broken::new(
    FindingCode::RedirectUriLoopbackHttps,
    "at a loopback address it must be an http URL, in a native client or `Client::loopback`",
);
const LOOPBACK_ON_WEB: Broken = Broken::new(
    FindingCode::RedirectUriLoopbackOnWeb,
    "in a web client it must be an https URL of a public host; for development, use \
     `Client::loopback`, and for a program on the user's device `Client::native`",
);
const HTTP_ON_WEB: Broken = Broken::new(
    FindingCode::RedirectUriHttpNonLoopback,
    "in a web client it must be an https URL; for development, use `Client::loopback`",
);
const HTTP_NON_LOOPBACK: Broken = Broken::new(
    FindingCode::RedirectUriHttpNonLoopback,
    "with http, its host must be 127.0.0.1 or [::1], not localhost or another host",
);
const NOT_LOOPBACK: Broken = Broken::new(
    FindingCode::RedirectUriNotLoopback,
    "in a loopback client it must be an http URL at 127.0.0.1 or [::1]",
);
const BAD_SCHEME: Broken = Broken::new(
    FindingCode::RedirectUriBadScheme,
    "its scheme leads back to no client: use an https URL, or in a native client also an http URL \
     at 127.0.0.1 or [::1], or the reversed host of the client_id as its scheme",
);
const CUSTOM_SCHEME_ON_WEB: Broken = Broken::new(
    FindingCode::RedirectUriCustomSchemeOnWeb,
    "only a native client may use a private-use scheme",
);
const CUSTOM_SCHEME_MISMATCH: Broken = Broken::new(
    FindingCode::RedirectUriCustomSchemeMismatch,
    "its scheme must be the host of the client_id with its labels in reverse order",
);
const CUSTOM_SCHEME_NO_DOT: Broken = Broken::new(
    FindingCode::RedirectUriCustomSchemeNoDot,
    "its scheme has no dot: it must be the host of the client_id with its labels in reverse order",
);
const CUSTOM_SCHEME_DOUBLE_SLASH: Broken = Broken::new(
    FindingCode::RedirectUriCustomSchemeDoubleSlash,
    "exactly one slash must follow its scheme, not two, because it has no host",
);
const CUSTOM_SCHEME_NO_SLASH: Broken = Broken::new(
    FindingCode::RedirectUriCustomSchemeNoSlash,
    "exactly one slash must follow its scheme",
);
const NATIVE_HTTPS_OTHER_ORIGIN: Broken = Broken::new(
    FindingCode::RedirectUriNativeHttpsOtherOrigin,
    "in a native client, with https, it must have the client_id's origin",
);

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
        let accepted = |text: &str, application_type| {
            let client_id = Some(&client_id);
            check(&url(text), Declarer::Published { client_id, application_type }).is_empty()
        };
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
}
