//! Ten thousand calls at once on one session.

use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::xrpc;

use crate::network::Network;

const CALLS: usize = 10_000;

/// The server does them one after another.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn ten_thousand_calls_share_a_session() {
    let network = Network::get();
    let client = network.asynchronous_client(network.loopback());
    let session = Arc::new(network.log_in(&client, "alice.test"));
    network.clear_log();
    let describe = || xrpc::query("com.atproto.server.getSession", [("", ""); 0]).unwrap();
    let before = resident();
    let statuses = client.runtime.block_on(async {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let call = client.client.client().request(&session, describe()).unwrap();
            calls.spawn(client.client.driver().run(call.timeout(PATIENCE)));
        }
        calls.join_all().await
    });
    let grown = resident().saturating_sub(before) / (1 << 20);
    assert_eq!(statuses.len(), CALLS);
    for status in statuses {
        assert!(status.unwrap().output.status().is_success());
    }
    // What ten thousand requests in flight hold, and nothing that stays behind each of them.
    eprintln!("{grown} MiB more");
    assert!(grown < 512, "{grown} MiB more");
    let tokens = network.log().iter().filter(|entry| entry["path"] == "/oauth/token").count();
    assert_eq!(tokens, 0, "nothing was refreshed");
}

/// Resident memory in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}
