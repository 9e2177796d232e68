//! Documents that tests publish at URLs of their choice, such as client metadata and JWKS.

use atproto_oauth_core::Client;
use bytes::Bytes;
use http::Response;
use serde_json::Value;
use url::Url;

use crate::answer;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Publishes `response`: every GET of `url` gets it, until another response is published there.
    ///
    /// The servers of the network fetch published client metadata and JWKS, and cache them for ten
    /// minutes. On a host of the network, the published response replaces that of the host: for
    /// example, a DID document in the PLC directory.
    ///
    /// # Panics
    ///
    /// Panics if `url` is not absolute, or if its scheme is neither http nor https.
    pub fn publish(&mut self, url: &str, response: Response<Bytes>) {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let mut url = url.expect("a published document has an absolute http or https URL");
        url.set_fragment(None); // the URL of a request has no fragment
        self.documents.insert(url.into(), response);
    }

    /// Publishes `json` with status 200 and the `Content-Type` `application/json`; see
    /// [`publish`](Self::publish).
    ///
    /// # Panics
    ///
    /// Panics if `url` is not absolute, or if its scheme is neither http nor https.
    pub fn publish_json(&mut self, url: &str, json: &str) {
        self.publish(url, answer::typed(200, "application/json", json.to_owned()));
    }

    /// Publishes the metadata of a client at its `client_id`, and its JWKS if the metadata has a
    /// `jwks_uri`. Does nothing for a loopback client, because it has no metadata document.
    ///
    /// Servers refuse to fetch from reserved hosts such as `example.com` and `.test`, so use a
    /// `client_id` like `https://app.client.dev/c.json`. Servers cache the documents for ten
    /// minutes: call [`forget_clients`](Self::forget_clients) after a change.
    pub fn publish_client(&mut self, client: &Client) {
        let Some(metadata) = client.metadata() else { return };
        self.publish_json(client.client_id(), &metadata);
        let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
        if let Some(url) = metadata.get("jwks_uri").and_then(Value::as_str) {
            self.publish_json(url, &client.jwks());
        }
    }
}
