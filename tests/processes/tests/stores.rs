//! Tests: sessions in each store, used by processes that are killed.

#![allow(clippy::unwrap_used, reason = "a failed test panics with its location")]

use std::time::Duration;

use atproto_oauth_processes::{Place, Plan, Sandboxed, Summary, run};

fn plan(place: Place, is_sealed: bool) -> Plan {
    Plan {
        program: env!("CARGO_BIN_EXE_atproto-oauth-processes").into(),
        place,
        is_sealed,
        workers: 8,
        sessions: 8,
        pause: Duration::from_secs(4),
        time: Duration::from_secs(60),
        kill_every: Some(Duration::from_millis(1200)),
    }
}

/// Runs the whole test in one store.
fn lose_none(place: Place, is_sealed: bool) {
    let summary = run(&mut Sandboxed::start(1).unwrap(), &plan(place, is_sealed)).unwrap();
    println!("{summary}");
    let Summary { requests, refreshes, kills, held, between, .. } = summary;
    assert!(requests > 200 && refreshes > 50 && kills > 15 && held > 5 && between > 2);
}

#[test]
fn processes_that_live_lose_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(Place::File(folder.path().join("sessions")), false);
    let (pause, time) = (Duration::from_millis(500), Duration::from_secs(2));
    let plan = Plan { sessions: 1, pause, time, kill_every: None, ..plan };
    let summary = run(&mut Sandboxed::start(1).unwrap(), &plan).unwrap();
    println!("{summary}");
    assert!(summary.refreshes > 10 && summary.lost == 0);
}

#[test]
#[ignore = "takes two minutes; run tests/processes/run"]
fn killed_processes_lose_no_other_session_in_files() {
    let folder = tempfile::tempdir().unwrap();
    lose_none(Place::File(folder.path().join("sessions")), false);
}

#[test]
#[ignore = "takes two minutes; run tests/processes/run"]
fn killed_processes_lose_no_other_session_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    lose_none(Place::Sqlite(folder.path().join("sessions.db")), true);
}

#[cfg(feature = "postgres")]
#[test]
#[ignore = "takes two minutes; run tests/databases/run"]
fn killed_processes_lose_no_other_session_in_postgres() {
    lose_none(Place::Postgres(std::env::var("ATPROTO_STORE_POSTGRES").unwrap()), true);
}

#[cfg(feature = "mysql")]
#[test]
#[ignore = "takes two minutes; run tests/databases/run"]
fn killed_processes_lose_no_other_session_in_mysql() {
    lose_none(Place::Mysql(std::env::var("ATPROTO_STORE_MYSQL").unwrap()), false);
}

#[cfg(feature = "redis")]
#[test]
#[ignore = "takes two minutes; run tests/databases/run"]
fn killed_processes_lose_no_other_session_in_redis() {
    lose_none(Place::Redis(std::env::var("ATPROTO_STORE_REDIS").unwrap()), false);
}
