//! The `client_id`: the https URL at which a client serves its metadata document.
//!
//! atproto OAuth, «Clients» and «Client ID Metadata Document».

use atproto_sansio::Reach;
use url::{Host, Url};

use crate::error::ConfigError;
use crate::origin::to_uri;

/// Parses and checks a `client_id` that is an https URL.
pub(crate) fn parse(text: &str) -> Result<Url, ConfigError> {
    let refused = |why| ConfigError::ClientId { client_id: text.to_owned(), why };
    let url = Url::parse(text).map_err(|_| refused("it is not a URL"))?;
    if url.scheme() != "https" {
        return Err(refused("it must be an https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it must not have a user name or password"));
    }
    if url.port().is_some() {
        return Err(refused("it must not have a port"));
    }
    if url.fragment().is_some() {
        return Err(refused("it must not have a fragment"));
    }
    if !matches!(url.host(), Some(Host::Domain(_))) {
        return Err(refused("its host must be a DNS name"));
    }
    if url.path() == "/" || url.path().ends_with('/') {
        return Err(refused("it must have a path that does not end in a slash"));
    }
    // Servers compare the `client_id` as a string, so only its canonical spelling is accepted.
    if url.as_str() != text {
        return Err(refused(
            "it is not in canonical form (lower-case host, no default port, no `..`)",
        ));
    }
    let uri = to_uri(&url).ok_or_else(|| refused("it is not a URL"))?;
    if let Err(rule) = Reach::Public.check(&uri) {
        return Err(refused(rule.reason));
    }
    Ok(url)
}

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
}
