//! Opens a database, and checks that it keeps what it is given.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use atproto_sansio::StoreError;
use rusqlite::{Connection, OpenFlags};

use super::failure::{misconfigured, read_failed, write_failed};

/// Time that a statement waits for another process.
const BUSY: Duration = Duration::from_secs(5);

/// How much of a write may be lost when the power fails.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Durability {
    /// Nothing.
    Full,
    /// The last writes.
    Relaxed,
}

/// Opens the database file `path`, which is created for its owner only. Returns a connection for
/// writes and one for reads.
pub(super) fn open(
    path: &Path,
    durability: Durability,
) -> Result<(Connection, Connection), StoreError> {
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(misconfigured("the path is no file; use `MemoryStore` for records in memory"));
    }
    if is_url(path) {
        // The text of the URL is not repeated: it may have a password.
        return Err(misconfigured(
            "the path is a URL; give the path of a file, or use the store of the other database",
        ));
    }
    create_private(path)?;
    let writer = connect(path)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    writer
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| writer.pragma_update(None, "synchronous", synchronous))
        // A removed value is overwritten with zeros.
        .and_then(|()| writer.pragma_update(None, "secure_delete", "ON"))
        .and_then(|()| writer.execute_batch(super::SCHEMA))
        .map_err(|error| write_failed(&error))?;
    check(&writer, durability)?;
    let reader = connect(path)?;
    reader.pragma_update(None, "query_only", "ON").map_err(|error| read_failed(&error))?;
    Ok((writer, reader))
}

/// Whether the path is the URL of a database, such as `postgres://host` or `sqlite:file.db`. SQLite would
/// make a file of that name.
fn is_url(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("://") || text.starts_with("sqlite:") || text.starts_with("file:")
}

/// Refuses a connection that loses writes, that is in a transaction, or that lacks the table.
pub(super) fn check(connection: &Connection, durability: Durability) -> Result<(), StoreError> {
    if !connection.is_autocommit() {
        return Err(misconfigured("the connection is in a transaction; commit it first"));
    }
    if durability == Durability::Full {
        let failed = |error| read_failed(&error);
        let synchronous: i64 =
            connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
        let journal: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(failed)?;
        // 2 is FULL and 3 is EXTRA. Without a write-ahead log, FULL does not sync the removal of the
        // journal, which is the commit.
        let is_durable = match journal.as_str() {
            "wal" => synchronous >= 2,
            "delete" | "truncate" | "persist" => synchronous >= 3,
            _ => false,
        };
        if !is_durable {
            return Err(misconfigured(format!(
                "the database may lose a write that it has confirmed: journal_mode is {journal} and \
                 synchronous is {synchronous}; run `PRAGMA journal_mode=WAL` and `PRAGMA \
                 synchronous=FULL`, or accept the loss with `open_relaxed` or `with_relaxed_connection`"
            )));
        }
    }
    let columns = "SELECT key, value, version, expires_at FROM atproto_oauth_records LIMIT 0";
    connection.prepare(columns).map(drop).map_err(|error| {
        misconfigured(format!(
            "the table atproto_oauth_records is missing or of another form: {error}; run the \
             statements of `SqliteStore::SCHEMA`"
        ))
    })?;
    connection.busy_timeout(BUSY).map_err(|error| read_failed(&error))
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    // A path is a path, also if it begins with `file:`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| read_failed(&error))?;
    connection.busy_timeout(BUSY).map_err(|error| read_failed(&error))?;
    Ok(connection)
}

/// Creates the file if it is missing, and refuses a file that others may access. SQLite gives the
/// permissions of the database to the files beside it.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| {
        misconfigured(format!("the database {shown} can't be opened or created: {error}"))
    })?;
    #[cfg(unix)]
    {
        let found = file.metadata().map_err(|error| {
            misconfigured(format!("the database {shown} can't be opened: {error}"))
        })?;
        let mode = std::os::unix::fs::MetadataExt::mode(&found) & 0o777;
        if mode & 0o077 != 0 {
            return Err(misconfigured(format!(
                "other users may access the database {shown} (its mode is {mode:03o}); run: chmod \
                 600 '{shown}'*"
            )));
        }
    }
    drop(file);
    Ok(())
}
