//! The sandbox as a stage, without a socket.

use std::cell::{Cell, RefCell};
use std::ops::DerefMut;
use std::sync::Arc;

use atproto_dpop::P256Keys;
use atproto_oauth_core::{Client, ClientBuilder};
use atproto_oauth_sandbox::{Process, Sandbox};
use atproto_sansio::{Call, Machine, Reply, System, drive};
use url::Url;

use crate::flows::{Adapter, Over, REMOTE_KEY, REMOTE_KEY_ID, Sandboxed, Transport};

/// A sandbox in memory.
#[derive(Debug)]
pub struct InMemory {
    sandbox: RefCell<Sandbox>,
    how: How,
    /// Two processes have no entropy in common.
    processes: Cell<u64>,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Together,
    InTurn,
}

impl InMemory {
    /// In virtual time, with all calls of a machine outstanding together.
    pub fn together() -> Self {
        Self::new(How::Together)
    }

    /// In real time, one call after another, as a blocking driver does.
    pub fn in_turn() -> Self {
        Self::new(How::InTurn)
    }

    fn new(how: How) -> Self {
        let mut sandbox = Sandbox::new(1);
        sandbox.process().add_remote_key(REMOTE_KEY_ID, Arc::clone(&REMOTE_KEY));
        Self { sandbox: RefCell::new(sandbox), how, processes: Cell::new(0) }
    }

    /// Performs a call for a driver that goes by the system's clock.
    fn perform(&self, call: Call) -> Reply {
        let mut sandbox = self.sandbox.borrow_mut();
        sandbox.set_now(System::now());
        sandbox.respond(call)
    }
}

/// All calls of a machine outstanding together.
struct Together<'a> {
    stage: &'a InMemory,
    process: RefCell<Process>,
}

/// One call after another.
struct InTurn<'a> {
    stage: &'a InMemory,
    system: System,
}

impl Transport for Together<'_> {
    fn name(&self) -> &'static str {
        "together"
    }

    fn perform(&self, call: Call) -> Reply {
        self.stage.perform(call)
    }

    fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error> {
        self.stage.sandbox.borrow_mut().run_in(&mut self.process.borrow_mut(), machine)
    }
}

impl Transport for InTurn<'_> {
    fn name(&self) -> &'static str {
        "in turn"
    }

    fn perform(&self, call: Call) -> Reply {
        self.stage.perform(call)
    }

    fn run<M: Machine>(&self, machine: M) -> Result<M::Output, M::Error> {
        drive(&self.system, machine, |call| self.stage.perform(call))
    }
}

impl Sandboxed for InMemory {
    fn sandbox(&self) -> Box<dyn DerefMut<Target = Sandbox> + '_> {
        Box::new(self.sandbox.borrow_mut())
    }

    fn closed_port(&self) -> Url {
        "https://nobody.example.com".parse().unwrap()
    }

    fn configure(&self, client: ClientBuilder) -> ClientBuilder {
        client
    }

    fn run(&self, client: Client) -> Box<dyn Adapter + '_> {
        match self.how {
            How::Together => {
                self.processes.set(self.processes.get() + 1);
                let mut process = Process::new(self.processes.get());
                process.add_remote_key(REMOTE_KEY_ID, Arc::clone(&REMOTE_KEY));
                let transport = Together { stage: self, process: RefCell::new(process) };
                Box::new(Over { transport, client })
            }
            How::InTurn => {
                let transport = InTurn { stage: self, system: System::new(P256Keys) };
                Box::new(Over { transport, client })
            }
        }
    }
}
