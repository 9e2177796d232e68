//! What the network finds at URLs that belong to nobody in it: client metadata, JWKS.

use bytes::Bytes;
use http::Response;
use url::Url;

use crate::answer;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Answers every GET of `url` so, until it is published anew.
    ///
    /// A client's metadata document, for example, or its JWKS: the sandbox's servers fetch them as
    /// real ones do, and remember what they got for ten minutes.
    pub fn publish(&mut self, url: &str, response: Response<Bytes>) {
        let url = Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
        self.documents.insert(url, response);
    }

    /// Publishes JSON with status 200.
    pub fn publish_json(&mut self, url: &str, json: &str) {
        self.publish(url, answer::typed(200, "application/json", json.to_owned()));
    }

    /// Publishes the metadata of a client that has an https `client_id`.
    ///
    /// A loopback client has none, and nothing happens.
    pub fn publish_client(&mut self, client: &atproto_oauth_core::Client) {
        if let Some(metadata) = client.metadata() {
            self.publish_json(client.client_id(), &metadata);
        }
    }
}
