//! Several processes with one store.

use std::env;
use std::process::{Child, Command, Stdio};

use atproto_sansio::Expect;

use super::Failed;
use super::case::{Case, Outcome, ensure};
use super::races::increment;
use super::subject::{Async, Blocking, Subject, block_on};
use crate::store::{AsyncStore, Store};

const CHILDREN: usize = 6;

const INCREMENTS: usize = 25;

/// The key that a child process increments.
const KEY: &str = "ATPROTO_OAUTH_STORE_CONFORMANCE_KEY";

/// The place of the store that a child process opens.
const PLACE: &str = "ATPROTO_OAUTH_STORE_CONFORMANCE_PLACE";

/// Runs six more processes of the present test, which increment one record by compare-and-set, and
/// compares the sum.
///
/// * `test` is the full name of the test that calls this function, such as `file::processes_add_up`.
///   The test program is started with this name and `--exact`.
/// * `place` is a path or URL, which `open` gets in this process and in the others.
///
/// In the other processes the function increments, and returns as well.
///
/// ```no_run
/// # use atproto_oauth_store::{MemoryStore as MyStore, conformance};
/// // The body of a `#[test]` with the name `processes_add_up`.
/// let open = |place: &str| MyStore::new(); // opens the store at `place`
/// conformance::processes("processes_add_up", "/tmp/store", open).unwrap();
/// ```
///
/// # Errors
///
/// Fails if a process fails, or if the sum is wrong.
pub fn processes<S: Store>(
    test: &str,
    place: &str,
    open: impl FnOnce(&str) -> S,
) -> Result<(), Failed> {
    let store = open(&env::var(PLACE).unwrap_or_else(|_| place.to_owned()));
    named(block_on(work(&Blocking(&store), test, place)))
}

/// Does the same as [`processes`] with an async store. The future blocks its thread while it waits for
/// the other processes.
///
/// # Errors
///
/// Fails if a process fails, or if the sum is wrong.
pub async fn processes_async<S: AsyncStore>(
    test: &str,
    place: &str,
    open: impl AsyncFnOnce(&str) -> S,
) -> Result<(), Failed> {
    let store = open(&env::var(PLACE).unwrap_or_else(|_| place.to_owned())).await;
    named(work(&Async(&store), test, place).await)
}

fn named(outcome: Outcome) -> Result<(), Failed> {
    outcome.map_err(|reason| Failed(vec![("processes", reason)]))
}

async fn work(store: &dyn Subject, test: &str, place: &str) -> Outcome {
    let case = Case::new(store)?;
    if let Ok(key) = env::var(KEY) {
        return increment(&case, &key, INCREMENTS).await;
    }
    let key = case.key("sum");
    case.write(&key, b"0", Expect::Absent).await?;
    let children = (0..CHILDREN).map(|_| start(test, place, &key)).collect::<Outcome<Vec<_>>>()?;
    for mut child in children {
        let status = child.wait().map_err(|error| error.to_string())?;
        ensure!(status.success(), "a process of the test {test} failed: {status}");
    }
    let sum = case.value(&key).await?;
    let sum = String::from_utf8_lossy(&sum);
    let expected = (CHILDREN * INCREMENTS).to_string();
    ensure!(sum != "0", "no process counted; is {test} the full name of this test?");
    ensure!(sum == expected, "{expected} increments add up to {sum}");
    case.remove_all().await
}

fn start(test: &str, place: &str, key: &str) -> Outcome<Child> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    Command::new(program)
        .args([test, "--exact"])
        .env(KEY, key)
        .env(PLACE, place)
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("the test program can't be started again: {error}"))
}
