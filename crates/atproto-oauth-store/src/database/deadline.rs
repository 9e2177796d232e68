//! The time limit of one operation.

use std::time::Duration;

use atproto_sansio::StoreError;
use tokio::time::{Instant, timeout_at};

use super::unavailable;

/// Whether an operation changes the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

/// The end of one operation on a server.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    end: Instant,
    limit: Duration,
    server: &'static str,
}

impl Deadline {
    pub(super) fn new(server: &'static str, limit: Duration) -> Self {
        Self { end: Instant::now() + limit, limit, server }
    }

    /// Waits for a connection of a pool. Nothing was sent yet.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(super) async fn connection<T>(
        &self,
        wait: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        timeout_at(self.end, wait).await.map_err(|_| {
            let Self { limit, server, .. } = self;
            unavailable(format!("no connection to {server} became free within {limit:?}"))
        })
    }

    /// Waits for the answer to a request that may have been sent.
    pub(super) async fn answer<T>(
        &self,
        effect: Effect,
        wait: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        timeout_at(self.end, wait).await.map_err(|_| {
            let Self { limit, server, .. } = self;
            effect.unanswered(format!("{server} did not answer within {limit:?}"))
        })
    }
}

impl Effect {
    /// The error of a request that may have been sent.
    pub(super) fn unanswered(self, detail: String) -> StoreError {
        match self {
            Self::Reads => unavailable(detail),
            Self::Writes => StoreError::maybe_applied(detail),
        }
    }
}
