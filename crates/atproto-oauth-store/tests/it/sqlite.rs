use std::path::PathBuf;

use atproto_oauth_store::rusqlite::Connection;
use atproto_oauth_store::{
    Expect, SqliteStore, Store, StoreError, StoreErrorKind, UnixTime, conformance,
};
use tempfile::TempDir;

use crate::{loaded, value};

const KEY: &str = "session/did:plc:a/1";

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    (dir, path)
}

fn durable(path: &PathBuf) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection
}

#[track_caller]
fn is_misconfigured(outcome: Result<SqliteStore, StoreError>, words: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn conforms() {
    let (_dir, path) = place();
    conformance::run(&SqliteStore::open(path).unwrap()).unwrap();
}

#[test]
fn a_url_is_no_path_and_is_not_repeated() {
    for url in ["postgres://user:hunter2@db/app", "sqlite:hunter2.db", "file:hunter2.db"] {
        let refused = SqliteStore::open(url);
        assert!(!refused.as_ref().unwrap_err().to_string().contains("hunter2"));
        is_misconfigured(refused, "the path is a URL");
    }
}

#[test]
fn a_connection_of_the_program_conforms() {
    let (_dir, path) = place();
    let connection = durable(&path);
    connection.execute_batch(SqliteStore::SCHEMA).unwrap();
    conformance::run(&SqliteStore::with_connection(connection).unwrap()).unwrap();
}

#[test]
fn a_database_in_memory_conforms_if_its_loss_is_accepted() {
    let connection = || {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SqliteStore::SCHEMA).unwrap();
        connection
    };
    conformance::run(&SqliteStore::with_relaxed_connection(connection()).unwrap()).unwrap();
    is_misconfigured(SqliteStore::with_connection(connection()), "with_relaxed_connection");
}

#[test]
fn a_database_of_another_encoding_conforms() {
    let (_dir, path) = place();
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "encoding", "UTF-16").unwrap();
    connection.execute_batch(SqliteStore::SCHEMA).unwrap();
    conformance::run(&SqliteStore::with_relaxed_connection(connection).unwrap()).unwrap();
}

#[test]
fn processes_add_up() {
    let (_dir, path) = place();
    let open = |place: &str| SqliteStore::open(place).unwrap();
    conformance::processes("sqlite::processes_add_up", path.to_str().unwrap(), open).unwrap();
}

#[test]
fn the_loss_of_confirmed_writes_is_refused() {
    let (_dir, path) = place();
    durable(&path).execute_batch(SqliteStore::SCHEMA).unwrap();
    for (journal, synchronous, is_durable) in [
        ("WAL", "OFF", false),
        ("WAL", "NORMAL", false),
        ("WAL", "FULL", true),
        ("WAL", "EXTRA", true),
        ("DELETE", "FULL", false),
        ("DELETE", "EXTRA", true),
        ("MEMORY", "EXTRA", false),
        ("OFF", "EXTRA", false),
    ] {
        let open = || {
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update(None, "journal_mode", journal).unwrap();
            connection.pragma_update(None, "synchronous", synchronous).unwrap();
            connection
        };
        let outcome = SqliteStore::with_connection(open());
        if is_durable {
            outcome.unwrap();
        } else {
            is_misconfigured(outcome, "PRAGMA synchronous=FULL");
        }
        SqliteStore::with_relaxed_connection(open()).unwrap();
    }
}

#[test]
fn an_opened_database_is_durable_unless_that_is_declined() {
    let (_dir, path) = place();
    SqliteStore::open_relaxed(&path).unwrap();
    SqliteStore::open(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let journal: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(journal, "wal");
}

#[cfg(unix)]
#[test]
fn permissions_are_the_owners() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let (dir, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(store);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    is_misconfigured(SqliteStore::open(&path), "chmod 600");
}

#[test]
fn a_database_of_another_program_is_shared() {
    let (_dir, path) = place();
    let connection = durable(&path);
    connection.pragma_update(None, "user_version", 7).unwrap();
    connection.execute_batch("CREATE TABLE users (id); INSERT INTO users VALUES (1)").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    is_misconfigured(SqliteStore::with_connection(durable(&path)), "SqliteStore::SCHEMA");

    let store = SqliteStore::open(&path).unwrap();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let users: i64 =
        connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!((users, version), (1, 7));
}

#[test]
fn the_schema_may_be_run_again() {
    let (_dir, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    durable(&path).execute_batch(SqliteStore::SCHEMA).unwrap();
    let second = SqliteStore::open(&path).unwrap();
    assert_eq!(loaded(&second, KEY), loaded(&store, KEY));
}

#[test]
fn a_foreign_table_or_file_is_refused() {
    let (dir, path) = place();
    let connection = durable(&path);
    connection.execute_batch("CREATE TABLE atproto_oauth_records (key, expires_at)").unwrap();
    is_misconfigured(SqliteStore::with_connection(connection), "of another form");

    let file = dir.path().join("file");
    std::fs::write(
        &file,
        "no database, but a text that is longer than a header of SQLite".repeat(99),
    )
    .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    is_misconfigured(SqliteStore::open(&file), "not a database");
    for path in ["", ":memory:"] {
        is_misconfigured(SqliteStore::open(path), "MemoryStore");
    }
    is_misconfigured(SqliteStore::open(dir.path().join("missing/file")), "missing");
}

#[test]
fn a_transaction_is_refused() {
    let (_dir, path) = place();
    let connection = durable(&path);
    connection.execute_batch(SqliteStore::SCHEMA).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    is_misconfigured(SqliteStore::with_connection(connection), "transaction");
}

#[test]
fn a_dropped_table_is_an_error_that_names_it() {
    let (_dir, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    durable(&path).execute_batch("DROP TABLE atproto_oauth_records").unwrap();
    let error = store.load(KEY).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains("atproto_oauth_records"));
}

#[test]
fn a_listing_reads_the_index() {
    let (_dir, path) = place();
    SqliteStore::open(&path).unwrap();
    let plan: String = Connection::open(&path)
        .unwrap()
        .query_row(
            "EXPLAIN QUERY PLAN SELECT key, version, expires_at FROM atproto_oauth_records
             WHERE key > 'a/' AND key < 'a0' ORDER BY key LIMIT 101",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("SEARCH") && plan.contains("key>? AND key<?"), "{plan}");
}

#[test]
fn a_sweep_removes_what_has_expired() {
    let (_dir, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    for (key, expiry) in [("state/a", Some(10)), ("state/b", Some(20)), (KEY, None)] {
        let expiry = expiry.map(UnixTime::from_secs);
        store.save(key, &value(b"1"), Expect::Absent, expiry).unwrap();
    }
    assert_eq!(store.sweep(UnixTime::from_secs(10)).unwrap(), 0);
    assert_eq!(store.sweep(UnixTime::from_secs(11)).unwrap(), 1);
    assert_eq!(store.list("", None).unwrap().entries.len(), 2);
    assert_eq!(format!("{store:?}"), "SqliteStore { .. }");
}

#[test]
fn a_lock_that_another_program_holds_is_a_transient_error() {
    let (_dir, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let other = durable(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.save(KEY, &value(b"2"), Expect::Any, None).unwrap_err();
    assert!(error.is_transient() && !error.maybe_applied, "{error}");
    // A reader does not wait for a writer.
    assert_eq!(&*loaded(&store, KEY).value.0, b"1");
    other.execute_batch("COMMIT").unwrap();
    store.save(KEY, &value(b"2"), Expect::Any, None).unwrap();
}
