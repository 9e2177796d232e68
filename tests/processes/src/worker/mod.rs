//! A worker: restores sessions and makes requests with them, until its standard input ends.

mod asynchronous;
mod blocking;

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atproto_oauth_core::{SessionChange, SessionEvent, SessionKey};

use crate::Outcome;
use crate::line::{Fact, say};
use crate::task::Task;

/// Threads or tasks for the sessions of one account. A session whose lease is of a dead process keeps its
/// threads waiting, and those of other accounts go on.
const PER_ACCOUNT: usize = 2;

/// The query that a worker makes with each session.
const QUERY: &str = "com.atproto.server.getSession";

/// Runs a worker process: the first line of its standard input is its task.
///
/// # Errors
///
/// Fails if the task can't be read, or if the store or the client can't be made.
pub fn work() -> Outcome<()> {
    let mut input = std::io::stdin().lock();
    let mut task = String::new();
    input.read_line(&mut task)?;
    drop(input);
    let task: Task = serde_json::from_str(&task)?;
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
            stop.store(true, Ordering::SeqCst);
        }
    });
    match task.is_async {
        true => asynchronous::work(&task, &stop),
        false => blocking::work(&task, &stop),
    }
}

/// The sessions of each account.
fn by_account(task: &Task) -> Outcome<Vec<Vec<SessionKey>>> {
    let mut accounts = BTreeMap::<_, Vec<SessionKey>>::new();
    for key in &task.sessions {
        let key: SessionKey = key.parse()?;
        accounts.entry(key.did().clone()).or_default().push(key);
    }
    Ok(accounts.into_values().collect())
}

/// Tells an event of a session.
fn tell(event: &SessionEvent) {
    let fact = match &event.change {
        SessionChange::Refreshed => Fact::Refreshed,
        SessionChange::Deleted(cause) => Fact::Ended(format!("{cause:?}")),
        other => Fact::Event(format!("{other:?}")),
    };
    say(&event.key.to_string(), fact);
}

/// Tells the end of a visit: the status of the response, or the error.
fn tell_end(key: &SessionKey, end: Result<http::StatusCode, String>) {
    say(
        &key.to_string(),
        match end {
            Ok(status) if status.is_success() => Fact::Answered,
            Ok(status) => Fact::Failed(format!("status {status}")),
            Err(error) => Fact::Failed(error),
        },
    );
}

/// One of `all`, at random.
pub(crate) fn pick<T>(all: &[T]) -> Option<&T> {
    let number = usize::try_from(getrandom::u32().ok()?).ok()?;
    all.get(number.checked_rem(all.len())?)
}

/// A random time up to `longest`.
pub(crate) fn random_time(longest: Duration) -> Duration {
    longest.mul_f64(f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX))
}
