//! How far a request may reach: the part of the network policy that needs no network.

use std::net::IpAddr;

use http::Uri;
use url::Host;

use crate::driver::address::is_public;
use crate::error::Rule;

/// Who chose the URL of a request, and so where it may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a transport must decide on each of them")]
pub enum Reach {
    /// A stranger: it came from a user or from the network.
    ///
    /// The driver checks every resolved address with [`is_public`](crate::is_public), refuses the
    /// call if one of them is not, and connects to a checked address.
    Public,
    /// The operator of this program wrote it; it may name a private host.
    Configured,
    /// A stranger, but within a development network: loopback, plain http and `.test` allowed.
    ///
    /// A driver performs it only if it was itself built for development.
    Development,
}

impl Reach {
    /// The reach of a URL that came from a user or from the network.
    pub fn untrusted(development: bool) -> Self {
        if development { Self::Development } else { Self::Public }
    }

    /// Checks everything about `uri` that can be known before a name is resolved.
    ///
    /// The engine does this for every HTTP call, so a driver has only addresses to check.
    ///
    /// # Errors
    ///
    /// The rule that `uri` breaks.
    pub fn check(self, uri: &Uri) -> Result<(), Rule> {
        let host = uri.host().unwrap_or_default();
        let broken = match self {
            Self::Public => public_rule(uri, host),
            Self::Configured => scheme_rule(uri, true),
            Self::Development => scheme_rule(uri, is_development_host(host)),
        };
        let broken = broken.or_else(|| authority_rule(uri));
        match broken {
            Some(reason) => Err(Rule { host: host.to_owned(), address: None, reason }),
            None => Ok(()),
        }
    }

    /// Checks the addresses that `host` resolved to, or the one that it is.
    ///
    /// One address that is not public condemns a [`Public`](Self::Public) host, because its owner
    /// decides which of them is connected to. The driver must then connect to one of `addresses`
    /// and resolve nothing a second time.
    ///
    /// ```
    /// use atproto_sansio::Reach;
    ///
    /// let addresses = ["1.1.1.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
    /// let rule = Reach::Public.check_addresses("pds.example.com", &addresses).unwrap_err();
    /// assert_eq!(rule.address, Some(addresses[1]));
    /// assert!(Reach::Configured.check_addresses("pds.example.com", &addresses).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// The rule, with the first address that breaks it.
    pub fn check_addresses(self, host: &str, addresses: &[IpAddr]) -> Result<(), Rule> {
        match self {
            Self::Public => match addresses.iter().find(|address| !is_public(**address)) {
                Some(address) => Err(Rule {
                    host: host.to_owned(),
                    address: Some(*address),
                    reason: "the host resolves to an address that is not public",
                }),
                None => Ok(()),
            },
            Self::Configured | Self::Development => Ok(()),
        }
    }
}

/// Whether plain http to `host` is acceptable in development: loopback, `localhost`, `.test`.
pub fn is_development_host(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => {
            let last = name.rsplit('.').next().unwrap_or_default();
            last == "localhost" || last == "test"
        }
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

fn authority_rule(uri: &Uri) -> Option<&'static str> {
    let Some(authority) = uri.authority() else { return Some("the URL has no host") };
    if authority.as_str().contains('@') {
        return Some("the URL carries a user name or password");
    }
    // A port that is not a number below 65536 is no port to the parser.
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    (!after_host.is_empty() && authority.port_u16().is_none()).then_some("the port is not one")
}

fn scheme_rule(uri: &Uri, http_allowed: bool) -> Option<&'static str> {
    match uri.scheme_str() {
        Some("https") => None,
        Some("http") if http_allowed => None,
        Some("http") => Some("plain http is only allowed to a development host"),
        _ => Some("only https URLs are allowed"),
    }
}

fn public_rule(uri: &Uri, host: &str) -> Option<&'static str> {
    if uri.scheme_str() != Some("https") {
        return Some("only https URLs are allowed");
    }
    let Ok(Host::Domain(name)) = Host::parse(host) else {
        return Some("an IP address is not allowed here, a DNS name is");
    };
    if uri.port_u16().is_some_and(|port| port != 443 && port < 1024) {
        return Some("only port 443 and ports from 1024 on are allowed");
    }
    local_name_rule(name.trim_end_matches('.'))
}

/// Names that have no place in the public DNS, refused before anything is resolved.
fn local_name_rule(name: &str) -> Option<&'static str> {
    if !name.contains('.') {
        return Some("a single-label name is a local one");
    }
    LOCAL_SUFFIXES
        .iter()
        .any(|suffix| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
        .then_some("the name is reserved for local or special use")
}

/// RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476, and what home routers use.
const LOCAL_SUFFIXES: [&str; 13] = [
    "alt",
    "arpa",
    "corp",
    "example",
    "home",
    "home.arpa",
    "internal",
    "invalid",
    "lan",
    "local",
    "localhost",
    "onion",
    "test",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reach: Reach, text: &str) -> bool {
        reach.check(&text.parse().unwrap()).is_err()
    }

    #[test]
    fn public_means_https_to_a_public_name() {
        for url in ["https://pds.example.com/x", "https://bsky.social", "https://a.b:8443/y?z"] {
            assert!(!refused(Reach::Public, url), "{url}");
        }
        // Rules J-02, J-05, J-11, N-13
        for url in [
            "http://pds.example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://8.8.8.8/",
            "https://127.0.0.1./",
            "https://localhost/",
            "https://printer/",
            "https://pds.local/",
            "https://pds.test/",
            "https://pds.test./",
            "https://metadata.google.internal/",
            "https://router.home.arpa/",
            "https://user@pds.example.com/",
            "https://pds.example.com:22/",
            "https://pds.example.com:80/",
            "https://pds.example.com:99999/",
            "/no/host",
        ] {
            assert!(refused(Reach::Public, url), "{url}");
        }
    }

    #[test]
    fn development_allows_plain_http_to_development_hosts_only() {
        for url in [
            "http://localhost:2583/",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://alice.test/",
            "https://pds.example.com/",
        ] {
            assert!(!refused(Reach::Development, url), "{url}");
        }
        for url in ["http://pds.example.com/", "http://localhost.evil.com/", "http://10.0.0.1/"] {
            assert!(refused(Reach::Development, url), "{url}");
        }
    }

    #[test]
    fn one_private_address_condemns_a_public_name() {
        // Rule J-06
        let addresses = ["1.1.1.1", "2606:4700::1", "10.0.0.1"].map(|text| text.parse().unwrap());
        let rule = Reach::Public.check_addresses("a.example", &addresses).unwrap_err();
        assert_eq!((rule.host.as_str(), rule.address), ("a.example", Some(addresses[2])));
        assert!(Reach::Public.check_addresses("a.example", &addresses[..2]).is_ok());
        for reach in [Reach::Configured, Reach::Development] {
            assert!(reach.check_addresses("a.example", &addresses).is_ok());
        }
    }

    #[test]
    fn an_operator_may_name_any_host() {
        assert!(!refused(Reach::Configured, "http://plc.internal:2582/"));
        assert!(refused(Reach::Configured, "ftp://plc.internal/"));
        assert!(refused(Reach::Configured, "https://user:pass@plc.internal/"));
    }
}
