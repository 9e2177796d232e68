//! [`Reach`]: the network policy of a request, as far as it can be checked without network access.

use std::borrow::Cow;
use std::net::IpAddr;

use http::Uri;
use url::Host;

use crate::driver::address::is_public;
use crate::error::Rule;
use crate::normal::is_plain_name;

/// Origin of the URL of a request, which decides the hosts and addresses that it may go to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a transport must decide on each of them")]
pub enum Reach {
    /// Untrusted URL: it came from a user or from a server. Only https to public DNS names.
    ///
    /// The driver checks every resolved address with [`is_public`](crate::is_public). If one
    /// address is not public, the driver refuses the call. The driver connects only to a checked
    /// address.
    Public,
    /// Trusted URL from the configuration of this program. Plain http and private hosts are
    /// allowed.
    Configured,
    /// Untrusted URL in a development network. Loopback addresses, `localhost` and `.test` names
    /// are allowed, with plain http.
    ///
    /// A driver performs such a call only if it was built for development networks; otherwise it
    /// refuses the call with [`Rule::NO_DEVELOPMENT`].
    Development,
}

impl Reach {
    /// The reach of an untrusted URL: `Development` if `development` is set, otherwise `Public`.
    pub fn untrusted(development: bool) -> Self {
        if development { Self::Development } else { Self::Public }
    }

    /// Checks the scheme, host, port and user name of `uri`, before the host is resolved.
    ///
    /// The engine runs this check for every HTTP call, so a driver checks only the addresses.
    ///
    /// # Errors
    ///
    /// Fails with the first rule that `uri` breaks.
    pub fn check(self, uri: &Uri) -> Result<(), Rule> {
        let host = uri.host().unwrap_or_default();
        let broken = match self {
            Self::Public => public_rule(uri, host),
            Self::Configured => scheme_rule(uri, true),
            Self::Development => scheme_rule(uri, is_development_host(host)),
        };
        let broken = broken.or_else(|| authority_rule(uri, host));
        match broken {
            Some(reason) => Err(Rule { host: host.to_owned(), address: None, reason }),
            None => Ok(()),
        }
    }

    /// Checks the addresses that `host` resolved to.
    ///
    /// If one address is not public, a [`Public`](Self::Public) call is refused, because the owner
    /// of the host decides which of the addresses answers. After the check, the driver must connect
    /// to one of `addresses` and must not resolve the host again.
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
    /// Fails with the rule and the first address that breaks it.
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

/// Returns whether a development network may use plain http to `host`: whether it is a loopback
/// address, or a name whose last label is `localhost` or `test`.
pub fn is_development_host(host: &str) -> bool {
    let is_local = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or_default();
        last == "localhost" || last == "test"
    };
    if is_plain_name(host) {
        return is_local(host);
    }
    match Host::parse(host) {
        Ok(Host::Domain(name)) => is_local(&name),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

fn authority_rule(uri: &Uri, host: &str) -> Option<&'static str> {
    let Some(authority) = uri.authority() else { return Some("the URL has no host") };
    if authority.as_str().contains('@') {
        return Some("the URL carries a user name or password");
    }
    // If the port is not a number below 65536, `port_u16` returns `None`.
    let after_host = authority.as_str().strip_prefix(host).unwrap_or_default();
    (!after_host.is_empty() && authority.port_u16().is_none())
        .then_some("the port is not a number below 65536")
}

fn scheme_rule(uri: &Uri, http_allowed: bool) -> Option<&'static str> {
    match uri.scheme_str() {
        Some("https") => None,
        Some("http") if http_allowed => None,
        Some("http") => Some("plain http is only allowed to loopback, localhost and .test hosts"),
        _ => Some("only https URLs are allowed"),
    }
}

fn public_rule(uri: &Uri, host: &str) -> Option<&'static str> {
    if uri.scheme_str() != Some("https") {
        return Some("only https URLs are allowed");
    }
    let name = match is_plain_name(host) {
        true => Cow::Borrowed(host),
        false => match Host::parse(host) {
            Ok(Host::Domain(name)) => Cow::Owned(name),
            _ => return Some("the host must be a DNS name, not an IP address"),
        },
    };
    if uri.port_u16().is_some_and(|port| port != 443 && port < 1024) {
        return Some("only port 443 and ports from 1024 on are allowed");
    }
    local_name_rule(name.trim_end_matches('.'))
}

/// Refuses names that are reserved for local or special use and so are not in the public DNS.
fn local_name_rule(name: &str) -> Option<&'static str> {
    if !name.contains('.') {
        return Some("the host is a local name, because it has no dot");
    }
    LOCAL_SUFFIXES
        .iter()
        .any(|suffix| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
        .then_some("the name is reserved for local or special use")
}

/// Domains for local and special use: RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476, and domains
/// that home routers use.
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
    fn one_private_address_blocks_a_public_name() {
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
