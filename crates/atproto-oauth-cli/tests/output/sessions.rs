//! `sessions list`, `show`, `refresh` and `revoke`, and `logout`.

use atproto_oauth_sandbox::Fault;
use atproto_oauth_tests::flows::{Sandboxed, Stage};
use http::StatusCode;

use crate::both;
use crate::network::{approve, in_network};
use crate::snapshot::Snapshot;

fn log_in(snapshot: &mut Snapshot, handle: &str) {
    snapshot.log_in(&["login", "--no-browser", handle], approve(handle));
}

#[test]
fn sessions_of_two_accounts() {
    // Rules L-21, L-25, L-26
    in_network("sessions_kept", |snapshot| {
        log_in(snapshot, "alice.test");
        log_in(snapshot, "rita.test");
        both(snapshot, &["sessions", "list"]);
        both(snapshot, &["sessions", "show"]);
        both(snapshot, &["sessions", "show", "rita.test"]);
        both(snapshot, &["sessions", "refresh", "alice.test"]);
        both(snapshot, &["sessions", "refresh", "nobody.test"]);
        both(snapshot, &["whoami"]);
        both(snapshot, &["whoami", "rita.test"]);
        both(snapshot, &["sessions", "revoke"]);
        both(snapshot, &["sessions", "revoke", "rita.test"]);
        snapshot.run(&["logout"]);
        log_in(snapshot, "rita.test");
        snapshot.run(&["sessions", "revoke", "--json"]);
    });
}

#[test]
fn logouts() {
    // Rules L-21, L-25, L-26
    in_network("logout", |snapshot| {
        for json in [&[][..], &["--json"]] {
            log_in(snapshot, "alice.test");
            log_in(snapshot, "rita.test");
            snapshot.run(&[&["logout", "--all"], json].concat());
            log_in(snapshot, "alice.test");
            let down = Fault::status(StatusCode::BAD_GATEWAY).path("/oauth/revoke");
            snapshot.network().fault(down.always());
            snapshot.run(&[&["logout", "alice.test"], json].concat());
            snapshot.network().stage.clear_faults();
        }
    });
}

#[test]
fn sessions_that_have_ended() {
    // Rules L-25, L-26
    in_network("sessions_ended", |snapshot| {
        for json in [&[][..], &["--json"]] {
            for verb in [&["sessions", "refresh"][..], &["call", "com.atproto.server.getSession"]] {
                log_in(snapshot, "alice.test");
                let alice = snapshot.network().stage.account("alice").did;
                snapshot.network().stage.sandbox().end_sessions(&alice);
                snapshot.run(&[verb, json].concat());
            }
        }
        both(snapshot, &["sessions", "list"]);
    });
}
