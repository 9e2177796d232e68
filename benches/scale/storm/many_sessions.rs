//! A thousand sessions of as many accounts, whose access tokens have expired, restored at the same time by one
//! process: its processor time, and the requests that the servers saw. The sandbox has a thread of its own in this
//! process, whose time is taken off.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use atproto_oauth_benches::network::{self, approve};
use atproto_oauth_benches::processor;
use atproto_oauth_core::{Binding, SessionChange, SessionEvent, SessionKey};
use atproto_oauth_sandbox::{By, ResolvedBy, Served};
use atproto_oauth_store::MemoryStore;
use tokio::runtime::Runtime;

use crate::{LONG, SHORT, set_token_lifetime};

/// Number of sessions. A login takes about 10 ms.
const SESSIONS: usize = 1_000;

pub(crate) fn measure(runtime: &Runtime) {
    println!("{SESSIONS} sessions that expire at once, restored by a task or thread each");
    println!(
        "{:<10}{:>9}{:>10}{:>18}{:>14}{:>9}",
        "", "time", "CPU", "CPU per session", "refreshes", "others"
    );
    let served = served();
    runtime.block_on(asynchronous(&served));
    // The second adapter gets a network without the sessions of the first.
    drop(served);
    blocking(&self::served());
}

/// A network in which each session has an account.
fn served() -> Served {
    let served = Served::start(1).unwrap();
    let mut sandbox = served.sandbox();
    sandbox.keep_log(false);
    let pds = sandbox.find_server(&sandbox.names().pds).unwrap();
    for handle in handles() {
        sandbox.add_account(pds, &handle, ResolvedBy::Dns);
    }
    drop(sandbox);
    served
}

fn handles() -> impl Iterator<Item = String> {
    (0..SESSIONS).map(|number| format!("person-{number}.test"))
}

async fn asynchronous(served: &Served) {
    let refreshed = Refreshed::default();
    let count = refreshed.clone();
    let builder = network::asynchronous(served).store(MemoryStore::new());
    let app = builder.on_event(move |event| count.note(event)).build().unwrap();
    set_token_lifetime(served, SHORT);
    let mut keys = Vec::new();
    for handle in handles() {
        let login = app.authorize(&handle).await.unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(served, &login.url, &handle);
        keys.push(app.callback(params, binding).await.unwrap().session.key().clone());
    }
    let start = Arc::new(tokio::sync::Barrier::new(SESSIONS + 1));
    let ask = |key| {
        let (app, start) = (app.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            app.restore(&key).await.map(drop)
        })
    };
    let tasks: Vec<_> = keys.into_iter().map(ask).collect();
    let begun = Cost::begin(served);
    start.wait().await;
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    begun.print("reqwest", served, &refreshed);
}

fn blocking(served: &Served) {
    let refreshed = Refreshed::default();
    let count = refreshed.clone();
    let builder = network::blocking(served).store(MemoryStore::new());
    let app = builder.on_event(move |event| count.note(event)).build().unwrap();
    set_token_lifetime(served, SHORT);
    let log_in = |handle: String| {
        let login = app.authorize(&handle).unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(served, &login.url, &handle);
        app.callback(params, binding).unwrap().session.key().clone()
    };
    let keys: Vec<_> = handles().map(log_in).collect();
    let start = Barrier::new(SESSIONS + 1);
    std::thread::scope(|scope| {
        let ask = |key| {
            let (app, start) = (&app, &start);
            scope.spawn(move || {
                start.wait();
                app.restore(&key).map(drop)
            })
        };
        let threads: Vec<_> = keys.into_iter().map(ask).collect();
        let begun = Cost::begin(served);
        start.wait();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
        begun.print("ureq", served, &refreshed);
    });
}

/// Number of refreshes of each session.
#[derive(Clone, Default)]
struct Refreshed(Arc<Mutex<BTreeMap<SessionKey, usize>>>);

impl Refreshed {
    fn note(&self, event: &SessionEvent) {
        if matches!(event.change, SessionChange::Refreshed) {
            *self.0.lock().unwrap().entry(event.key.clone()).or_default() += 1;
        }
    }
}

/// The clocks at the beginning.
struct Cost {
    begun: Instant,
    used: Duration,
}

impl Cost {
    fn begin(served: &Served) -> Self {
        set_token_lifetime(served, LONG);
        served.sandbox().keep_log(true);
        Self { begun: Instant::now(), used: used() }
    }

    fn print(&self, name: &str, served: &Served, refreshed: &Refreshed) {
        let (time, used) = (self.begun.elapsed(), used() - self.used);
        let counts = refreshed.0.lock().unwrap();
        assert_eq!(counts.len(), SESSIONS);
        assert!(counts.values().all(|count| *count == 1), "each session is refreshed once");
        let sandbox = served.sandbox();
        let (mut refreshes, mut others) = (0, 0);
        for request in sandbox.requests().filter(|request| request.by == By::Client) {
            *if request.path() == "/oauth/token" { &mut refreshes } else { &mut others } += 1;
        }
        let each = used / u32::try_from(SESSIONS).unwrap();
        println!("{name:<10}{time:>9.2?}{used:>10.2?}{each:>18.2?}{refreshes:>14}{others:>9}");
    }
}

/// Processor time of this process without the sandbox.
fn used() -> Duration {
    processor::of_process().saturating_sub(processor::of_threads("sandbox"))
}
