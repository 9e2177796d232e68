//! Thousands of concurrent requests of one session.

use std::time::Duration;

use crate::flows::{Asynchronous, Stage, who_am_i};

/// Timeout of a request; it is long because a server may process the requests one after another.
const PATIENCE: Duration = Duration::from_secs(300);

/// Sends `count` requests concurrently. Returns by how many MiB the resident memory grew meanwhile.
pub fn calls_share_a_session(stage: &dyn Stage, client: &Asynchronous, count: usize) -> usize {
    let session = stage.log_in(client, "alice");
    stage.clear_log();
    let before = resident();
    let statuses = client.runtime.block_on(async {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..count {
            let call = client.client.client().request(&session, who_am_i()).unwrap();
            calls.spawn(client.client.driver().run(call.timeout(PATIENCE)));
        }
        calls.join_all().await
    });
    let grown = resident().saturating_sub(before) / (1 << 20);
    assert_eq!(statuses.len(), count);
    for status in statuses {
        assert!(status.unwrap().response.status().is_success());
    }
    let log = stage.log(session.issuer().as_str());
    let tokens = log.iter().filter(|seen| seen.path == "/oauth/token").count();
    assert_eq!(tokens, 0, "nothing was refreshed");
    grown
}

/// Returns the resident memory of this process in bytes; 0 without `/proc`.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}
