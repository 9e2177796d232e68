//! Time of a login's callback and of a refresh over hosts that are 50 ms away, with both adapters in turn, and
//! the ratio of the blocking one to the async one.
//!
//! ```text
//! cargo bench -p atproto-oauth-benches --bench distance
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::time::{Duration, Instant};

use atproto_oauth_benches::network::{self, ALICE, approve};
use atproto_oauth_core::Binding;
use atproto_oauth_sandbox::{Fault, Served};
use atproto_oauth_store::MemoryStore;
use tokio::runtime::Runtime;

/// Time that every host takes for an answer, in addition to the work.
const DELAY: Duration = Duration::from_millis(50);

/// Rounds of which the median is printed. The adapters alternate, so that both see the same load.
const ROUNDS: usize = 30;

/// Times of one round.
struct Times {
    login: Duration,
    callback: Duration,
    refresh: Duration,
}

type Step = fn(&Times) -> Duration;

fn main() {
    let served = Served::start(1).unwrap();
    served.sandbox().fault(Fault::delay(DELAY).always());
    let runtime = Runtime::new().unwrap();
    // The first round is not counted.
    let rounds = (0..=ROUNDS).map(|_| (blocking(&served), runtime.block_on(asynchronous(&served))));
    let (blocking, asynchronous): (Vec<_>, Vec<_>) = rounds.skip(1).unzip();
    println!("medians of {ROUNDS} rounds: ureq; reqwest; ratio");
    let steps: [(_, Step); 3] = [
        ("login", |times| times.login),
        ("callback", |times| times.callback),
        ("refresh", |times| times.refresh),
    ];
    for (name, step) in steps {
        let [ureq, reqwest] = [&blocking, &asynchronous].map(|times| median(times, step));
        let ratio = ureq.as_secs_f64() / reqwest.as_secs_f64();
        println!("{name}: {ureq:.1?}; {reqwest:.1?}; {ratio:.2}");
    }
}

/// A login and a refresh in a process of its own, as it were: nothing is remembered of earlier rounds.
fn blocking(served: &Served) -> Times {
    let app = network::blocking(served).store(MemoryStore::new()).build().unwrap();
    let begun = Instant::now();
    let login = app.authorize(ALICE).unwrap();
    let login_time = begun.elapsed();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let params = approve(served, &login.url, ALICE);
    let begun = Instant::now();
    let session = app.callback(params, binding).unwrap().session;
    let callback = begun.elapsed();
    let begun = Instant::now();
    session.refresh().unwrap();
    Times { login: login_time, callback, refresh: begun.elapsed() }
}

/// The same as [`blocking`], over the async adapter.
async fn asynchronous(served: &Served) -> Times {
    let app = network::asynchronous(served).store(MemoryStore::new()).build().unwrap();
    let begun = Instant::now();
    let login = app.authorize(ALICE).await.unwrap();
    let login_time = begun.elapsed();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let params = approve(served, &login.url, ALICE);
    let begun = Instant::now();
    let session = app.callback(params, binding).await.unwrap().session;
    let callback = begun.elapsed();
    let begun = Instant::now();
    session.refresh().await.unwrap();
    Times { login: login_time, callback, refresh: begun.elapsed() }
}

fn median(times: &[Times], step: fn(&Times) -> Duration) -> Duration {
    let mut times: Vec<_> = times.iter().map(step).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
