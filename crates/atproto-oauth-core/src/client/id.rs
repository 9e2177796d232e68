//! The `client_id`: the https URL at which a client serves its metadata document.
//!
//! atproto OAuth, «Clients» and «Client ID Metadata Document».

use url::{Host, Url};

use crate::client::lint::code::{Broken, FindingCode};
use crate::error::ConfigError;
use crate::origin::{is_public, shown};

/// Parses and checks a `client_id` that is an https URL.
pub(crate) fn parse(text: &str) -> Result<Url, ConfigError> {
    match check(text) {
        (Some(url), broken) if broken.is_empty() => Ok(url),
        (_, broken) => {
            let why = broken.first().unwrap_or(&NOT_URL).why;
            Err(ConfigError::ClientId { client_id: shown(text), why })
        }
    }
}

/// Reads a `client_id`, and returns the URL and all rules that it breaks. Without a URL, the only
/// broken rule is [`NOT_URL`].
pub(crate) fn check(text: &str) -> (Option<Url>, Vec<Broken>) {
    let Ok(url) = Url::parse(text) else { return (None, vec![NOT_URL]) };
    let spelling = Spelling::of(text);
    let mut broken = Vec::new();
    let mut rule = |is_broken: bool, rule| {
        if is_broken {
            broken.push(rule);
        }
    };
    rule(url.scheme() != "https", NOT_HTTPS);
    rule(!url.username().is_empty() || url.password().is_some(), USERINFO);
    rule(url.port().is_some() || spelling.has_port, PORT);
    rule(url.fragment().is_some(), FRAGMENT);
    rule(url.path().is_empty() || url.path() == "/", NO_PATH);
    rule(url.path() != "/" && url.path().ends_with('/'), TRAILING_SLASH);
    rule(spelling.has_dot_segments, DOT_SEGMENTS);
    // Another rule may have found the reason why the spelling is not canonical.
    let is_explained = spelling.has_port || spelling.has_dot_segments || url.path() == "/";
    rule(url.as_str() != text && !is_explained, NOT_CANONICAL);
    let is_name = matches!(url.host(), Some(Host::Domain(_)));
    rule(!is_name, IP_HOST);
    rule(is_name && !is_public(&url, None), LOCAL_HOST);
    (Some(url), broken)
}

/// Parts of a `client_id` that [`Url`] removes.
struct Spelling {
    has_port: bool,
    has_dot_segments: bool,
}

impl Spelling {
    fn of(text: &str) -> Self {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (rest, _) = rest.split_at(end);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        // The colons of an IPv6 address are in brackets.
        let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
        let is_dots = |segment: &str| {
            matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
        };
        Self {
            has_port: after_address.contains(':'),
            has_dot_segments: path.split('/').any(is_dots),
        }
    }
}

const NOT_URL: Broken = Broken::new(
    FindingCode::ClientIdNotUrl,
    "it must be the whole URL at which the client serves its metadata, such as \
     https://app.example.com/oauth-client-metadata.json",
);
const NOT_HTTPS: Broken = Broken::new(
    FindingCode::ClientIdNotHttps,
    "it must be an https URL, also in development: without a public server, use \
     `Client::loopback`",
);
const USERINFO: Broken =
    Broken::new(FindingCode::ClientIdHasUserinfo, "it must not have a user name or password");
const PORT: Broken =
    Broken::new(FindingCode::ClientIdHasPort, "it must not have a port, not even the default port");
const FRAGMENT: Broken =
    Broken::new(FindingCode::ClientIdHasFragment, "it must not have a fragment");
const IP_HOST: Broken = Broken::new(
    FindingCode::ClientIdIpHost,
    "its host must be a DNS name; for development, use `Client::loopback`",
);
const NO_PATH: Broken = Broken::new(
    FindingCode::ClientIdNoPath,
    "it must have a path, such as /oauth-client-metadata.json",
);
const TRAILING_SLASH: Broken = Broken::new(
    FindingCode::ClientIdTrailingSlash,
    "its path must not end in a slash; a path such as /oauth-client-metadata.json does not",
);
const DOT_SEGMENTS: Broken = Broken::new(
    FindingCode::ClientIdDotSegments,
    "its path must not have a segment `.` or `..`: write the path that remains without them",
);
// Servers compare the `client_id` as a string, so only its canonical spelling is accepted.
const NOT_CANONICAL: Broken = Broken::new(
    FindingCode::ClientIdNotCanonical,
    "it is not in canonical form (lower-case host, only ASCII, no white space)",
);
const LOCAL_HOST: Broken = Broken::new(
    FindingCode::ClientIdLocalHost,
    "its host is a local or reserved name, which no authorization server can reach: use a \
     public name, or `Client::loopback` for development",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_an_https_url_with_a_path() {
        // Rule C-03
        for text in
            ["https://app.example.com/oauth-client-metadata.json", "https://app.example.com/c?v=1"]
        {
            assert_eq!(parse(text).unwrap().as_str(), text);
        }
        for text in [
            "app.example.com/c.json",
            "http://app.example.com/c.json",
            "https://app.example.com",
            "https://app.example.com/",
            "https://app.example.com/c/",
            "https://app.example.com/a/../c.json",
            "https://app.example.com/./c.json",
            "https://APP.example.com/c.json",
            "https://app.example.com:443/c.json",
            "https://app.example.com:8443/c.json",
            "https://user@app.example.com/c.json",
            "https://app.example.com/c.json#x",
            "https://127.0.0.1/c.json",
            "https://[::1]/c.json",
            "https://localhost/c.json",
            "https://app/c.json",
            "https://app.local/c.json",
            "https://app.test/c.json",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_of_a_local_client_id_names_the_way_to_develop() {
        // Rule C-03
        for text in [
            "http://localhost/c.json",
            "http://127.0.0.1:3000/c.json",
            "http://app.test/c.json",
            "https://localhost/c.json",
            "https://127.0.0.1/c.json",
            "https://app.test/c.json",
            "https://app.example/c.json",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("`Client::loopback`"), "{error}");
        }
        let error = parse("app.example.com/c.json").unwrap_err().to_string();
        assert!(error.contains("https://app.example.com/oauth-client-metadata.json"), "{error}");
        let error = parse("https://user:secret@app.example.com/c.json").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn all_broken_rules_of_a_client_id_are_found_and_each_has_one_code() {
        // Rule C-03
        let codes = |text: &str| -> Vec<_> {
            check(text).1.into_iter().map(|broken| broken.code.as_str()).collect()
        };
        for (text, expected) in [
            ("app.example.com/c.json", vec!["client_id_not_url"]),
            ("https://app.example.com:443/c", vec!["client_id_has_port"]),
            ("https://app.example.com:8443/c", vec!["client_id_has_port"]),
            ("https://app.example.com", vec!["client_id_no_path"]),
            ("https://app.example.com/a/%2E./c", vec!["client_id_dot_segments"]),
            ("https://app.example.com/c?x=/../y", vec![]),
            ("https://app.example.com/c d", vec!["client_id_not_canonical"]),
            ("https://[::1]/c", vec!["client_id_ip_host"]),
            ("https://localhost:8443/c", vec!["client_id_has_port", "client_id_local_host"]),
            (
                "http://u@app.test/c/#x",
                vec![
                    "client_id_not_https",
                    "client_id_has_userinfo",
                    "client_id_has_fragment",
                    "client_id_trailing_slash",
                    "client_id_local_host",
                ],
            ),
        ] {
            assert_eq!(codes(text), expected, "{text}");
        }
    }
}
