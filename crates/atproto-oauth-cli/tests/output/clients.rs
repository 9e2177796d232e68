//! `check-metadata` with documents that are published.

use atproto_sansio_conformance::Server;
use atproto_sansio_conformance::tls::{self, certificate};
use serde_json::{Value, json};

use crate::both;
use crate::network::in_network;

const CLIENT_ID: &str = "https://app.client.dev/client.json";

fn document() -> Value {
    json!({
        "client_id": CLIENT_ID,
        "client_name": "An app",
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": ["https://app.client.dev/callback"],
        "scope": "atproto",
        "dpop_bound_access_tokens": true,
        "token_endpoint_auth_method": "none",
    })
}

/// A web server of the client with a document at each of these paths. Its certificate is its own authority.
fn serve(documents: [(&'static str, String); 2]) -> (Server, String) {
    let identity = certificate("app.client.dev");
    let server = tls::serve(&identity, move |mut peer| {
        while let Some(request) = peer.receive() {
            let path = request.line.split(' ').nth(1).unwrap_or_default();
            let found = documents.iter().find(|(published, _)| *published == path);
            let (status, body) =
                found.map_or(("404 Not Found", "{}"), |(_, body)| ("200 OK", body));
            peer.send(&format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    (server, identity.cert.pem())
}

#[test]
fn documents_that_are_published() {
    // Rules L-23, L-25
    let mut broken = document();
    broken["client_id"] = json!("https://app.client.dev/broken.json");
    broken["redirect_uris"] = json!(["http://localhost/callback"]);
    broken["scope"] = json!("transition:generic");
    broken["dpop_bound_access_tokens"] = json!(false);
    let documents =
        [("/client.json", document().to_string()), ("/broken.json", broken.to_string())];
    in_network("check_metadata", |snapshot| {
        let (server, certificate) = serve(documents.clone());
        snapshot.write("ca.pem", &certificate);
        let host = format!("app.client.dev={}", server.address);
        let connect = ["--connect-to", &host, "--ca-certificate", "ca.pem"];
        for name in ["client.json", "broken.json", "none.json"] {
            let client_id = format!("https://app.client.dev/{name}");
            both(snapshot, &[&["check-metadata", &client_id], &connect[..]].concat());
        }
        both(snapshot, &["check-metadata", "http://localhost?scope=atproto"]);
        both(snapshot, &["check-metadata", "client.json"]);
    });
}
