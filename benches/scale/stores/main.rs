//! Time to restore a session, to make one request after that, and to save its record again, in each store, plain
//! and sealed, with 1 000 and with 100 000 stored sessions.
//!
//! ```text
//! cargo bench -p atproto-oauth-benches --bench stores [-- directory]
//! tests/databases/run --bench
//! ```
//!
//! The second command also measures the stores in database servers, which it starts on loopback.
//!
//! The files are written to the directory, and removed at the end. Without it they are in the system's
//! folder for temporary files, which may be in memory.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

mod databases;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atproto_oauth_benches::network::{self, ALICE, approve};
use atproto_oauth_benches::processor;
use atproto_oauth_core::{Binding, SessionKey};
use atproto_oauth_sandbox::Served;
use atproto_oauth_store::{
    Expect, FileStore, MemoryStore, Saved, Sealed, SealingKey, SealingKeys, SecretBytes,
    SqliteStore, Store,
};
use atproto_oauth_ureq::OAuthClient;

/// Rounds of which the median is printed; those of all subjects alternate, so that all see the same load.
const ROUNDS: usize = 200;

/// Threads that write the other records. A disk confirms the writes of several threads together.
const WRITERS: usize = 16;

fn main() {
    let dir = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let dir = dir.map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(dir).unwrap();
    let served = Served::start(1).unwrap();
    let mut subjects = Vec::new();
    for count in [1_000, 100_000] {
        let files = FileStore::open(dir.path().join(format!("files-{count}"))).unwrap();
        fill(&files, count, WRITERS);
        let memory = MemoryStore::new();
        fill(&memory, count, 1);
        let mut stores: Vec<(_, Arc<dyn Store>)> = vec![
            ("memory", Arc::new(memory)),
            ("files", Arc::new(files)),
            ("SQLite", Arc::new(sqlite(dir.path(), count))),
        ];
        stores.extend(databases::with(count));
        for (name, store) in stores {
            let key = SealingKeys::new(SealingKey::generate().unwrap());
            let sealed = Arc::new(Sealed::new(Arc::clone(&store), key));
            subjects.push(Subject::new(format!("{name}, plain"), count, &served, store));
            subjects.push(Subject::new(format!("{name}, sealed"), count, &served, sealed));
        }
    }
    for _ in 0..ROUNDS {
        for subject in &mut subjects {
            subject.round();
        }
    }
    println!("{} cores; medians of {ROUNDS} rounds", processor::cores());
    println!("{:<20}{:>9}{:>11}{:>15}{:>11}", "", "sessions", "restore", "and request", "save");
    subjects.iter_mut().for_each(Subject::print);
}

/// A database whose disk confirms each write from now on.
fn sqlite(dir: &Path, count: usize) -> SqliteStore {
    let path = dir.join(format!("sessions-{count}.db"));
    fill(&SqliteStore::open_relaxed(&path).unwrap(), count, 1);
    SqliteStore::open(path).unwrap()
}

/// Saves `count` records of the length of a session, which nobody reads.
fn fill(store: &impl Store, count: usize, writers: usize) {
    let value = SecretBytes(vec![b'x'; 1_300].into());
    let write = |first| {
        for number in (first..count).step_by(writers) {
            let key = format!("session/did:plc:{number:0>24}/{number:0>22}");
            store.save(&key, &value, Expect::Absent, None).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for first in 0..writers {
            scope.spawn(move || write(first));
        }
    });
}

/// One store with a session of alice among others.
struct Subject {
    name: String,
    count: usize,
    store: Arc<dyn Store>,
    app: OAuthClient,
    key: SessionKey,
    restore: Vec<Duration>,
    both: Vec<Duration>,
    save: Vec<Duration>,
}

impl Subject {
    fn new(name: String, count: usize, served: &Served, store: Arc<dyn Store>) -> Self {
        let app = network::blocking(served).store(Arc::clone(&store)).plaintext_at_rest();
        let app = app.build().unwrap();
        let login = app.authorize(ALICE).unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(served, &login.url, ALICE);
        let key = app.callback(params, binding).unwrap().session.key().clone();
        let (restore, both, save) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, count, store, app, key, restore, both, save }
    }

    fn round(&mut self) {
        // The caches belong to the store of the round before, so the first restore is not counted.
        drop(self.app.restore(&self.key).unwrap());
        let begun = Instant::now();
        let session = self.app.restore(&self.key).unwrap();
        self.restore.push(begun.elapsed());
        let reply = session.query("com.atproto.server.getSession", &[]).unwrap();
        self.both.push(begun.elapsed());
        assert_eq!(reply.response.status(), 200);
        let key = format!("session/{}", self.key);
        let record = self.store.load(&key).unwrap().unwrap();
        let expect = Expect::Version(record.version);
        let begun = Instant::now();
        let saved = self.store.save(&key, &record.value, expect, record.expires_at).unwrap();
        self.save.push(begun.elapsed());
        assert!(matches!(saved, Saved::As(_)));
    }

    fn print(&mut self) {
        let times = [&mut self.restore, &mut self.both, &mut self.save];
        let [restore, both, save] = times.map(|times| median(times));
        let (name, count) = (&self.name, self.count);
        println!("{name:<20}{count:>9}{restore:>11.1?}{both:>15.1?}{save:>11.1?}");
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
