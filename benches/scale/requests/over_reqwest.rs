//! Requests over reqwest: without credentials by reqwest alone, and with a session by the adapter.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atproto_oauth_benches::session::{PATH, client, request, stored};
use atproto_oauth_core::Session;
use atproto_oauth_reqwest::OAuthClient;
use atproto_oauth_store::MemoryStore;

use crate::{Made, TASKS, TIME, connections};

pub(crate) async fn alone(origin: &str) -> Made {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .tls_backend_preconfigured(tls)
        .resolve("localhost", (Ipv4Addr::LOCALHOST, 0).into())
        .build()
        .unwrap();
    let url = format!("{origin}{PATH}");
    in_tasks(move || {
        let request = client.get(&url).header("accept", "application/json");
        let request = request.header("accept-language", "en").timeout(Duration::from_secs(30));
        async move { connections(&request.send().await.unwrap().bytes().await.unwrap()) }
    })
    .await
}

pub(crate) async fn adapter(origin: &str) -> Made {
    let builder = OAuthClient::builder(client()).store(MemoryStore::new()).plaintext_at_rest();
    let localhost = [Ipv4Addr::LOCALHOST.into()];
    let app = builder.driver(|driver| driver.resolve("localhost", localhost)).build().unwrap();
    let session = app.add(Session::from_json(&stored(origin)).unwrap()).await.unwrap();
    in_tasks(move || {
        let session = session.clone();
        async move { connections(session.request(request()).await.unwrap().response.body()) }
    })
    .await
}

/// Sends requests in all tasks until the time is over. Each request ends in the server's connections so far.
async fn in_tasks<F>(request: impl Fn() -> F + Clone + Send + 'static) -> Made
where
    F: Future<Output = usize> + Send,
{
    let before = request().await;
    let begun = Instant::now();
    let task = |_| {
        let request = request.clone();
        tokio::spawn(async move {
            let (mut made, mut last) = (0, 0);
            while begun.elapsed() < TIME {
                last = request().await;
                made += 1;
            }
            (made, last)
        })
    };
    let (mut requests, mut last) = (0, 0);
    for task in (0..TASKS).map(task).collect::<Vec<_>>() {
        let (made, seen) = task.await.unwrap();
        requests += made;
        last = seen.max(last);
    }
    // The first request has opened one connection.
    Made { requests, connections: last - before + 1 }
}
