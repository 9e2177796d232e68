//! Measures the stores: time of a load, a save and a page of a listing with 1 000 and with 100 000
//! records, and the memory of a record.
//!
//! ```text
//! cargo run --release -p atproto-oauth-store --features file,sqlite --example measure [directory]
//! ```
//!
//! The files are written to the directory, and removed at the end. Without it they are in the
//! system's folder for temporary files, which may be in memory.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::time::{Duration, Instant};

use atproto_oauth_store::{
    Expect, FileStore, MemoryStore, Record, Saved, SecretBytes, SqliteStore, Store, StoreError,
};

/// Bytes of a value, about those of a session.
const VALUE: usize = 1_300;

/// Number of operations that are measured.
const ROUNDS: usize = 1_000;

fn main() -> Result<(), StoreError> {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(dir).unwrap();
    memory();
    println!("store, records: new record, load, load and replace, page of 100");
    for count in [1_000, 100_000] {
        let path = dir.path().join(format!("file-{count}"));
        measure("file", count, &FileStore::open(path)?)?;
        let path = dir.path().join(format!("sqlite-{count}"));
        measure("sqlite", count, &SqliteStore::open(path)?)?;
    }
    Ok(())
}

fn measure(name: &str, count: usize, store: &impl Store) -> Result<(), StoreError> {
    let start = Instant::now();
    for number in 0..count {
        store.save(&key(number), &value(number), Expect::Absent, None)?;
    }
    let create = start.elapsed() / u32::try_from(count).unwrap();

    // Numbers in an order that no cache expects.
    let numbers = || (0..ROUNDS).map(|round| key(round * 7_919 % count));
    let (mut load, mut replace) = (Vec::new(), Vec::new());
    for key in numbers() {
        let start = Instant::now();
        let record: Record = store.load(&key)?.unwrap();
        load.push(start.elapsed());
        let saved = store.save(&key, &value(1), Expect::Version(record.version), None)?;
        replace.push(start.elapsed());
        assert_ne!(saved, Saved::Conflict);
    }

    let start = Instant::now();
    let (mut pages, mut listed, mut after) = (0, 0, None);
    loop {
        let page = store.list("session/", after.as_deref())?;
        listed += page.entries.len();
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, count);
    let page = start.elapsed() / pages;
    println!(
        "{name}, {count}: {create:.1?}, {:.1?}, {:.1?}, {page:.1?}",
        median(load),
        median(replace)
    );
    Ok(())
}

fn memory() {
    const COUNT: usize = 100_000;
    let before = resident();
    let store = MemoryStore::new();
    for number in 0..COUNT {
        Store::save(&store, &key(number), &value(number), Expect::Absent, None).unwrap();
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        let bytes = (after - before) / COUNT;
        println!("memory: {bytes} bytes a record, with a value of {VALUE} bytes");
    }
    let start = Instant::now();
    for number in 0..COUNT {
        Store::load(&store, &key(number)).unwrap();
    }
    println!("memory, {COUNT}: load {:.1?}", start.elapsed() / u32::try_from(COUNT).unwrap());
}

/// Bytes of this process that are in memory; `None` if the system does not tell.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kib| kib * 1024)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn key(number: usize) -> String {
    format!("session/did:plc:{number:024}/{number:022}")
}

fn value(number: usize) -> SecretBytes {
    SecretBytes(number.to_string().into_bytes().into_iter().cycle().take(VALUE).collect())
}
