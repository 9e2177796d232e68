//! How many requests are on their way to one server at a time.
//!
//! A server has a queue for connections that are not accepted yet, and resets what does not fit.
//! So a thousand calls at once wait here, where nothing was sent, and not there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use http::Uri;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) struct Gates {
    width: usize,
    gates: Mutex<BTreeMap<String, Weak<Semaphore>>>,
}

impl Gates {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, gates: Mutex::default() }
    }

    /// Waits until there is room for one more request to the server of `uri`.
    pub(crate) async fn pass(&self, uri: &Uri) -> OwnedSemaphorePermit {
        let gate = self.of(uri);
        gate.acquire_owned().await.expect("a gate is never closed")
    }

    fn of(&self, uri: &Uri) -> Arc<Semaphore> {
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(authority).and_then(Weak::upgrade) {
            return gate;
        }
        // Where nobody is on the way any more, the next one makes a new gate.
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Semaphore::new(self.width));
        gates.insert(authority.to_owned(), Arc::downgrade(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_has_so_many_requests_at_a_time_and_others_are_not_held_up() {
        let gates = Gates::new(2);
        let (here, there) = (Uri::from_static("https://a.b/x"), Uri::from_static("https://c.d/"));
        let (first, _second) = (gates.pass(&here).await, gates.pass(&here).await);
        assert_eq!(gates.of(&here).available_permits(), 0);
        let elsewhere = gates.pass(&there).await;
        drop(first);
        let third = gates.pass(&here).await;
        drop((third, elsewhere));
        // A gate that nobody uses is forgotten when the next one is made.
        drop(gates.pass(&Uri::from_static("https://e.f/")).await);
        assert_eq!(gates.gates.lock().unwrap().len(), 2);
    }
}
