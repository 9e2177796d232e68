//! What the network finds at URLs that belong to nobody in it: client metadata, JWKS.

use atproto_oauth_core::Client;
use bytes::Bytes;
use http::Response;
use serde_json::Value;
use url::Url;

use crate::answer;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Answers every GET of `url` so, until it is published anew.
    ///
    /// A client's metadata document, for example, or its JWKS: the sandbox's servers fetch them as
    /// real ones do, and remember what they got for ten minutes. On a host of the network it takes the
    /// place of what is there: a DID document in the directory, for example.
    ///
    /// # Panics
    ///
    /// `url` is not absolute, or neither http nor https.
    pub fn publish(&mut self, url: &str, response: Response<Bytes>) {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let mut url = url.expect("what is published has an absolute http or https URL");
        url.set_fragment(None); // no request has one
        self.documents.insert(url.into(), response);
    }

    /// Publishes JSON with status 200.
    ///
    /// # Panics
    ///
    /// `url` is not absolute, or neither http nor https.
    pub fn publish_json(&mut self, url: &str, json: &str) {
        self.publish(url, answer::typed(200, "application/json", json.to_owned()));
    }

    /// Publishes the metadata of a client that has an https `client_id`, and its keys, if it says
    /// that they are elsewhere.
    ///
    /// A loopback client has none, and nothing happens. Servers do not fetch from hosts that can't be
    /// anybody's, `example.com` and `.test` among them; `https://app.client.dev/c.json` will do. What
    /// they fetched they remember for ten minutes: [`forget_clients`](Self::forget_clients) after a
    /// change.
    pub fn publish_client(&mut self, client: &Client) {
        let Some(metadata) = client.metadata() else { return };
        self.publish_json(client.client_id(), &metadata);
        let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
        if let Some(url) = metadata.get("jwks_uri").and_then(Value::as_str) {
            self.publish_json(url, &client.jwks());
        }
    }
}
