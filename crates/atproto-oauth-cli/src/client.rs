//! Clients by their `client_id`.

use atproto_oauth_core::{Client, ClientBuilder, Error, Scopes};
use url::Url;

use crate::arguments::Network;
use crate::client_key::KeyFile;
use crate::failure::{CONFIGURATION, Failure};
use crate::network::configure;

/// Builds the client of a login. Its kind follows from `client_id` and redirect URI: a loopback
/// client, which has no metadata document, a web client, whose redirect URI is an https URL, or a
/// native client.
pub(crate) fn of_login(
    client_id: &str,
    redirect_uri: &Url,
    scopes: Scopes,
    network: &Network,
) -> Result<Client, Failure> {
    let builder = match redirect_uri.scheme() {
        _ if is_loopback(client_id) => ClientBuilder::from_loopback_client_id(client_id)?,
        "https" => Client::web(client_id, scopes).redirect_uri(redirect_uri.as_str()),
        _ => Client::native(client_id, scopes).redirect_uri(redirect_uri.as_str()),
    };
    Ok(configure(builder, network).build()?)
}

/// Builds the client of a session that exists. A refresh sends neither scopes nor a redirect URI, so the
/// root of the `client_id`'s origin stands for the redirect URI that a builder requires. `key` names the
/// private key of a confidential client.
pub(crate) fn of_session(
    client_id: &str,
    key: &KeyFile,
    network: &Network,
) -> Result<Client, Failure> {
    let mut root = Url::parse(client_id).map_err(|_| {
        let message = format!("the client_id {client_id} is not a URL");
        let help = "give the client_id with --client-id, or set ATPROTO_OAUTH_CLIENT_ID";
        Failure::new(CONFIGURATION, message, help)
    })?;
    root.set_path("/");
    root.set_query(None);
    let scopes = Scopes::parse("atproto").map_err(|error| Error::Input(error.into()))?;
    let key = if is_loopback(client_id) { None } else { key.read()? };
    match key {
        Some(key) => {
            let builder = Client::web(client_id, scopes).redirect_uri(root).key(key);
            // A session that was begun before the client had a key goes on with it.
            Ok(configure(builder.upgrade_public_sessions(), network).build()?)
        }
        None => of_login(client_id, &root, scopes, network),
    }
}

fn is_loopback(client_id: &str) -> bool {
    client_id.strip_prefix("http://localhost").is_some_and(|rest| !rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network {
            plc_directory: Vec::new(),
            nameserver: None,
            development: false,
            connect_to: Vec::new(),
            ca_certificate: None,
            trace: false,
        }
    }

    #[test]
    fn the_kind_of_client_follows_from_client_id_and_redirect_uri() {
        // Rule L-01
        let published = "https://app.client.dev/client-metadata.json";
        for (client_id, redirect_uri, kind) in [
            (published, "https://app.client.dev/callback.html", Some("web")),
            (published, "https://other.client.dev/callback/", Some("web")),
            (published, "http://127.0.0.1:8000/callback", Some("native")),
            (published, "dev.client.app:/callback", Some("native")),
            ("http://localhost", "http://127.0.0.1:8000/", None),
            ("http://localhost/?scope=atproto", "http://[::1]/", None),
        ] {
            let scopes = Scopes::parse("atproto").unwrap();
            let client = of_login(client_id, &redirect_uri.parse().unwrap(), scopes, &network());
            let metadata = client.unwrap().metadata();
            let metadata: Option<serde_json::Value> =
                metadata.map(|json| serde_json::from_str(&json).unwrap());
            let found = metadata.as_ref().map(|json| json["application_type"].as_str().unwrap());
            assert_eq!(found, kind, "{client_id} {redirect_uri}");
            assert_eq!(
                of_session(client_id, &KeyFile::default(), &network()).unwrap().client_id(),
                client_id
            );
        }
        for client_id in ["http://localhost.client.dev/", "http://app.client.dev/c.json", "x"] {
            assert!(of_session(client_id, &KeyFile::default(), &network()).is_err(), "{client_id}");
        }
    }
}
