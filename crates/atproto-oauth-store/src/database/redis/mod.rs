//! [`RedisStore`]: records in Redis or Valkey.
//!
//! ```text
//! {namespace}:record:<key>   hash       version, value, expires_at
//! {namespace}:keys           sorted set of the keys, in the order of their bytes
//! {namespace}:expiries       sorted set of the keys that expire, by expiry
//! ```
//!
//! A script changes all three in one step. The braces keep them on one node of a cluster.

mod failure;
mod link;

use std::fmt;

use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreError, UnixTime, Version,
};
use redis::aio::ConnectionManager;
use redis::{Script, ScriptInvocation};

use super::deadline::Effect;
use super::{DatabaseOptions, SWEEP, end_of, key_text, misconfigured, seconds, unreadable};
use crate::key::{PAGE, check_key, check_prefix, check_value, foreign_position};
use crate::record::{new_version, whole_seconds, wiped};
use crate::store::AsyncStore;
use link::Link;

/// A field of a hash, if the hash has it.
type Field = Option<Vec<u8>>;

/// A store in Redis 6.2 or newer, or Valkey, for any number of processes and machines.
///
/// All records are on one server. If a replica takes over after a failure, writes that the old server
/// has confirmed and not yet sent are lost, and a record may go back to an older state. Where a session
/// must not be lost that way, keep it in PostgreSQL or MySQL, and only the pending logins in Redis
/// (`Split`).
///
/// Records have no expiry of Redis' own; [`sweep`](Self::sweep) removes them.
///
/// Limits: a key of [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) and
/// [`MAX_SEGMENTS`](crate::MAX_SEGMENTS), a value of [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). An
/// expiry is kept in whole seconds. Values are stored as they are; `Sealed` encrypts them.
///
/// ```no_run
/// # async fn example() -> Result<(), atproto_oauth_store::StoreError> {
/// use atproto_oauth_store::RedisStore;
///
/// let store = RedisStore::connect("rediss://:password@redis.example/0").await?;
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    link: Link,
    namespace: String,
    save: Script,
    delete: Script,
}

impl RedisStore {
    /// Connects to the server of `url`, with one connection for all operations, which is renewed when
    /// it breaks.
    ///
    /// For a `rediss` URL, a process without a default provider of cryptography for rustls gets the one
    /// of *ring*.
    ///
    /// # Errors
    ///
    /// Fails if the server can't be reached, or if it may lose a write that it has confirmed: it needs
    /// `appendonly yes`, `appendfsync always`, and a `maxmemory-policy` that removes no records
    /// (`noeviction`). If the user may not read these settings (`CONFIG GET`), this fails as well.
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
        Self::open(Link::connect(url, options)?, options).await
    }

    /// Uses a connection of the program's. Its response timeout should be longer than the time limit of
    /// the options.
    ///
    /// # Errors
    ///
    /// Fails like [`connect_with`](Self::connect_with).
    pub async fn with_connection(
        connection: ConnectionManager,
        options: &DatabaseOptions,
    ) -> Result<Self, StoreError> {
        Self::open(Link::with_connection(connection, options), options).await
    }

    /// Removes the records whose expiry is before `now`, and returns their number.
    ///
    /// # Errors
    ///
    /// Fails if the server is not available. Some records may be removed then.
    pub async fn sweep(&self, now: UnixTime) -> Result<u64, StoreError> {
        let now = seconds(now);
        let mut total = 0;
        loop {
            let mut range = redis::cmd("ZRANGEBYSCORE");
            range
                .arg(self.expiries())
                .arg("-inf")
                .arg(format!("({now}"))
                .arg("LIMIT")
                .arg(0)
                .arg(SWEEP);
            let keys: Vec<Vec<u8>> = self.link.query(Effect::Reads, &range).await?;
            let mut removed = 0;
            for key in keys {
                let key = key_text(key)?;
                removed += self.link.run(&self.removal(&key, Expect::Any, Some(now))).await?;
            }
            total += removed;
            // A record that was saved meanwhile is not removed. Sets of such records end the loop.
            if removed == 0 {
                return Ok(total);
            }
        }
    }

    async fn open(link: Link, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let namespace = options.checked_namespace()?.to_owned();
        let save = Script::new(include_str!("save.lua"));
        let delete = Script::new(include_str!("delete.lua"));
        let store = Self { link, namespace, save, delete };
        store.link.ping().await?;
        if !options.relaxed {
            store.check_durability().await?;
        }
        Ok(store)
    }

    async fn check_durability(&self) -> Result<(), StoreError> {
        for (setting, wanted) in
            [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")]
        {
            let known = self.link.setting(setting).await?;
            // A policy for records with an expiry of Redis' own removes none of ours.
            let is_safe = |value: &str| value == wanted || value.starts_with("volatile-");
            let problem = match known.as_deref() {
                Some(value) if is_safe(value) => continue,
                Some(_) => format!("Redis may lose confirmed writes; set `{setting} {wanted}`"),
                None => format!(
                    "Redis does not tell its setting `{setting}`, and may lose confirmed writes; allow \
                     `CONFIG GET`, make sure of `{setting} {wanted}`"
                ),
            };
            return Err(misconfigured(format!(
                "{problem}, or accept that with `DatabaseOptions::relaxed`"
            )));
        }
        Ok(())
    }

    fn record(&self, key: &str) -> String {
        format!("{{{}}}:record:{key}", self.namespace)
    }

    fn keys(&self) -> String {
        format!("{{{}}}:keys", self.namespace)
    }

    fn expiries(&self) -> String {
        format!("{{{}}}:expiries", self.namespace)
    }

    fn invocation<'a>(&self, script: &'a Script, key: &str) -> ScriptInvocation<'a> {
        let mut call = script.key(self.record(key));
        call.key(self.keys()).key(self.expiries());
        call
    }

    fn removal(&self, key: &str, expect: Expect, before: Option<i64>) -> ScriptInvocation<'_> {
        let mut call = self.invocation(&self.delete, key);
        let before = before.map_or_else(String::new, |time| time.to_string());
        call.arg(condition(expect)).arg(key).arg(before);
        call
    }
}

impl AsyncStore for RedisStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        let mut fetch = redis::cmd("HMGET");
        fetch.arg(self.record(key)).arg("version").arg("expires_at").arg("value");
        let [version, expiry, value]: [Field; 3] = self.link.query(Effect::Reads, &fetch).await?;
        match (version, value) {
            (None, None) => Ok(None),
            (Some(version), Some(value)) => {
                let (version, expires_at) = parse(&version, &expiry.unwrap_or_default())?;
                Ok(Some(Record { value: wiped(value), version, expires_at }))
            }
            (None, Some(_)) | (Some(_), None) => Err(damaged()),
        }
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
        let expiry = whole_seconds(expires_at).map(|time| time.as_secs().to_string());
        let mut call = self.invocation(&self.save, key);
        call.arg(condition(expect))
            .arg(version.0)
            .arg(&value.0[..])
            .arg(expiry.unwrap_or_default())
            .arg(key);
        let saved = self.link.run(&call).await?;
        Ok(if saved > 0 { Saved::As(version) } else { Saved::Conflict })
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_key(key)?;
        let deleted = self.link.run(&self.removal(key, expect, None)).await?;
        Ok(if deleted > 0 { Deleted::Yes } else { Deleted::Conflict })
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        check_prefix(prefix)?;
        let first = match after {
            None if prefix.is_empty() => "-".to_owned(),
            None => format!("[{prefix}"),
            Some(after) if after.starts_with(prefix) => format!("({after}"),
            Some(_) => return Err(foreign_position()),
        };
        let end = [&b"("[..], &end_of(prefix)].concat();
        let mut range = redis::cmd("ZRANGEBYLEX");
        range.arg(self.keys()).arg(first).arg(end).arg("LIMIT").arg(0).arg(PAGE + 1);
        let keys: Vec<Vec<u8>> = self.link.query(Effect::Reads, &range).await?;
        let is_last = keys.len() <= PAGE;
        let keys: Vec<String> =
            keys.into_iter().take(PAGE).map(key_text).collect::<Result<_, _>>()?;
        let next = keys.last().filter(|_| !is_last).cloned();
        Ok(Listing { entries: self.entries(keys).await?, next })
    }
}

impl RedisStore {
    /// The entries of `keys`, without those that were removed meanwhile.
    async fn entries(&self, keys: Vec<String>) -> Result<Vec<Listed>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut fetches = redis::pipe();
        for key in &keys {
            fetches.cmd("HMGET").arg(self.record(key)).arg("version").arg("expires_at");
        }
        let found: Vec<[Field; 2]> = self.link.pipeline(&fetches).await?;
        let present = keys.into_iter().zip(found).filter_map(|(key, [version, expiry])| {
            let entry = parse(&version?, &expiry.unwrap_or_default());
            Some(entry.map(|(version, expires_at)| Listed { key, version, expires_at }))
        });
        present.collect()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

fn condition(expect: Expect) -> String {
    match expect {
        Expect::Absent => "absent".to_owned(),
        Expect::Version(version) => version.0.to_string(),
        Expect::Any => "any".to_owned(),
    }
}

fn parse(version: &[u8], expiry: &[u8]) -> Result<(Version, Option<UnixTime>), StoreError> {
    let number = |bytes: &[u8]| {
        std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(damaged)
    };
    let expires_at = if expiry.is_empty() { None } else { Some(number(expiry)?) };
    Ok((Version(number(version)?), expires_at.map(UnixTime::from_secs)))
}

fn damaged() -> StoreError {
    unreadable("its hash in Redis is not one of this store; remove it, or choose another namespace")
}
