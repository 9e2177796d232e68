//! What is run once for all who ask for it at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atproto_sansio::{Phase, TransportError};
use tokio::sync::watch;

#[derive(Clone, Default)]
pub(crate) struct Shared {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    /// The runs that have not ended.
    runs: BTreeMap<String, Ended>,
}

/// Becomes true when a run comes to its end, and closes without if it does not.
type Ended = watch::Receiver<bool>;

/// Removes a run when it ends, even if it panics or its runtime is shut down.
struct Ending {
    shared: Shared,
    key: String,
}

impl Shared {
    /// Waits for the end of the run of `key`, which is `work` unless there is one already.
    ///
    /// The run has a task of its own, so it comes to its end whoever still asks.
    pub(crate) async fn ask(
        &self,
        key: String,
        within: &[String],
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), TransportError> {
        let mut ended = self.join_or_begin(key, within, work)?;
        match ended.wait_for(|is_whole| *is_whole).await.is_ok() {
            true => Ok(()),
            false => Err(TransportError::new(Phase::MaybeSent, "what is shared broke off")),
        }
    }

    /// Begins nothing more, and waits for the end of what runs.
    pub(crate) async fn close(&self) {
        self.lock().is_closed = true;
        while let Some(mut ended) = self.any() {
            let _ = ended.wait_for(|is_whole| *is_whole).await;
        }
    }

    fn join_or_begin(
        &self,
        key: String,
        within: &[String],
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Ended, TransportError> {
        if within.contains(&key) {
            // It would wait for itself.
            return Err(TransportError::new(Phase::NotSent, "what is shared asks for itself"));
        }
        let mut state = self.lock();
        if let Some(ended) = state.runs.get(&key) {
            return Ok(ended.clone());
        }
        // What runs may need more to come to its end.
        if state.is_closed && within.is_empty() {
            return Err(TransportError::new(Phase::NotSent, "the driver is shutting down"));
        }
        let (sender, ended) = watch::channel(false);
        state.runs.insert(key.clone(), ended.clone());
        drop(state);
        let ending = Ending { shared: self.clone(), key };
        tokio::spawn(async move {
            // On a panic, these are dropped in the reverse order: removed first, then announced.
            let sender = sender;
            let ending = ending;
            work.await;
            drop(ending);
            sender.send_replace(true);
        });
        Ok(ended)
    }

    fn any(&self) -> Option<Ended> {
        self.lock().runs.values().next().cloned()
    }

    /// Nothing panics while it is locked, so a poisoned map is a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.lock().runs.remove(&self.key);
    }
}
