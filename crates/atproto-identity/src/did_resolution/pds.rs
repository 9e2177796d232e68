//! [`origin`]: checks the service endpoint of an account's server (PDS).
//!
//! Metadata requests, tokens and API requests go to the returned URL. For this reason it must be an
//! origin (scheme, host, port), and the network policy must allow it.
//!
//! atproto DID, «DID Documents».

use atproto_sansio::{Reach, is_development_host};
use http::Uri;
use url::Url;

use crate::request::forbidden_host;

/// Parses `endpoint` as an origin. The error is the rule that `endpoint` breaks.
pub(crate) fn origin(endpoint: &str, development: bool) -> Result<Url, &'static str> {
    let plain = |c: char| c.is_ascii_graphic() && !"\\?#@".contains(c);
    if !endpoint.chars().all(plain) {
        return Err("only scheme, host and port are allowed");
    }
    // `Url::parse` also reads `https:/host`, whose path might contain `://`.
    let is_scheme = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Some((_, rest)) = endpoint.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err("it is not a URL");
    };
    // This check comes before `Url::parse`, because the parser would reduce `/a/..` to `/`.
    if rest.strip_suffix('/').unwrap_or(rest).contains('/') {
        return Err("only scheme, host and port are allowed");
    }
    let url = Url::parse(endpoint).map_err(|_| "it is not a URL")?;
    let uri: Uri = url.as_str().parse().map_err(|_| "it is not a URL")?;
    match Reach::untrusted(development).check(&uri) {
        Ok(()) => Ok(url),
        Err(_)
            if Reach::Development.check(&uri).is_ok()
                && url.host_str().is_some_and(is_development_host) =>
        {
            Err("a server of a development network needs `development()`")
        }
        Err(rule) => Err(rule.reason),
    }
}

/// Whether the network policy forbids the host of `endpoint`, for example because it is an address.
pub(crate) fn is_forbidden(endpoint: &str, development: bool) -> bool {
    Url::parse(endpoint).is_ok_and(|url| forbidden_host(&url, development).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_origin() {
        // Rules A-72, N-13
        for (endpoint, url) in [
            ("https://pds.example.com", "https://pds.example.com/"),
            ("https://pds.example.com/", "https://pds.example.com/"),
            ("https://PDS.Example.com:443", "https://pds.example.com/"),
            ("https://pds.example.com:8443", "https://pds.example.com:8443/"),
        ] {
            assert_eq!(origin(endpoint, false).unwrap().as_str(), url);
        }
        for endpoint in [
            "",
            "pds.example.com",
            "https:pds.example.com",
            "https:/pds.example.com",
            "https:/pds.example.com://x",
            "https:/pds.example.chttps://pds.example.com",
            "https://",
            "http://pds.example.com",
            "ftp://pds.example.com",
            "https://pds.example.com/xrpc",
            "https://pds.example.com//",
            "https://pds.example.com/.",
            "https://pds.example.com/a/..",
            "https:///pds.example.com",
            "https://pds.example.com?",
            "https://pds.example.com#",
            "https://user@pds.example.com",
            "https://@pds.example.com",
            "https:\\\\pds.example.com",
            " https://pds.example.com",
            "https://pds.exa\tmple.com",
            "https://pds.example.com\n",
            "https://pds.example\u{ff0e}com",
            "https://127.0.0.1",
            "https://2130706433",
            "https://[::1]",
            "https://localhost",
            "https://pds.local",
            "https://pds.test",
            "https://pds.example.com:22",
            r#"{"uri":"https://pds.example.com"}"#,
        ] {
            assert!(origin(endpoint, false).is_err(), "{endpoint:?}");
        }
    }

    #[test]
    fn plain_http_is_for_development_hosts() {
        for endpoint in ["http://localhost:2583", "http://127.0.0.1:1", "http://pds.test"] {
            assert!(origin(endpoint, true).is_ok());
            let refused = origin(endpoint, false).unwrap_err();
            assert!(refused.contains("`development()`"), "{refused}");
        }
        assert!(origin("http://pds.example.com", true).is_err());
    }
}
