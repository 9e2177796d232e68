//! [`PostgresStore`]: records in a table of PostgreSQL.

use std::fmt;

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};
use sqlx::error::DatabaseError;
use sqlx::{PgPool, Postgres};

use super::sql::{
    Answer, Diagnosis, Dialect, Problem, Server, Statement, column, deletion, page, range, record,
    statement,
};
use super::{DatabaseOptions, SWEEP, misconfigured, seconds};
use crate::key::{PAGE, check_key, check_prefix, check_value};
use crate::record::{new_version, whole_seconds};
use crate::store::AsyncStore;

/// A store in PostgreSQL, for any number of processes and machines.
///
/// The records are rows of one table ([`SCHEMA`](Self::SCHEMA)). Each write is one statement. The
/// isolation level does not matter.
///
/// Limits: a key of [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) and
/// [`MAX_SEGMENTS`](crate::MAX_SEGMENTS), a value of [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). An
/// expiry is kept in whole seconds. Values are stored as they are; `Sealed` encrypts them.
///
/// Needs Rust 1.94, a tokio runtime, and PostgreSQL 12 or newer.
///
/// ```no_run
/// # async fn example() -> Result<(), atproto_oauth_store::StoreError> {
/// use atproto_oauth_store::PostgresStore;
///
/// let store = PostgresStore::connect("postgres://app@db.example/app?sslmode=verify-full").await?;
/// store.create_schema().await?;
/// # Ok(())
/// # }
/// ```
pub struct PostgresStore {
    server: Server<Postgres>,
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

impl PostgresStore {
    /// The statements that create the table and its index, unless they exist.
    pub const SCHEMA: &str = include_str!("schema.sql");

    /// Connects to the server of `url` with a pool of its own.
    ///
    /// # Errors
    ///
    /// Fails if the server can't be reached, or if it may lose a write that it has confirmed:
    /// `synchronous_commit` and `fsync` must be on, and the table must be logged.
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
    pub async fn with_pool(pool: PgPool, options: &DatabaseOptions) -> Result<Self, StoreError> {
        Self::open(Server::with_pool(pool, options)?, options).await
    }

    /// Creates the table and its index, unless they exist.
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
    pub fn pool(&self) -> &PgPool {
        self.server.pool()
    }

    async fn open(server: Server<Postgres>, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let sql = Sql::new(server.table());
        let store = Self { server, sql };
        if !options.relaxed {
            store.check_durability().await?;
        }
        Ok(store)
    }

    async fn check_durability(&self) -> Result<(), StoreError> {
        let sql = "SELECT current_setting('synchronous_commit') <> 'off', \
                   current_setting('fsync') = 'on', \
                   (SELECT relpersistence::text = 'p' FROM pg_class WHERE oid = to_regclass($1))";
        let table = format!("\"{}\"", self.server.table());
        let rows = self.server.rows(self.server.deadline(), statement(sql).bind(table)).await?;
        for row in &rows {
            let settings = [("synchronous_commit", 0), ("fsync", 1)];
            for (name, index) in settings {
                if !column::<_, bool>(row, index)? {
                    return Err(misconfigured(format!(
                        "PostgreSQL has `{name}=off` and may lose confirmed writes; set it to `on`, or \
                         accept that with `DatabaseOptions::relaxed`"
                    )));
                }
            }
            if column::<_, Option<bool>>(row, 2)? == Some(false) {
                return Err(misconfigured(format!(
                    "the table `{}` is unlogged or temporary, and PostgreSQL empties it after a crash; \
                     run `ALTER TABLE … SET LOGGED`, or accept that with `DatabaseOptions::relaxed`",
                    self.server.table()
                )));
            }
        }
        Ok(())
    }
}

impl Sql {
    fn new(table: &str) -> Self {
        let t = format!("\"{table}\"");
        let insert = format!(
            "INSERT INTO {t} (record_key, value, version, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (record_key) DO"
        );
        Self {
            load: format!("SELECT value, version, expires_at FROM {t} WHERE record_key = $1"),
            update: format!(
                "UPDATE {t} SET value = $2, version = $3, expires_at = $4 \
                 WHERE record_key = $1 AND version = $5"
            ),
            upsert: format!(
                "{insert} UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, \
                 expires_at = EXCLUDED.expires_at"
            ),
            insert: format!("{insert} NOTHING"),
            delete: format!("DELETE FROM {t} WHERE record_key = $1"),
            delete_version: format!("DELETE FROM {t} WHERE record_key = $1 AND version = $2"),
            exists: format!("SELECT 1 FROM {t} WHERE record_key = $1"),
            list: format!(
                "SELECT record_key, version, expires_at FROM {t} \
                 WHERE record_key >= $1 AND record_key < $2 ORDER BY record_key LIMIT $3"
            ),
            // The condition is repeated, because a record may be saved after the inner query saw it.
            sweep: format!(
                "DELETE FROM {t} WHERE expires_at < $1 AND record_key IN \
                 (SELECT record_key FROM {t} WHERE expires_at < $1 LIMIT $2)"
            ),
        }
    }
}

impl AsyncStore for PostgresStore {
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
        let write = || {
            let save = statement(sql)
                .bind(key.as_bytes())
                .bind(&value.0[..])
                .bind(version.0.cast_signed())
                .bind(whole_seconds(expires_at).map(seconds));
            match expect {
                Expect::Version(present) => save.bind(present.0.cast_signed()),
                Expect::Absent | Expect::Any => save,
            }
        };
        Ok(match self.server.write(self.server.deadline(), write).await? {
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

impl Dialect for Postgres {
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

    /// Appendix «PostgreSQL Error Codes» of its manual.
    fn diagnose(error: &dyn DatabaseError) -> Diagnosis {
        let code = error.code().unwrap_or_default().into_owned();
        let class = code.get(..2).unwrap_or_default();
        let problem = match code.as_str() {
            "23505" | "42P07" => Problem::Duplicate,
            "40001" | "40P01" => Problem::Repeat,
            "42P01" => Problem::NoTable,
            "3D000" => Problem::NoDatabase,
            "25006" => Problem::ReadOnly,
            "42501" => Problem::Denied,
            _ if class == "28" => Problem::Denied,
            _ if class == "54" => Problem::TooLarge,
            _ => Problem::Other,
        };
        // If the server ends a connection, it may be while a commit waits for a replica.
        let not_applied = match class {
            "40" => code != "40003",
            "57" => code == "57014",
            _ => ["22", "23", "25", "28", "3D", "42", "53", "54", "55"].contains(&class),
        };
        Diagnosis { problem, not_applied, code }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("table", &self.server.table()).finish_non_exhaustive()
    }
}
