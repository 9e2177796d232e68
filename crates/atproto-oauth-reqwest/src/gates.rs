//! Limits the number of requests in flight to one server.
//!
//! A server resets connections that do not fit into its accept queue. So if a program makes a
//! thousand calls at once, most of them wait here, where nothing has been sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One semaphore for each server with requests in flight, and for servers of earlier requests.
pub(crate) struct Gates {
    /// Permits of each semaphore: requests in flight to one server.
    width: usize,
    /// Semaphores by authority (`host:port`).
    gates: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Gates {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, gates: Mutex::default() }
    }

    /// Waits until one more request to the server of `uri` is allowed. The request counts as in
    /// flight until the permit is dropped.
    pub(crate) async fn pass(&self, uri: &Uri) -> OwnedSemaphorePermit {
        let gate = self.of(uri);
        gate.acquire_owned().await.expect("no code closes these semaphores")
    }

    fn of(&self, uri: &Uri) -> Arc<Semaphore> {
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(authority) {
            return Arc::clone(gate);
        }
        // Removes the semaphores of servers that have no request in flight or in the queue.
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        let gate = Arc::new(Semaphore::new(self.width));
        gates.insert(authority.to_owned(), Arc::clone(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_of_one_server_does_not_delay_requests_to_another() {
        let gates = Gates::new(2);
        let (here, there) = (Uri::from_static("https://a.b/x"), Uri::from_static("https://c.d/"));
        let (first, _second) = (gates.pass(&here).await, gates.pass(&here).await);
        assert_eq!(gates.of(&here).available_permits(), 0);
        let other = gates.pass(&there).await;
        drop(first);
        let third = gates.pass(&here).await;
        drop((third, other));
        // Creating a semaphore removes those that are not in use.
        drop(gates.pass(&Uri::from_static("https://e.f/")).await);
        assert_eq!(gates.gates.lock().unwrap().len(), 2);
    }
}
