//! [`SqliteStore`]: records in a table of SQLite.

mod failure;
mod setup;

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreError, UnixTime, Version,
};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::key::{PAGE, check_key, check_prefix, check_value, foreign_position, invalid};
use crate::record::{new_version, whole_seconds, wiped};
use crate::store::Store;
use failure::{read_failed, write_failed};
use setup::Durability;

const SCHEMA: &str = include_str!("schema.sql");

/// A store in an SQLite database, for several processes on one machine.
///
/// The records are rows of the table `atproto_oauth_records`. Other tables of the database are left
/// alone. Each operation is one transaction, and waits five seconds for other processes at most.
///
/// A database on a file system of a network is not safe, because its locks may not work.
///
/// Limits: [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES), [`MAX_SEGMENTS`](crate::MAX_SEGMENTS),
/// [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). A key with the character NUL is an error. An expiry is
/// kept in whole seconds. Values are stored as they are.
pub struct SqliteStore {
    writer: Mutex<Connection>,
    /// A connection that waits for no write. A connection of the program's has none beside it.
    reader: Option<Mutex<Connection>>,
}

impl SqliteStore {
    /// The statements that create the table and its index, unless they exist.
    pub const SCHEMA: &str = SCHEMA;

    /// Opens the database file `path`, and creates file and table if they are missing.
    ///
    /// The database is set to `journal_mode=WAL`, `synchronous=FULL` and `secure_delete=ON`. On Unix,
    /// a new file has the mode 0600.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be opened, if it is no database, if its table has another form, or if
    /// other users may access it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), Durability::Full)
    }

    /// Opens the database file `path` like [`open`](Self::open), with `synchronous=NORMAL`: if the power
    /// fails, the last writes may be lost. A lost refresh token ends its session.
    ///
    /// # Errors
    ///
    /// Fails like [`open`](Self::open).
    pub fn open_relaxed(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), Durability::Relaxed)
    }

    /// Uses a connection of the program's, whose database has the table of [`SCHEMA`](Self::SCHEMA).
    /// The busy timeout of the connection is set to five seconds.
    ///
    /// # Errors
    ///
    /// Fails if the table is missing, if the connection is in a transaction, or if the database may lose
    /// a write that it has confirmed: it needs `journal_mode=WAL` with `synchronous=FULL`, or another
    /// journal on disk with `synchronous=EXTRA`.
    pub fn with_connection(connection: Connection) -> Result<Self, StoreError> {
        Self::with(connection, Durability::Full)
    }

    /// Uses a connection of the program's like [`with_connection`](Self::with_connection), whatever
    /// `journal_mode` and `synchronous` are. If the power fails, the last writes may be lost.
    ///
    /// # Errors
    ///
    /// Fails if the table is missing, or if the connection is in a transaction.
    pub fn with_relaxed_connection(connection: Connection) -> Result<Self, StoreError> {
        Self::with(connection, Durability::Relaxed)
    }

    /// Removes the records whose expiry is before `now`, and returns their number.
    ///
    /// # Errors
    ///
    /// Fails if the database is not available.
    pub fn sweep(&self, now: UnixTime) -> Result<usize, StoreError> {
        let sql = "DELETE FROM atproto_oauth_records WHERE expires_at < :now";
        let now = now.as_secs().min(i64::MAX.unsigned_abs()).cast_signed();
        let writer = lock(&self.writer);
        let mut statement = writer.prepare_cached(sql).map_err(|error| read_failed(&error))?;
        statement.execute(named_params! { ":now": now }).map_err(|error| write_failed(&error))
    }

    fn open_with(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let (writer, reader) = setup::open(path, durability)?;
        Ok(Self { writer: Mutex::new(writer), reader: Some(Mutex::new(reader)) })
    }

    fn with(connection: Connection, durability: Durability) -> Result<Self, StoreError> {
        setup::check(&connection, durability)?;
        Ok(Self { writer: Mutex::new(connection), reader: None })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        lock(self.reader.as_ref().unwrap_or(&self.writer))
    }
}

impl Store for SqliteStore {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_text(key)?;
        let sql = "SELECT value, version, expires_at FROM atproto_oauth_records WHERE key = :key";
        let reader = self.reader();
        let load = || reader.prepare_cached(sql)?.query_row([key], record).optional();
        load().map_err(|error| read_failed(&error))
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        check_text(key)?;
        check_value(value)?;
        let version = new_version()?;
        let new = version.0.cast_signed();
        let expiry = whole_seconds(expires_at).map(|time| time.as_secs().cast_signed());
        let value: &[u8] = &value.0;

        let writer = lock(&self.writer);
        let sql = match expect {
            Expect::Absent => INSERT,
            Expect::Version(_) => UPDATE,
            Expect::Any => UPSERT,
        };
        let mut statement = writer.prepare_cached(sql).map_err(|error| read_failed(&error))?;
        let written = match expect {
            Expect::Absent | Expect::Any => statement.execute(named_params! {
                ":key": key, ":value": value, ":new": new, ":expires_at": expiry,
            }),
            Expect::Version(Version(present)) => statement.execute(named_params! {
                ":key": key, ":value": value, ":new": new, ":expires_at": expiry,
                ":present": present.cast_signed(),
            }),
        };
        let rows = written.map_err(|error| write_failed(&error))?;
        Ok(if rows == 0 { Saved::Conflict } else { Saved::As(version) })
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_text(key)?;
        let writer = lock(&self.writer);
        let rows = match expect {
            Expect::Absent => Ok(0),
            Expect::Version(Version(present)) => writer
                .prepare_cached(
                    "DELETE FROM atproto_oauth_records WHERE key = :key AND version = :present",
                )
                .and_then(|mut statement| {
                    statement
                        .execute(named_params! { ":key": key, ":present": present.cast_signed() })
                }),
            Expect::Any => writer
                .prepare_cached("DELETE FROM atproto_oauth_records WHERE key = :key")
                .and_then(|mut statement| statement.execute(named_params! { ":key": key })),
        };
        if rows.map_err(|error| write_failed(&error))? > 0 || expect == Expect::Any {
            return Ok(Deleted::Yes);
        }
        // No record had the version, and no later one has it. So this second statement decides, at its
        // own time.
        let is_there = writer
            .prepare_cached("SELECT 1 FROM atproto_oauth_records WHERE key = :key")
            .and_then(|mut statement| statement.exists(named_params! { ":key": key }))
            .map_err(|error| read_failed(&error))?;
        Ok(if is_there { Deleted::Conflict } else { Deleted::Yes })
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        check_prefix(prefix)?;
        check_nul(prefix)?;
        let after = after.unwrap_or(prefix);
        if !after.starts_with(prefix) {
            return Err(foreign_position());
        }
        // `0` is the character behind `/`. No key is equal to its prefix.
        let end = prefix.strip_suffix('/').map(|segments| format!("{segments}0"));
        let reader = self.reader();
        let list = || {
            let mut statement =
                reader.prepare_cached(if end.is_some() { LIST } else { LIST_ALL })?;
            let limit = (PAGE + 1).cast_signed();
            let rows = match &end {
                Some(end) => statement.query_map((after, limit, end), listed)?,
                None => statement.query_map((after, limit), listed)?,
            };
            rows.collect::<Result<Vec<_>, _>>()
        };
        let mut entries = list().map_err(|error| read_failed(&error))?;
        let is_last = entries.len() <= PAGE;
        entries.truncate(PAGE);
        let next = entries.last().filter(|_| !is_last).map(|last| last.key.clone());
        Ok(Listing { entries, next })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A statement that a panic has interrupted is rolled back.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses a key that SQLite can't keep as text.
fn check_text(key: &str) -> Result<(), StoreError> {
    check_key(key)?;
    check_nul(key)
}

fn check_nul(key: &str) -> Result<(), StoreError> {
    if key.contains('\0') {
        return Err(invalid("a key has the character NUL, which SQLite can't keep in text"));
    }
    Ok(())
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        value: wiped(row.get::<_, Vec<u8>>(0)?),
        version: version(row.get(1)?),
        expires_at: row.get::<_, Option<i64>>(2)?.map(seconds),
    })
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        key: row.get(0)?,
        version: version(row.get(1)?),
        expires_at: row.get::<_, Option<i64>>(2)?.map(seconds),
    })
}

fn version(stored: i64) -> Version {
    Version(stored.cast_unsigned())
}

fn seconds(stored: i64) -> UnixTime {
    UnixTime::from_secs(u64::try_from(stored).unwrap_or(0))
}

const INSERT: &str = "INSERT INTO atproto_oauth_records (key, value, version, expires_at)
    VALUES (:key, :value, :new, :expires_at) ON CONFLICT (key) DO NOTHING";

const UPDATE: &str = "UPDATE atproto_oauth_records
    SET value = :value, version = :new, expires_at = :expires_at
    WHERE key = :key AND version = :present";

const UPSERT: &str = "INSERT INTO atproto_oauth_records (key, value, version, expires_at)
    VALUES (:key, :value, :new, :expires_at) ON CONFLICT (key) DO UPDATE
    SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at";

const LIST: &str = "SELECT key, version, expires_at FROM atproto_oauth_records
    WHERE key > ?1 AND key < ?3 ORDER BY key LIMIT ?2";

const LIST_ALL: &str = "SELECT key, version, expires_at FROM atproto_oauth_records
    WHERE key > ?1 ORDER BY key LIMIT ?2";
