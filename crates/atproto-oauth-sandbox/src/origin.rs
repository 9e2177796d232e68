//! Canonical forms of origins and hosts, in which configured names and requests are compared.

use url::Url;

/// Returns the canonical form of an origin: lower case, without a trailing slash and without the
/// default port.
///
/// # Panics
///
/// Panics if `origin` is not an origin, like `https://pds.example.com`.
pub(crate) fn canonical(origin: &str) -> String {
    let is_origin = |url: &Url| {
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        is_bare && is_web && url.username().is_empty() && url.password().is_none()
    };
    let url = Url::parse(origin).ok().filter(is_origin);
    let url = url.expect("an origin is http or https, a host, an optional port, and nothing else");
    url.origin().ascii_serialization()
}

/// Returns the canonical form of a host: lower case, and without the port if it is 80 or 443.
///
/// # Panics
///
/// Panics if `host` is not a host with an optional port, like `pds.example.com` or
/// `localhost:2583`.
pub(crate) fn canonical_host(host: &str) -> String {
    // The scheme is unknown, so the default ports of both schemes are removed. This is safe,
    // because no host of the network has the default port of the scheme that it does not use.
    let host = host.trim_end_matches('/');
    let host = host.strip_suffix(":80").unwrap_or(host);
    canonical(&format!("https://{host}")).replacen("https://", "", 1)
}

/// Returns the canonical form of the host of a `did:web`, with the colon of a port as `%3A`, as in
/// the DID.
///
/// # Panics
///
/// Panics if `host` is not the host of a `did:web`, like `example.com` or `localhost%3A2583`.
pub(crate) fn canonical_did_web(host: &str) -> String {
    let host = host.replace("%3a", ":").replace("%3A", ":");
    canonical_host(&host).replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_gets_its_form_in_requests() {
        for written in ["HTTPS://PDS.Example.dev:443/", "https://pds.example.dev"] {
            assert_eq!(canonical(written), "https://pds.example.dev");
        }
        assert_eq!(canonical("http://localhost:2583/"), "http://localhost:2583");
    }

    #[test]
    fn a_host_gets_its_form_in_requests() {
        for written in ["PDS.Example.dev:443/", "pds.example.dev:80", "pds.example.dev"] {
            assert_eq!(canonical_host(written), "pds.example.dev");
        }
        assert_eq!(canonical_host("[::1]:8080"), "[::1]:8080");
        assert_eq!(canonical_did_web("LOCALHOST%3a2583"), "localhost%3A2583");
    }

    #[test]
    #[should_panic(
        expected = "an origin is http or https, a host, an optional port, and nothing else"
    )]
    fn an_origin_with_a_path_is_refused() {
        canonical("https://pds.example.dev/xrpc");
    }

    #[test]
    #[should_panic(
        expected = "an origin is http or https, a host, an optional port, and nothing else"
    )]
    fn an_origin_without_a_scheme_is_refused() {
        canonical("pds.example.dev");
    }
}
