//! Longest wait of thousands of askers for one session whose access token is about to expire, beside the
//! time of the refresh when one asks, and beside the longest wait of as many askers for a session whose
//! token is fresh: that is the time which the machine needs for so many tasks or threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use atproto_oauth_benches::network::{self, ALICE};
use atproto_oauth_core::{Binding, CallbackParams, SessionChange};
use atproto_oauth_sandbox::{Fault, Served};
use atproto_oauth_store::MemoryStore;
use tokio::runtime::Runtime;

use crate::{LONG, SHORT, set_token_lifetime};

/// Time that the token endpoint takes for an answer, in addition to the work.
const DELAY: Duration = Duration::from_millis(100);

/// Rounds of one asker and of many, which alternate, so that both see the same load.
const ROUNDS: usize = 10;

/// Longest waits of one round.
#[derive(Default)]
struct Waits {
    expired: Duration,
    fresh: Duration,
}

pub(crate) fn measure(runtime: &Runtime) {
    let served = Served::start(1).unwrap();
    served.sandbox().fault(Fault::delay(DELAY).path("/oauth/token").always());
    println!(
        "medians: refresh for one; longest wait, token expired; fresh; expired - fresh - refresh"
    );
    for askers in [1_000, 4_000] {
        let times = rounds(|askers| runtime.block_on(asynchronous(&served, askers)), askers);
        println!("reqwest, {askers} tasks: {times}");
        let times = rounds(|askers| blocking(&served, askers), askers);
        println!("ureq, {askers} threads: {times}");
    }
}

fn rounds(round: impl Fn(usize) -> Waits, askers: usize) -> String {
    let (mut refresh, mut expired, mut fresh, mut more) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (one, many) = (round(1), round(askers));
        more.push(many.expired.saturating_sub(many.fresh).saturating_sub(one.expired));
        refresh.push(one.expired);
        expired.push(many.expired);
        fresh.push(many.fresh);
    }
    let medians = [refresh, expired, fresh, more].map(|mut times| {
        times.sort_unstable();
        format!("{:.1?}", times[ROUNDS / 2])
    });
    medians.join("; ")
}

/// Longest waits of `askers` tasks that restore one session at the same time.
async fn asynchronous(served: &Served, askers: usize) -> Waits {
    let refreshes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refreshes);
    let builder = network::asynchronous(served).store(MemoryStore::new());
    let app = builder.on_event(move |event| note(&event.change, &count)).build().unwrap();
    let login = app.authorize(ALICE).await.unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let params = approve(served, &login.url);
    let session = app.callback(params, binding).await.unwrap().session;
    set_token_lifetime(served, LONG);
    let start = Arc::new(tokio::sync::Barrier::new(askers));
    let ask = |_| {
        let (app, key, start) = (app.clone(), session.key().clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            let begun = Instant::now();
            app.restore(&key).await.unwrap();
            begun.elapsed()
        })
    };
    let mut waits = Waits::default();
    for longest in [&mut waits.expired, &mut waits.fresh] {
        for task in (0..askers).map(ask).collect::<Vec<_>>() {
            *longest = task.await.unwrap().max(*longest);
        }
    }
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
    waits
}

/// Longest waits of `askers` threads that restore one session at the same time.
fn blocking(served: &Served, askers: usize) -> Waits {
    let refreshes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refreshes);
    let builder = network::blocking(served).store(MemoryStore::new());
    let app = builder.on_event(move |event| note(&event.change, &count)).build().unwrap();
    let login = app.authorize(ALICE).unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let session = app.callback(approve(served, &login.url), binding).unwrap().session;
    set_token_lifetime(served, LONG);
    let start = Barrier::new(askers);
    let ask = || {
        start.wait();
        let begun = Instant::now();
        app.restore(session.key()).unwrap();
        begun.elapsed()
    };
    let mut waits = Waits::default();
    for longest in [&mut waits.expired, &mut waits.fresh] {
        *longest = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..askers).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
        });
    }
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
    waits
}

fn approve(served: &Served, url: &url::Url) -> CallbackParams {
    set_token_lifetime(served, SHORT);
    network::approve(served, url, ALICE)
}

fn note(change: &SessionChange, refreshes: &AtomicUsize) {
    if matches!(change, SessionChange::Refreshed) {
        refreshes.fetch_add(1, Ordering::SeqCst);
    }
}
