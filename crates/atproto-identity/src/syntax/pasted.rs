//! Recognizes texts that people paste in place of a handle: the page of an account, and the address
//! of a server without its scheme. Both remain errors; the result is for their messages.

use atproto_sansio::is_development_host;
use url::Url;

use crate::syntax::did::Did;
use crate::syntax::handle::Handle;
use crate::syntax::identifier::Identifier;

/// Returns the account that a pasted URL is about: `https://bsky.app/profile/<account>`,
/// `https://example.com/@<account>` or `at://<account>/…`, of which `text` lacks the `at://`.
pub(crate) fn account_in(text: &str) -> Option<Identifier> {
    let address = text.split(['?', '#']).next().unwrap_or_default();
    let path = address.split_once("://").map_or(address, |(_, rest)| rest);
    let mut segments = path.split('/');
    let host = segments.next().unwrap_or_default();
    let segments: Vec<&str> = segments.collect();
    let after_profile = || {
        let at = segments.iter().position(|segment| *segment == "profile")?;
        segments.get(at.checked_add(1)?).map(|name| name.strip_prefix('@').unwrap_or(name))
    };
    let after_at = || segments.iter().find_map(|segment| segment.strip_prefix('@'));
    if let Some(account) = after_profile().or_else(after_at).and_then(account) {
        return Some(account);
    }
    let is_at_url = !address.contains("://") && segments.iter().any(|segment| !segment.is_empty());
    is_at_url.then(|| account(host)).flatten()
}

/// Returns the URL of the server that `text` is the address of: a host with a port or a final
/// slash, or a host of a development network.
pub(crate) fn server_in(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]/".contains(c);
    let authority = text.strip_suffix('/').unwrap_or(text);
    if authority.is_empty() || authority.contains('/') || !text.chars().all(plain) {
        return None;
    }
    let url = Url::parse(&format!("https://{authority}")).ok()?;
    let host = url.host_str()?;
    let is_development = is_development_host(host);
    // A public host alone is a handle: only a port or a slash shows that a server is meant.
    let is_server = match host.parse::<Handle>() {
        Ok(_) => text.len() > host.len(),
        Err(_) => is_development && host != "test",
    };
    if !is_server {
        return None;
    }
    let scheme = if is_development { "http" } else { "https" };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

fn account(name: &str) -> Option<Identifier> {
    if name.starts_with("did:") {
        return name.parse::<Did>().ok().map(Identifier::Did);
    }
    name.parse::<Handle>().ok().map(Identifier::Handle)
}
