//! The `client_id`: the https URL at which a client serves its metadata document.
//!
//! atproto OAuth, «Clients» and «Client ID Metadata Document».

use atproto_sansio::Reach;
use url::{Host, Url};

use crate::error::ConfigError;
use crate::origin::{shown, to_uri};

/// Parses and checks a `client_id` that is an https URL.
pub(crate) fn parse(text: &str) -> Result<Url, ConfigError> {
    let refused = |why| ConfigError::ClientId { client_id: shown(text), why };
    let not_a_url = "it must be the whole URL at which the client serves its metadata, such as \
                     https://app.example.com/oauth-client-metadata.json";
    let url = Url::parse(text).map_err(|_| refused(not_a_url))?;
    if url.scheme() != "https" {
        return Err(refused(
            "it must be an https URL, also in development: without a public server, use \
             `Client::loopback`",
        ));
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
        return Err(refused(
            "its host must be a DNS name; for development, use `Client::loopback`",
        ));
    }
    if url.path() == "/" || url.path().ends_with('/') {
        return Err(refused(
            "it must have a path that does not end in a slash, such as /oauth-client-metadata.json",
        ));
    }
    // Servers compare the `client_id` as a string, so only its canonical spelling is accepted.
    if url.as_str() != text {
        return Err(refused(
            "it is not in canonical form (lower-case host, no default port, no `..`)",
        ));
    }
    let uri = to_uri(&url).ok_or_else(|| refused(not_a_url))?;
    if Reach::Public.check(&uri).is_err() {
        return Err(refused(
            "its host is a local or reserved name, which no authorization server can reach: use a \
             public name, or `Client::loopback` for development",
        ));
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
}
