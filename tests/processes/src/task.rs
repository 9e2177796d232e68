//! The task of a worker: the first line that it reads.

use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::SessionEvent;
use atproto_oauth_store::{Sealed, SealingKey, SealingKeys, Store, StoreError};
use atproto_oauth_ureq::OAuthClient;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::network::Address;
use crate::place::Place;

/// All that a process needs to use the sessions.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) address: Address,
    pub(crate) place: Place,
    /// Key of a sealed store.
    pub(crate) sealing_key: Option<String>,
    /// Keys of the sessions.
    pub(crate) sessions: Vec<String>,
    pub(crate) is_async: bool,
    /// Longest pause of a thread between two requests.
    pub(crate) pause: Duration,
    /// Difference of clocks that is allowed for.
    pub(crate) clock_skew: Duration,
}

impl Task {
    /// The store, with its seal.
    pub(crate) fn store(&self) -> Outcome<Arc<dyn Store>> {
        let store = self.place.open()?;
        Ok(match self.sealing_keys()? {
            Some(keys) => Arc::new(Sealed::new(store, keys)),
            None => store,
        })
    }

    pub(crate) fn sealing_keys(&self) -> Result<Option<SealingKeys>, StoreError> {
        let keys = |key: &String| SealingKey::from_text(key).map(SealingKeys::new);
        self.sealing_key.as_ref().map(keys).transpose()
    }

    /// A blocking client over `store`.
    pub(crate) fn client(
        &self,
        store: impl Store + 'static,
        on_event: impl Fn(&SessionEvent) + Send + Sync + 'static,
    ) -> Outcome<OAuthClient> {
        let Address { nameserver, hosts, .. } = &self.address;
        let builder = OAuthClient::builder(self.address.client()?)
            .store(store)
            .driver(|driver| {
                let driver = driver.nameserver(*nameserver);
                hosts.iter().fold(driver, |driver, (host, at)| driver.host_override(host, *at))
            })
            .clock_skew(self.clock_skew)
            .on_event(on_event)
            .plaintext_at_rest();
        Ok(builder.build()?)
    }
}
