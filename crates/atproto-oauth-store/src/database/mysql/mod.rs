//! [`MysqlStore`]: records in a table of MySQL or MariaDB.

use std::fmt;

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::{MySql, MySqlPool};

use super::sql::{
    Answer, Diagnosis, Dialect, Problem, Server, Statement, column, deletion, page, range, record,
    statement,
};
use super::{DatabaseOptions, SWEEP, misconfigured, seconds};
use crate::key::{PAGE, check_key, check_prefix, check_value};
use crate::record::{new_version, whole_seconds};
use crate::store::AsyncStore;

/// A store in MySQL or MariaDB, for any number of processes and machines that write to one server.
///
/// The records are rows of one table ([`SCHEMA`](Self::SCHEMA)). Each write is one statement. The
/// isolation level does not matter. In a cluster in which several servers accept writes (Galera), two
/// writes may both succeed: connect all processes to the same server.
///
/// Limits: a key of [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) and
/// [`MAX_SEGMENTS`](crate::MAX_SEGMENTS), a value of [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). An
/// expiry is kept in whole seconds. Values are stored as they are; `Sealed` encrypts them.
///
/// Needs Rust 1.94, a tokio runtime, and MySQL 8 or MariaDB 10.5 or newer. The password method
/// `caching_sha2_password` of MySQL works only over TLS.
///
/// ```no_run
/// # async fn example() -> Result<(), atproto_oauth_store::StoreError> {
/// use atproto_oauth_store::MysqlStore;
///
/// let store = MysqlStore::connect("mysql://app@db.example/app?ssl-mode=VERIFY_IDENTITY").await?;
/// store.create_schema().await?;
/// # Ok(())
/// # }
/// ```
pub struct MysqlStore {
    server: Server<MySql>,
    sql: Sql,
}

/// The statements, with the name of the table.
struct Sql {
    load: String,
    insert: String,
    update: String,
    upsert: String,
    delete: String,
    delete_version: String,
    exists: String,
    list: String,
    sweep: String,
}

impl MysqlStore {
    /// The statements that create the table, unless it exists.
    pub const SCHEMA: &str = include_str!("schema.sql");

    /// Connects to the server of `url` with a pool of its own.
    ///
    /// # Errors
    ///
    /// Fails if the server can't be reached, or if it may lose a write that it has confirmed:
    /// it needs `innodb_flush_log_at_trx_commit=1`, `autocommit=1`, the engine InnoDB, and
    /// `sync_binlog=1` if it has a binary log.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, &DatabaseOptions::new()).await
    }

    /// Connects like [`connect`](Self::connect), with `options`.
    ///
    /// # Errors
    ///
    /// Fails like [`connect`](Self::connect), unless the options are
    /// [`relaxed`](DatabaseOptions::relaxed).
    pub async fn connect_with(url: &str, options: &DatabaseOptions) -> Result<Self, StoreError> {
        Self::open(Server::connect(url, options).await?, options).await
    }

    /// Uses a pool of the program's.
    ///
    /// # Errors
    ///
    /// Fails like [`connect_with`](Self::connect_with).
    pub async fn with_pool(pool: MySqlPool, options: &DatabaseOptions) -> Result<Self, StoreError> {
        Self::open(Server::with_pool(pool, options)?, options).await
    }

    /// Creates the table, unless it exists.
    ///
    /// # Errors
    ///
    /// Fails if the server is not available, or if the user may not create tables.
    pub async fn create_schema(&self) -> Result<(), StoreError> {
        self.server.create(Self::SCHEMA).await
    }

    /// Removes the records whose expiry is before `now`, and returns their number.
    ///
    /// # Errors
    ///
    /// Fails if the server is not available. Some records may be removed then.
    pub async fn sweep(&self, now: UnixTime) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let sweep = || statement(&self.sql.sweep).bind(seconds(now)).bind(SWEEP.cast_signed());
            let removed = self.server.write(self.server.deadline(), sweep).await?.unwrap_or(0);
            total += removed;
            if removed < SWEEP {
                return Ok(total);
            }
        }
    }

    /// The pool of connections.
    pub fn pool(&self) -> &MySqlPool {
        self.server.pool()
    }

    async fn open(server: Server<MySql>, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let sql = Sql::new(server.table());
        let store = Self { server, sql };
        if !options.relaxed {
            store.check_durability().await?;
        }
        Ok(store)
    }

    async fn check_durability(&self) -> Result<(), StoreError> {
        // MariaDB flushes at each commit with the value 3 as well.
        let sql = "SELECT CAST(@@innodb_flush_log_at_trx_commit IN (1, 3) AS SIGNED), \
                   CAST(@@log_bin = 0 OR @@sync_binlog = 1 AS SIGNED), \
                   CAST(@@autocommit AS SIGNED), \
                   (SELECT CAST(engine = 'InnoDB' AS SIGNED) FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name = ?)";
        let table = self.server.table();
        let check = statement(sql).bind(table.to_owned());
        let rows = self.server.rows(self.server.deadline(), check).await?;
        let problems = [
            "MySQL does not flush its log at each commit; set `innodb_flush_log_at_trx_commit=1`",
            "MySQL does not flush its binary log at each commit; set `sync_binlog=1`",
            "the connections have `autocommit=0`, and no write would be kept; set it to 1",
            "the table of the records has not the engine InnoDB; run `ALTER TABLE … ENGINE=InnoDB`",
        ];
        for row in &rows {
            for (index, problem) in problems.into_iter().enumerate() {
                if column::<_, Option<i64>>(row, index)? == Some(0) {
                    return Err(misconfigured(format!(
                        "{problem}, or accept the loss of confirmed writes with \
                         `DatabaseOptions::relaxed`"
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Sql {
    fn new(table: &str) -> Self {
        let t = format!("`{table}`");
        let insert =
            format!("INSERT INTO {t} (value, version, expires_at, record_key) VALUES (?, ?, ?, ?)");
        Self {
            load: format!("SELECT value, version, expires_at FROM {t} WHERE record_key = ?"),
            update: format!(
                "UPDATE {t} SET value = ?, version = ?, expires_at = ? \
                 WHERE record_key = ? AND version = ?"
            ),
            // MySQL and MariaDB have no name for the new row in common.
            upsert: format!(
                "{insert} ON DUPLICATE KEY UPDATE value = ?, version = ?, expires_at = ?"
            ),
            insert,
            delete: format!("DELETE FROM {t} WHERE record_key = ?"),
            delete_version: format!("DELETE FROM {t} WHERE record_key = ? AND version = ?"),
            exists: format!("SELECT 1 FROM {t} WHERE record_key = ?"),
            list: format!(
                "SELECT record_key, version, expires_at FROM {t} \
                 WHERE record_key >= ? AND record_key < ? ORDER BY record_key LIMIT ?"
            ),
            sweep: format!("DELETE FROM {t} WHERE expires_at < ? LIMIT ?"),
        }
    }
}

impl AsyncStore for MysqlStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        let load = statement(&self.sql.load).bind(key.as_bytes());
        let rows = self.server.rows(self.server.deadline(), load).await?;
        rows.first().map(record).transpose()
    }

    async fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        check_key(key)?;
        check_value(value)?;
        let version = new_version()?;
        let sql = match expect {
            Expect::Absent => &self.sql.insert,
            Expect::Version(_) => &self.sql.update,
            Expect::Any => &self.sql.upsert,
        };
        let expires_at = whole_seconds(expires_at).map(seconds);
        let columns = |save: Statement<MySql>| {
            save.bind(&value.0[..]).bind(version.0.cast_signed()).bind(expires_at)
        };
        let write = || {
            let save = columns(statement(sql)).bind(key.as_bytes());
            match expect {
                Expect::Absent => save,
                Expect::Version(present) => save.bind(present.0.cast_signed()),
                Expect::Any => columns(save),
            }
        };
        Ok(match self.server.write(self.server.deadline(), write).await? {
            // A row that was replaced may count as two.
            Some(1..) => Saved::As(version),
            Some(0) | None => Saved::Conflict,
        })
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_key(key)?;
        let deadline = self.server.deadline();
        let removed = match expect {
            Expect::Any => {
                let delete = || statement(&self.sql.delete).bind(key.as_bytes());
                self.server.write(deadline, delete).await?;
                return Ok(Deleted::Yes);
            }
            Expect::Version(version) => {
                let delete = || {
                    let delete = statement(&self.sql.delete_version);
                    delete.bind(key.as_bytes()).bind(version.0.cast_signed())
                };
                self.server.write(deadline, delete).await?.unwrap_or(0)
            }
            Expect::Absent => 0,
        };
        if removed > 0 {
            return Ok(Deleted::Yes);
        }
        // If no row was removed, the reply may tell of the record as it is now.
        let exists = statement(&self.sql.exists).bind(key.as_bytes());
        let rows = self.server.rows(deadline, exists).await?;
        Ok(deletion(removed, !rows.is_empty()))
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        check_prefix(prefix)?;
        let (first, end) = range(prefix, after)?;
        let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
        let list = statement(&self.sql.list).bind(first).bind(end).bind(limit);
        page(self.server.rows(self.server.deadline(), list).await?)
    }
}

impl Dialect for MySql {
    fn execute<'a>(
        connection: &'a mut Self::Connection,
        statement: Statement<Self>,
    ) -> Answer<'a, u64> {
        Box::pin(async { Ok(statement.execute(connection).await?.rows_affected()) })
    }

    fn rows<'a>(
        connection: &'a mut Self::Connection,
        statement: Statement<Self>,
    ) -> Answer<'a, Vec<Self::Row>> {
        Box::pin(statement.fetch_all(connection))
    }

    fn script(connection: &mut Self::Connection, sql: String) -> Answer<'_, ()> {
        Box::pin(async {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
            Ok(())
        })
    }

    /// Manuals «Server Error Message Reference» (MySQL) and «MariaDB Error Codes».
    fn diagnose(error: &dyn DatabaseError) -> Diagnosis {
        let number =
            error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, |error| error.number());
        let problem = match number {
            1062 | 1050 => Problem::Duplicate,
            // Deadlock, lock wait timeout, and a row that changed after the snapshot.
            1213 | 1205 | 1020 => Problem::Repeat,
            1146 => Problem::NoTable,
            1049 => Problem::NoDatabase,
            1044 | 1045 | 1142 | 1143 | 1227 | 1698 => Problem::Denied,
            1290 | 1792 | 1836 => Problem::ReadOnly,
            1153 => Problem::TooLarge,
            _ => Problem::Other,
        };
        let too_many_connections = [1040, 1203, 1226];
        let not_applied = problem != Problem::Other || too_many_connections.contains(&number);
        Diagnosis { problem, not_applied, code: number.to_string() }
    }
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore").field("table", &self.server.table()).finish_non_exhaustive()
    }
}
