//! The part that PostgreSQL and MySQL share: a pool, time limits, and the meaning of errors.

use std::pin::Pin;
use std::time::Duration;

use atproto_sansio::{
    Deleted, Listed, Listing, Record, StoreError, StoreErrorKind, UnixTime, Version,
};
use sqlx::error::DatabaseError;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ColumnIndex, Database, Decode, Pool, Row, Type};

use super::deadline::{Deadline, Effect};
use super::{DatabaseOptions, end_of, key_text, misconfigured, unavailable, unreadable};
use crate::key::{PAGE, foreign_position};
use crate::record::wiped;

/// Attempts of a statement that the server asks to repeat.
const ATTEMPTS: u32 = 8;

pub(super) type Statement<DB> = Query<'static, DB, <DB as Database>::Arguments>;
pub(super) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'a>>;

/// A kind of database server.
pub(super) trait Dialect: Database {
    fn execute<'a>(
        connection: &'a mut Self::Connection,
        statement: Statement<Self>,
    ) -> Answer<'a, u64>;

    fn rows<'a>(
        connection: &'a mut Self::Connection,
        statement: Statement<Self>,
    ) -> Answer<'a, Vec<Self::Row>>;

    fn script(connection: &mut Self::Connection, sql: String) -> Answer<'_, ()>;

    fn diagnose(error: &dyn DatabaseError) -> Diagnosis;
}

/// The meaning of an error that the server reported.
pub(super) struct Diagnosis {
    pub(super) problem: Problem,
    /// Whether the statement surely changed nothing.
    pub(super) not_applied: bool,
    /// The code of the error, for a log. The server's text may quote a key, so it is not used.
    pub(super) code: String,
}

/// The problems that the operations tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Problem {
    /// A row with that key exists.
    Duplicate,
    /// A conflict with another transaction; the same statement may succeed at once.
    Repeat,
    NoTable,
    NoDatabase,
    Denied,
    ReadOnly,
    TooLarge,
    Other,
}

/// A pool of connections, and the limits of its use.
pub(super) struct Server<DB: Database> {
    pool: Pool<DB>,
    time_limit: Duration,
    table: String,
}

/// A connection in use. Unless its request was answered, it is closed and does not return to the pool,
/// because the late answer would be taken for the answer of the next request.
struct Lease<DB: Database> {
    connection: PoolConnection<DB>,
    answered: bool,
}

impl<DB: Dialect> Server<DB> {
    pub(super) async fn connect(url: &str, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let settings =
            url.parse::<<DB::Connection as sqlx::Connection>::Options>().map_err(|_| {
                misconfigured(format!("the URL of the {} server is malformed", DB::NAME))
            })?;
        let pool = PoolOptions::<DB>::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.time_limit)
            .connect_lazy_with(settings);
        Self::with_pool(pool, options)
    }

    pub(super) fn with_pool(pool: Pool<DB>, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let table = options.checked_namespace()?.to_owned();
        Ok(Self { pool, time_limit: options.time_limit, table })
    }

    pub(super) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    pub(super) fn table(&self) -> &str {
        &self.table
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline::new(DB::NAME, self.time_limit)
    }

    /// Runs a statement that writes, and again if the server asks for it. The reply is the number of
    /// rows; `None` if a row with that key exists.
    pub(super) async fn write(
        &self,
        deadline: Deadline,
        statement: impl Fn() -> Statement<DB> + Send + Sync,
    ) -> Result<Option<u64>, StoreError> {
        let mut attempt = 1;
        loop {
            let mut lease = self.lease(deadline).await?;
            let run = DB::execute(&mut lease.connection, statement());
            let error = match deadline.answer(Effect::Writes, run).await? {
                Ok(rows) => {
                    lease.answered = true;
                    return Ok(Some(rows));
                }
                Err(error) => error,
            };
            match lease.diagnose(&error) {
                Some(Problem::Duplicate) => return Ok(None),
                Some(Problem::Repeat) if attempt < ATTEMPTS => attempt += 1,
                _ => return Err(self.failure(&error, Effect::Writes)),
            }
        }
    }

    pub(super) async fn rows(
        &self,
        deadline: Deadline,
        statement: Statement<DB>,
    ) -> Result<Vec<DB::Row>, StoreError> {
        let mut lease = self.lease(deadline).await?;
        let run = DB::rows(&mut lease.connection, statement);
        let rows = deadline.answer(Effect::Reads, run).await?;
        if let Err(error) = &rows {
            lease.diagnose(error);
        } else {
            lease.answered = true;
        }
        rows.map_err(|error| self.failure(&error, Effect::Reads))
    }

    /// Runs statements that create a table. If another process creates it at the same time, they run
    /// again.
    pub(super) async fn create(&self, schema: &str) -> Result<(), StoreError> {
        let sql = schema.replace(super::DEFAULT_NAMESPACE, &self.table);
        let deadline = self.deadline();
        let mut attempt = 1;
        loop {
            let mut lease = self.lease(deadline).await?;
            let run = DB::script(&mut lease.connection, sql.clone());
            let Err(error) = deadline.answer(Effect::Writes, run).await? else {
                lease.answered = true;
                return Ok(());
            };
            match lease.diagnose(&error) {
                Some(Problem::Duplicate | Problem::Repeat) if attempt < ATTEMPTS => attempt += 1,
                _ => return Err(self.failure(&error, Effect::Writes)),
            }
        }
    }

    async fn lease(&self, deadline: Deadline) -> Result<Lease<DB>, StoreError> {
        let acquired = deadline.connection(self.pool.acquire()).await?;
        let connection = acquired.map_err(|error| match &error {
            sqlx::Error::Database(_) => {
                StoreError { maybe_applied: false, ..self.failure(&error, Effect::Reads) }
            }
            sqlx::Error::PoolTimedOut => {
                unavailable(format!("no connection to {} became free in time", DB::NAME))
            }
            sqlx::Error::Io(error) => {
                unavailable(format!("no connection to {}: {}", DB::NAME, error.kind()))
            }
            _ => unavailable(format!("no connection to {}: {}", DB::NAME, class(&error))),
        })?;
        Ok(Lease { connection, answered: false })
    }

    fn failure(&self, error: &sqlx::Error, effect: Effect) -> StoreError {
        let name = DB::NAME;
        let sqlx::Error::Database(error) = error else {
            return match error {
                sqlx::Error::ColumnDecode { index, .. } => {
                    unreadable(format!("column {index} of `{}` has another type", self.table))
                }
                _ => {
                    effect.unanswered(format!("the connection to {name} failed: {}", class(error)))
                }
            };
        };
        let Diagnosis { problem, not_applied, code } = DB::diagnose(&**error);
        let (kind, detail) = match problem {
            Problem::NoTable => (
                StoreErrorKind::Misconfigured,
                format!("the table `{}` is missing; create it with `create_schema`", self.table),
            ),
            Problem::NoDatabase => {
                (StoreErrorKind::Misconfigured, "the database of the URL does not exist".to_owned())
            }
            Problem::Denied => (
                StoreErrorKind::Misconfigured,
                format!(
                    "{name} refuses the user (error {code}); check its password and its rights"
                ),
            ),
            Problem::ReadOnly => (
                StoreErrorKind::Unavailable,
                format!("{name} is read-only (error {code}); connect to the primary server"),
            ),
            Problem::TooLarge => (
                StoreErrorKind::TooLarge,
                format!(
                    "{name} refuses the size (error {code}); raise its limit, as `max_allowed_packet`"
                ),
            ),
            Problem::Duplicate | Problem::Repeat | Problem::Other => {
                (StoreErrorKind::Unavailable, format!("{name} answered with the error {code}"))
            }
        };
        StoreError { kind, maybe_applied: effect == Effect::Writes && !not_applied, detail }
    }
}

impl<DB: Dialect> Lease<DB> {
    /// The problem that the server reported; `None` if the connection failed.
    fn diagnose(&mut self, error: &sqlx::Error) -> Option<Problem> {
        let sqlx::Error::Database(error) = error else {
            return None;
        };
        self.answered = true;
        Some(DB::diagnose(&**error).problem)
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if !self.answered {
            self.connection.close_on_drop();
        }
    }
}

/// A statement with the name of the table in it. The name was checked.
pub(super) fn statement<DB: Database>(sql: &str) -> Statement<DB> {
    sqlx::query(AssertSqlSafe(sql))
}

/// The record of a row with the columns value, version and expiry.
pub(super) fn record<R: Row>(row: &R) -> Result<Record, StoreError>
where
    usize: ColumnIndex<R>,
    Vec<u8>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    i64: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    let value: Vec<u8> = column(row, 0)?;
    let version: i64 = column(row, 1)?;
    let expires_at: Option<i64> = column(row, 2)?;
    Ok(Record {
        value: wiped(value),
        version: Version(version.cast_unsigned()),
        expires_at: expires_at.map(expiry),
    })
}

/// The page of rows with the columns key, version and expiry. There is one row more than a page has, if
/// there is a next page.
pub(super) fn page<R: Row>(rows: Vec<R>) -> Result<Listing, StoreError>
where
    usize: ColumnIndex<R>,
    Vec<u8>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    i64: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    let is_last = rows.len() <= PAGE;
    let entries = rows
        .iter()
        .take(PAGE)
        .map(|row| {
            let version: i64 = column(row, 1)?;
            let expires_at: Option<i64> = column(row, 2)?;
            Ok(Listed {
                key: key_text(column(row, 0)?)?,
                version: Version(version.cast_unsigned()),
                expires_at: expires_at.map(expiry),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let next = entries.last().filter(|_| !is_last).map(|last| last.key.clone());
    Ok(Listing { entries, next })
}

pub(super) fn column<'r, R: Row, T>(row: &'r R, index: usize) -> Result<T, StoreError>
where
    usize: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    row.try_get(index).map_err(|_| {
        unreadable(
            "a column has another type than in `SCHEMA`; create the table with `create_schema`",
        )
    })
}

/// First key and end of the range of a page.
pub(super) fn range(prefix: &str, after: Option<&str>) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let first = match after {
        None => prefix.as_bytes().to_vec(),
        // The first key after `after` in the order of bytes.
        Some(after) if after.starts_with(prefix) => [after.as_bytes(), &[0]].concat(),
        Some(_) => return Err(foreign_position()),
    };
    Ok((first, end_of(prefix)))
}

/// The reply to a removal that removed `removed` rows and then saw `present` rows under its key.
pub(super) fn deletion(removed: u64, is_present: bool) -> Deleted {
    if removed > 0 || !is_present { Deleted::Yes } else { Deleted::Conflict }
}

fn expiry(seconds: i64) -> UnixTime {
    UnixTime::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// The class of an error that is not from the server. Its text may have parts of the URL.
fn class(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => "it was interrupted",
        sqlx::Error::Tls(_) => "TLS failed; check certificates and `sslmode` or `ssl-mode`",
        sqlx::Error::Protocol(_) => "the answer was malformed",
        sqlx::Error::PoolClosed => "the program has closed the pool",
        sqlx::Error::Configuration(_) => "the settings of the connection are malformed",
        _ => "the driver failed",
    }
}
