//! Names as requests write them.

use url::Url;

/// An origin in lower case, without a slash after it and without the default port.
///
/// # Panics
///
/// It is not one: `https://pds.example.com`.
pub(crate) fn canonical(origin: &str) -> String {
    let is_origin = |url: &Url| {
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        is_bare && is_web && url.username().is_empty() && url.password().is_none()
    };
    let url = Url::parse(origin).ok().filter(is_origin);
    let url = url.expect("an origin is http or https, a host, and perhaps a port");
    url.origin().ascii_serialization()
}

/// A host in lower case, with a port that is not the default.
///
/// # Panics
///
/// It is not one: `pds.example.com`, `localhost:2583`.
pub(crate) fn canonical_host(host: &str) -> String {
    // No host uses the default port of the other scheme.
    let host = host.trim_end_matches('/');
    let host = host.strip_suffix(":80").unwrap_or(host);
    canonical(&format!("https://{host}")).replacen("https://", "", 1)
}

/// The host of a `did:web`, as in the DID.
///
/// # Panics
///
/// It is not one: `example.com`, `localhost%3A2583`.
pub(crate) fn canonical_did_web(host: &str) -> String {
    let host = host.replace("%3a", ":").replace("%3A", ":");
    canonical_host(&host).replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_requests_name_it() {
        for written in ["HTTPS://PDS.Example.dev:443/", "https://pds.example.dev"] {
            assert_eq!(canonical(written), "https://pds.example.dev");
        }
        assert_eq!(canonical("http://localhost:2583/"), "http://localhost:2583");
    }

    #[test]
    fn a_host_is_read_as_requests_name_it() {
        for written in ["PDS.Example.dev:443/", "pds.example.dev:80", "pds.example.dev"] {
            assert_eq!(canonical_host(written), "pds.example.dev");
        }
        assert_eq!(canonical_host("[::1]:8080"), "[::1]:8080");
        assert_eq!(canonical_did_web("LOCALHOST%3a2583"), "localhost%3A2583");
    }

    #[test]
    #[should_panic(expected = "an origin is http or https, a host, and perhaps a port")]
    fn an_origin_has_no_path() {
        canonical("https://pds.example.dev/xrpc");
    }

    #[test]
    #[should_panic(expected = "an origin is http or https, a host, and perhaps a port")]
    fn a_host_alone_is_no_origin() {
        canonical("pds.example.dev");
    }
}
