//! Redirect URIs: the kinds that a client may declare in its metadata, and the comparison of a
//! requested URI with a declared one (RFC 8252 sections 7 and 8, AT Protocol "OAuth": clients).

use url::{Host, Url};

/// A kind of redirect URI, by its scheme and host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `https` to a host name with a dot, other than a `.local` name.
    Https,
    /// `http` to `127.0.0.1` or `[::1]`.
    Loopback,
    /// A private-use scheme that belongs to the application: `com.example.app:/callback`.
    PrivateUse,
}

/// Parses a redirect URI and determines its kind; `None` if the URI is not a valid redirect URI.
pub(crate) fn kind(text: &str) -> Option<(Url, Kind)> {
    let url = Url::parse(text).ok()?;
    // The URL parser repairs some malformed URIs, so the written text is checked, too. A fragment
    // is not allowed (RFC 6749 section 3.1.2).
    let is_written = |start: &str| text.starts_with(start) && !text.contains('#');
    let kind = match url.scheme() {
        "https" if is_written("https://") && is_public_host(&url) => Kind::Https,
        "http" if is_written("http://") && is_loopback(&url) => Kind::Loopback,
        scheme if scheme.contains('.') && is_written(scheme) && is_private_use(text, &url) => {
            Kind::PrivateUse
        }
        _ => return None,
    };
    Some((url, kind))
}

/// Whether `text` is the URL of a web page: `https` to a public host, or `http` to this machine.
pub(crate) fn is_web(text: &str) -> bool {
    match Url::parse(text) {
        Ok(url) if text.starts_with("https://") => is_public_host(&url),
        Ok(url) if text.starts_with("http://") => {
            is_loopback(&url) || url.host_str() == Some("localhost")
        }
        _ => false,
    }
}

/// Whether the redirect URI `requested` matches the declared one. Both must be equal, except that a
/// loopback URI declared without a port matches every port (RFC 8252 section 7.3), unless ports are
/// compared.
pub(crate) fn matches(declared: &str, requested: &str, compares_ports: bool) -> bool {
    if declared == requested || compares_ports {
        return declared == requested;
    }
    let (Some((declared, Kind::Loopback)), Some((mut requested, Kind::Loopback))) =
        (kind(declared), kind(requested))
    else {
        return false;
    };
    declared.port().is_none() && requested.set_port(None).is_ok() && declared == requested
}

/// Whether the URI has a user name, a password or a local host name. Such a redirect URI is
/// well-formed, but no client may declare it.
pub(crate) fn is_out_of_place(url: &Url) -> bool {
    let is_local = matches!(url.host(), Some(Host::Domain(name)) if is_local_name(name));
    is_local || !url.username().is_empty() || url.password().is_some()
}

/// Reverses the labels of a host name to those of a private-use scheme: `app.example.com` becomes
/// `com.example.app`.
pub(crate) fn reversed(host: &str) -> String {
    host.rsplit('.').collect::<Vec<_>>().join(".")
}

/// Whether a host name has more than one label and is not a multicast DNS name (`.local`).
pub(crate) fn is_dotted(host: &str) -> bool {
    host.contains('.') && !host.ends_with(".local")
}

/// Whether a host name has no dot, or a top-level domain that does not exist in the public DNS.
pub(crate) fn is_local_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    !host.contains('.') || ["test", "local", "localhost", "invalid", "example"].contains(&last)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() && address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false, // `localhost` may resolve to another address (RFC 8252 section 8.3)
    }
}

fn is_public_host(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(name)) if is_dotted(name))
}

/// Whether a slash follows the scheme, there is no host, and the reversed scheme is not a local
/// name (RFC 8252 section 7.1).
fn is_private_use(text: &str, url: &Url) -> bool {
    let rest = text.get(url.scheme().len() + 1..).unwrap_or_default();
    !url.has_host() && rest.starts_with('/') && !is_local_name(&reversed(url.scheme()))
}
