//! A program on some computer, as far as machines can tell: entropy, memory, a clock that may be off.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_sansio::{Env, Keys, MapMemory, Memory, Signer, UnixTime};

use crate::entropy::Seeded;
use crate::sandbox::START;

/// Where machines run: entropy that follows from a seed, a memory of its own, and a clock that may
/// be off.
///
/// A [`Sandbox`](crate::Sandbox) has one for those who need no more; several make several computers.
#[derive(Clone)]
pub struct Process {
    entropy: Seeded,
    memory: Arc<dyn Memory>,
    keys: Arc<dyn Keys>,
    elsewhere: BTreeMap<String, Arc<dyn Signer>>,
    ahead: Duration,
    behind: Duration,
}

impl Process {
    /// One with an empty memory.
    pub fn new(seed: u64) -> Self {
        Self::of("process", seed)
    }

    /// One for a purpose: what has another has other entropy, whatever the seed.
    pub(crate) fn of(purpose: &str, seed: u64) -> Self {
        Self {
            entropy: Seeded::new(purpose, seed),
            memory: Arc::new(MapMemory::default()),
            keys: Arc::new(P256Keys),
            elsewhere: BTreeMap::new(),
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
        }
    }

    /// The same with another memory, which processes may share.
    pub fn with_memory(self, memory: Arc<dyn Memory>) -> Self {
        Self { memory, ..self }
    }

    /// The same with another source of keys.
    pub fn with_keys(self, keys: impl Keys + 'static) -> Self {
        Self { keys: Arc::new(keys), ..self }
    }

    /// A key that [`Sign`](atproto_sansio::Call::Sign) calls reach by its name.
    pub fn add_key_elsewhere(&mut self, key_id: &str, signer: Arc<dyn Signer>) {
        self.elsewhere.insert(key_id.to_owned(), signer);
    }

    /// Its wall clock runs this much ahead of everybody else's.
    pub fn set_clock_ahead(&mut self, by: Duration) {
        (self.ahead, self.behind) = (by, Duration::ZERO);
    }

    /// Its wall clock runs this much behind everybody else's.
    pub fn set_clock_behind(&mut self, by: Duration) {
        (self.ahead, self.behind) = (Duration::ZERO, by);
    }

    /// Its memory is empty, as after a restart.
    pub fn forget(&mut self) {
        self.memory = Arc::new(MapMemory::default());
    }

    /// What its machines are polled with when it is `now`: for drivers of one's own.
    pub fn env(&mut self, now: UnixTime) -> Env<'_> {
        Env {
            now: now + self.ahead - self.behind,
            // Monotonic, and never zero, so that what is a while ago can be told from the beginning.
            elapsed: now.since(START) + Duration::from_secs(1000),
            entropy: &mut self.entropy,
            memory: &*self.memory,
            keys: &*self.keys,
        }
    }

    /// Goes on with entropy that was not drawn yet, whoever draws what comes next.
    pub(crate) fn skip_entropy(&mut self) {
        self.entropy.skip();
    }

    pub(crate) fn sign(&self, key_id: &str, message: &[u8]) -> Result<[u8; 64], String> {
        let signer = self.elsewhere.get(key_id).ok_or("no key of this name")?;
        signer.sign(message).map_err(|error| error.to_string())
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
