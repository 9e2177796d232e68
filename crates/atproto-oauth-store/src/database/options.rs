//! [`DatabaseOptions`]: how a store uses its database server.

use std::time::Duration;

use atproto_sansio::StoreError;

use super::{DEFAULT_NAMESPACE, misconfigured};

/// How a store uses its database server. The defaults are safe.
///
/// ```
/// use std::time::Duration;
/// use atproto_oauth_store::DatabaseOptions;
///
/// let options = DatabaseOptions::new().namespace("my_app_oauth").time_limit(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DatabaseOptions {
    pub(super) namespace: String,
    pub(super) time_limit: Duration,
    pub(super) max_connections: u32,
    pub(super) relaxed: bool,
}

impl DatabaseOptions {
    /// The namespace `atproto_oauth_records`, eight seconds an operation, eight connections, and a
    /// server that keeps each write that it confirms.
    pub fn new() -> Self {
        Self {
            namespace: DEFAULT_NAMESPACE.to_owned(),
            time_limit: Duration::from_secs(8),
            max_connections: 8,
            relaxed: false,
        }
    }

    /// Name of the table; in Redis, the beginning of all keys. Two OAuth clients in one database need
    /// two namespaces. It is 1 to 48 characters: `a` to `z`, `0` to `9` and `_`, and no digit first.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Time limit of one operation, with the wait for a connection.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Largest number of connections in the store's own pool. A pool of the program's has its own, and
    /// Redis needs only one.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Accepts a server that may lose the last writes when it fails, or that does not tell. A lost
    /// refresh token ends its session.
    #[must_use]
    pub fn relaxed(mut self) -> Self {
        self.relaxed = true;
        self
    }

    /// The namespace, if it is a name that needs no quoting. It becomes part of statements.
    pub(super) fn checked_namespace(&self) -> Result<&str, StoreError> {
        let name = self.namespace.as_str();
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins_well = !name.starts_with(|c: char| c.is_ascii_digit());
        if (1..=48).contains(&name.len()) && name.chars().all(is_allowed) && begins_well {
            return Ok(name);
        }
        Err(misconfigured(
            "`DatabaseOptions::namespace` is not 1 to 48 of `a` to `z`, `0` to `9` and `_`, or begins \
             with a digit",
        ))
    }
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self::new()
    }
}
