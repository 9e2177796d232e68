//! The environment that machines run in: entropy, memory, keys, remote signers, and a clock that
//! may be wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_sansio::{Env, Keys, MapMemory, Memory, Notice, Signer, UnixTime};

use crate::entropy::Seeded;
use crate::sandbox::START;

/// A simulated program that runs machines: it has entropy derived from a seed, a memory, a source
/// of keys, remote signers, and a clock that may be wrong.
///
/// A [`Sandbox`](crate::Sandbox) has one process of its own. To simulate several computers, create
/// several processes and use [`Sandbox::run_in`](crate::Sandbox::run_in).
#[derive(Clone)]
pub struct Process {
    entropy: Seeded,
    memory: Arc<dyn Memory>,
    keys: Arc<dyn Keys>,
    /// Signers for `Sign` calls and the time that each takes, by key id.
    remote_signers: BTreeMap<String, (Arc<dyn Signer>, Duration)>,
    notices: Vec<Notice>,
    ahead: Duration,
    behind: Duration,
}

impl Process {
    /// Creates a process with an empty memory and a correct clock. Two processes with the same seed
    /// draw the same entropy.
    pub fn new(seed: u64) -> Self {
        Self::of("process", seed)
    }

    /// Creates a process. With the same `seed`, processes whose `purpose` differs draw different
    /// entropy.
    pub(crate) fn of(purpose: &str, seed: u64) -> Self {
        Self {
            entropy: Seeded::new(purpose, seed),
            memory: Arc::new(MapMemory::default()),
            keys: Arc::new(P256Keys),
            remote_signers: BTreeMap::new(),
            notices: Vec::new(),
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
        }
    }

    /// Replaces the memory. Several processes may share one memory.
    pub fn with_memory(self, memory: Arc<dyn Memory>) -> Self {
        Self { memory, ..self }
    }

    /// Replaces the source of keys.
    pub fn with_keys(self, keys: impl Keys + 'static) -> Self {
        Self { keys: Arc::new(keys), ..self }
    }

    /// Adds a remote signer, which performs the [`Sign`](atproto_sansio::Call::Sign) calls for
    /// `key_id`.
    pub fn add_remote_key(&mut self, key_id: &str, signer: Arc<dyn Signer>) {
        self.add_slow_remote_key(key_id, signer, Duration::ZERO);
    }

    /// Adds a remote signer like [`add_remote_key`](Self::add_remote_key) that needs this time, in
    /// virtual time, for each signature. With [`Duration::MAX`], it hangs.
    pub fn add_slow_remote_key(&mut self, key_id: &str, signer: Arc<dyn Signer>, time: Duration) {
        self.remote_signers.insert(key_id.to_owned(), (signer, time));
    }

    /// Sets the wall clock of the process ahead of the network's clock.
    pub fn set_clock_ahead(&mut self, by: Duration) {
        (self.ahead, self.behind) = (by, Duration::ZERO);
    }

    /// Sets the wall clock of the process behind the network's clock.
    pub fn set_clock_behind(&mut self, by: Duration) {
        (self.ahead, self.behind) = (Duration::ZERO, by);
    }

    /// Replaces the memory by an empty one, as after a restart of the program.
    pub fn forget(&mut self) {
        self.memory = Arc::new(MapMemory::default());
    }

    /// Removes and returns the notices of machines that ran in this process, the oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Keeps a notice.
    pub(crate) fn hear(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Returns the environment to poll a machine with, for drivers other than
    /// [`Sandbox::run`](crate::Sandbox::run). `now` is the time on the network's clock.
    pub fn env(&mut self, now: UnixTime) -> Env<'_> {
        Env {
            now: now + self.ahead - self.behind,
            // Monotonic. Starts at 1000 s instead of zero, so that a time before the start can be
            // represented.
            elapsed: now.since(START) + Duration::from_secs(1000),
            entropy: &mut self.entropy,
            memory: &*self.memory,
            keys: &*self.keys,
        }
    }

    /// Skips entropy, so that a clone of this process and this process do not draw the same bytes.
    pub(crate) fn skip_entropy(&mut self) {
        self.entropy.skip();
    }

    /// Signs with the remote signer for `key_id`, and returns the time that it takes. The error is a
    /// text for people.
    pub(crate) fn sign(
        &self,
        key_id: &str,
        message: &[u8],
    ) -> (Duration, Result<[u8; 64], String>) {
        match self.remote_signers.get(key_id) {
            Some((signer, time)) => {
                (*time, signer.sign(message).map_err(|error| error.to_string()))
            }
            None => (
                Duration::ZERO,
                Err(format!(
                    "no remote signer has the key id {key_id:?}: add it with \
                     `Process::add_remote_key`"
                )),
            ),
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("ahead", &self.ahead)
            .field("behind", &self.behind)
            .finish_non_exhaustive()
    }
}
