//! The connection to Redis: one for all operations.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use atproto_sansio::StoreError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo, Pipeline};
use redis::{RedisError, ScriptInvocation};

use super::failure::{connect_failure, failure};
use crate::database::deadline::{Deadline, Effect};
use crate::database::{DatabaseOptions, misconfigured};

pub(super) struct Link {
    connection: Mutex<ConnectionManager>,
    /// Makes a new connection after one without answers; `None` for a connection of the program's.
    renewal: Option<(Client, ConnectionManagerConfig)>,
    time_limit: Duration,
}

impl Link {
    pub(super) fn connect(url: &str, options: &DatabaseOptions) -> Result<Self, StoreError> {
        let malformed = |_: RedisError| misconfigured("the URL of the Redis server is malformed");
        let info = url.into_connection_info().map_err(malformed)?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Without a provider, rustls panics if the program has compiled in more than one. If
            // another thread was faster, there is one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::open(info).map_err(malformed)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.time_limit))
            .set_response_timeout(None)
            .set_number_of_retries(2);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
            .map_err(|error| connect_failure(&error))?;
        Ok(Self {
            connection: Mutex::new(connection),
            renewal: Some((client, config)),
            time_limit: options.time_limit,
        })
    }

    pub(super) fn with_connection(
        connection: ConnectionManager,
        options: &DatabaseOptions,
    ) -> Self {
        let connection = Mutex::new(connection);
        Self { connection, renewal: None, time_limit: options.time_limit }
    }

    /// Waits until there is a connection.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let ping = redis::cmd("PING");
        let answer = self.answer(Effect::Reads, ping.query_async::<()>(&mut connection)).await?;
        answer.map_err(|error| connect_failure(&error))
    }

    /// A setting of the server; `None` if the server does not tell it.
    pub(super) async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut connection = self.connection();
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg(name);
        let wait = get.query_async::<HashMap<String, String>>(&mut connection);
        match self.answer(Effect::Reads, wait).await? {
            Ok(mut settings) => Ok(settings.remove(name)),
            Err(error) if error.is_io_error() => Err(failure(&error, Effect::Reads)),
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn query<T: FromRedisValue>(
        &self,
        effect: Effect,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let answer = self.answer(effect, command.query_async(&mut connection)).await?;
        answer.map_err(|error| failure(&error, effect))
    }

    pub(super) async fn pipeline<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let answer = self.answer(Effect::Reads, commands.query_async(&mut connection)).await?;
        answer.map_err(|error| failure(&error, Effect::Reads))
    }

    /// Runs a script that writes, and returns its number.
    pub(super) async fn run(&self, call: &ScriptInvocation<'_>) -> Result<u64, StoreError> {
        let mut connection = self.connection();
        let answer = self.answer(Effect::Writes, call.invoke_async(&mut connection)).await?;
        answer.map_err(|error| failure(&error, Effect::Writes))
    }

    async fn answer<T>(
        &self,
        effect: Effect,
        wait: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<Result<T, RedisError>, StoreError> {
        let answer = Deadline::new("Redis", self.time_limit).answer(effect, wait).await;
        if answer.is_err() {
            self.renew();
        }
        answer
    }

    /// Leaves a connection that does not answer. The kernel may need a quarter of an hour to notice
    /// that the server is gone.
    fn renew(&self) {
        if let Some((client, config)) = &self.renewal
            && let Ok(fresh) =
                ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
        {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
