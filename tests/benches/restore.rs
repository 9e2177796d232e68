//! Time to restore a session and to make one request with it, in sealed files and in a sealed SQLite
//! database, with 1 000 and with 100 000 stored sessions.
//!
//! ```text
//! cargo bench -p atproto-oauth-tests --bench restore [-- directory]
//! ```
//!
//! The files are written to the directory, and removed at the end. Without it they are in the system's
//! folder for temporary files, which may be in memory.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atproto_identity::Resolver;
use atproto_oauth_core::{Binding, CallbackParams, Client, Scopes, SessionKey};
use atproto_oauth_sandbox::Served;
use atproto_oauth_store::{
    Expect, FileStore, Sealed, SealingKey, SealingKeys, SecretBytes, SqliteStore, Store,
};
use atproto_oauth_ureq::OAuthClient;

const ALICE: &str = "alice.test";

/// Rounds of which the median is printed; those of the four stores alternate, so that all see the same load.
const ROUNDS: usize = 400;

fn main() {
    let dir = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let dir = dir.map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(dir).unwrap();
    let served = Served::start(1).unwrap();
    let mut subjects = Vec::new();
    for count in [1_000, 100_000] {
        let files = FileStore::open(dir.path().join(format!("files-{count}"))).unwrap();
        subjects.push(Subject::new("files", count, &served, files));
        subjects.push(Subject::new("SQLite", count, &served, sqlite(dir.path(), count)));
    }
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            subject.round();
        }
    }
    println!("store, sessions: restore; restore and one request (median of {ROUNDS})");
    for subject in &mut subjects {
        let [restore, both] = [&mut subject.restore, &mut subject.both].map(|times| median(times));
        println!("{}, {}: {restore:.1?}; {both:.1?}", subject.name, subject.count);
    }
}

fn sqlite(dir: &Path, count: usize) -> SqliteStore {
    SqliteStore::open(dir.join(format!("sessions-{count}.db"))).unwrap()
}

/// One store with a session of alice among others.
struct Subject {
    name: &'static str,
    count: usize,
    app: OAuthClient,
    key: SessionKey,
    restore: Vec<Duration>,
    both: Vec<Duration>,
}

impl Subject {
    fn new(name: &'static str, count: usize, served: &Served, store: impl Store + 'static) -> Self {
        let key = SealingKey::generate().unwrap();
        let store = Arc::new(Sealed::new(store, SealingKeys::new(key)));
        let app = app(served, Arc::clone(&store));
        let login = app.authorize(ALICE).unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let back = served.sandbox().approve(&login.url, ALICE).unwrap();
        let session = app.callback(CallbackParams::parse(&back).unwrap(), binding).unwrap().session;
        let key = session.key().clone();
        // The others are copies under other keys; nobody reads them.
        let record = store.load(&format!("session/{key}")).unwrap().unwrap();
        let value = SecretBytes(record.value.0.clone());
        for number in 1..count {
            let other = format!("session/did:plc:{number:0>24}/{number:0>22}");
            store.save(&other, &value, Expect::Absent, None).unwrap();
        }
        Self { name, count, app, key, restore: Vec::new(), both: Vec::new() }
    }

    fn round(&mut self) {
        let begun = Instant::now();
        let session = self.app.restore(&self.key).unwrap();
        self.restore.push(begun.elapsed());
        let reply = session.query("com.atproto.server.getSession", &[]).unwrap();
        self.both.push(begun.elapsed());
        assert_eq!(reply.response.status(), 200);
    }
}

fn app(served: &Served, store: impl Store + 'static) -> OAuthClient {
    let plc = served.names().plc.parse().unwrap();
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).redirect_path("/callback").development();
    let client = client.resolver(Resolver::new().with_directories([plc])).build().unwrap();
    let (nameserver, hosts) = (served.nameserver(), served.hosts());
    let builder = OAuthClient::builder(client).store(store).driver(|driver| {
        let driver = driver.nameserver(nameserver);
        hosts.into_iter().fold(driver, |driver, (host, at)| driver.host_override(&host, at))
    });
    builder.build().unwrap()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
