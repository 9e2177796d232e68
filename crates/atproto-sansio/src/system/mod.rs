//! [`System`]: clock and entropy of the operating system, and a cache. Feature `std`.
//!
//! No other module of the sans-IO crates reads a clock.
#![expect(
    clippy::disallowed_methods,
    reason = "the feature `std` supplies the clock that the other modules do without"
)]

pub(crate) mod memory;
#[cfg(feature = "dns")]
pub(crate) mod nameservers;

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use crate::call::{Call, Reply};
use crate::env::{Entropy, Env, Keys, Memory};
use crate::flow::{Flow, Output};
use crate::machine::Machine;
use crate::system::memory::MapMemory;
use crate::time::{Moment, UnixTime};

/// Supplies an [`Env`] from the operating system's clock and entropy, a [`Memory`] (by default a
/// [`MapMemory`]) and [`Keys`].
///
/// Clones share the memory.
#[derive(Clone)]
pub struct System {
    memory: Arc<dyn Memory>,
    keys: Arc<dyn Keys>,
}

/// The entropy of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

/// Blocking driver: runs `machine` to its end and calls `perform` for one call at a time.
///
/// # Errors
///
/// Fails with the error of the machine.
pub fn drive<M: Machine>(
    system: &System,
    machine: M,
    mut perform: impl FnMut(Call) -> Reply,
) -> Result<M::Output, M::Error> {
    let mut flow = Flow::new(machine);
    loop {
        match system.poll(&mut flow) {
            Output::Call(call) => flow.handle_reply(perform(call)),
            Output::Wait => {
                unreachable!("`perform` answered every call, so the flow waits for none")
            }
            Output::Done(result) => return result,
        }
    }
}

impl System {
    /// A system with an empty [`MapMemory`] and the key factory `keys`.
    pub fn new(keys: impl Keys + 'static) -> Self {
        Self { memory: Arc::new(MapMemory::default()), keys: Arc::new(keys) }
    }

    /// Replaces the cache by `memory`.
    pub fn with_memory(self, memory: Arc<dyn Memory>) -> Self {
        Self { memory, ..self }
    }

    /// Polls `flow` with the present time and this system's entropy, cache and keys.
    pub fn poll<M: Machine>(&self, flow: &mut Flow<M>) -> Output<M::Output, M::Error> {
        let Moment { now, elapsed } = Self::moment();
        flow.poll_output(&mut Env {
            now,
            elapsed,
            entropy: &mut SystemEntropy,
            memory: &*self.memory,
            keys: &*self.keys,
        })
    }

    /// The present moment on both clocks, as the flows of this process see it.
    pub fn moment() -> Moment {
        Moment { now: Self::now(), elapsed: START.elapsed() }
    }

    /// Wall-clock time of the operating system; the epoch if its clock is set to a time before
    /// 1970.
    pub fn now() -> UnixTime {
        // If the clock stands before 1970, it was never set. The epoch makes the checks of
        // freshness fail, as they should.
        UnixTime::from_epoch(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default())
    }
}

/// Zero of [`Env::elapsed`] for all systems of this process, so that they can share a memory.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has a working source of entropy");
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}
