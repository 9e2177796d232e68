//! Redirect URIs: which may be declared, and which of them a request names (RFC 8252 sections 7
//! and 8, AT Protocol "OAuth": clients).

use url::{Host, Url};

/// A kind of redirect URI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Https,
    /// `http` to a loopback address.
    Loopback,
    /// A scheme of the application's own: `com.example.app:/callback`.
    PrivateUse,
}

/// What kind of redirect URI this is; `None` if it can't be one.
pub(crate) fn kind(text: &str) -> Option<(Url, Kind)> {
    let url = Url::parse(text).ok()?;
    // What a parser would repair is not one. A fragment is for the answer (RFC 6749 section 3.1.2).
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

/// Whether it is the address of a page: https, or http on this machine.
pub(crate) fn is_web(text: &str) -> bool {
    match Url::parse(text) {
        Ok(url) if text.starts_with("https://") => is_public_host(&url),
        Ok(url) if text.starts_with("http://") => {
            is_loopback(&url) || url.host_str() == Some("localhost")
        }
        _ => false,
    }
}

/// Whether a request that names `requested` uses `declared`: exactly, but for the port of a loopback
/// address that was declared without one (RFC 8252 section 7.3).
pub(crate) fn matches(declared: &str, requested: &str) -> bool {
    if declared == requested {
        return true;
    }
    let (Some((declared, Kind::Loopback)), Some((mut requested, Kind::Loopback))) =
        (kind(declared), kind(requested))
    else {
        return false;
    };
    declared.port().is_none() && requested.set_port(None).is_ok() && declared == requested
}

/// Whether it names a user, or a host that nobody else reaches: it can be written, and no client may
/// have it.
pub(crate) fn is_out_of_place(url: &Url) -> bool {
    let is_local = matches!(url.host(), Some(Host::Domain(name)) if is_local_name(name));
    is_local || !url.username().is_empty() || url.password().is_some()
}

/// Reads a name's labels in the order of a private-use scheme: `com.example.app`.
pub(crate) fn reversed(host: &str) -> String {
    host.rsplit('.').collect::<Vec<_>>().join(".")
}

/// Whether a name is more than one label, and not found by multicast.
pub(crate) fn is_dotted(host: &str) -> bool {
    host.contains('.') && !host.ends_with(".local")
}

/// Names that nothing on the public network has.
pub(crate) fn is_local_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    !host.contains('.') || ["test", "local", "localhost", "invalid", "example"].contains(&last)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() && address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false, // `localhost` may resolve to something else (RFC 8252 section 8.3)
    }
}

fn is_public_host(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(name)) if is_dotted(name))
}

/// One slash, no host (RFC 8252 section 7.1).
fn is_private_use(text: &str, url: &Url) -> bool {
    let rest = text.get(url.scheme().len() + 1..).unwrap_or_default();
    !url.has_host() && rest.starts_with('/') && !is_local_name(&reversed(url.scheme()))
}
