//! A worker with the blocking adapter.

use std::sync::atomic::{AtomicBool, Ordering};

use atproto_oauth_core::SessionKey;
use atproto_oauth_ureq::OAuthClient;

use super::{PER_ACCOUNT, QUERY, by_account, pick, random_time, tell, tell_end};
use crate::Outcome;
use crate::journal::Journal;
use crate::task::Task;

pub(super) fn work(task: &Task, stop: &AtomicBool) -> Outcome<()> {
    let app = task.client(Journal(task.store()?), tell)?;
    let accounts = by_account(task)?;
    std::thread::scope(|scope| {
        for sessions in accounts.iter().flat_map(|sessions| [sessions; PER_ACCOUNT]) {
            scope.spawn(|| {
                while let (Some(key), false) = (pick(sessions), stop.load(Ordering::SeqCst)) {
                    tell_end(key, visit(&app, key));
                    std::thread::sleep(random_time(task.pause));
                }
            });
        }
    });
    app.shutdown();
    Ok(())
}

fn visit(app: &OAuthClient, key: &SessionKey) -> Result<http::StatusCode, String> {
    let session = app.restore(key).map_err(|error| format!("{:?}", error.error))?;
    let reply = session.query(QUERY, &[]).map_err(|error| format!("{:?}", error.error))?;
    Ok(reply.response.status())
}
