//! A stage that runs the sandbox in memory, without sockets.

use std::cell::{Cell, RefCell};
use std::ops::DerefMut;
use std::sync::Arc;

use atproto_dpop::P256Keys;
use atproto_oauth_core::{Client, ClientBuilder};
use atproto_oauth_sandbox::{Process, Sandbox};
use atproto_sansio::{Call, Machine, Reply, System, drive};
use url::Url;

use crate::flows::{Adapter, Over, REMOTE_KEY, REMOTE_KEY_ID, Sandboxed, Transport};

/// A sandbox in memory, and the order in which its machines' calls are performed.
#[derive(Debug)]
pub struct InMemory {
    sandbox: RefCell<Sandbox>,
    order: Order,
    /// Number of processes so far: the seed of the entropy of the next process.
    processes: Cell<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Together,
    InTurn,
}

impl InMemory {
    /// Runs machines in virtual time; all calls of a machine are in flight concurrently.
    pub fn together() -> Self {
        Self::new(Order::Together)
    }

    /// Runs machines in real time; each call ends before the next one starts, as in a blocking
    /// driver.
    pub fn in_turn() -> Self {
        Self::new(Order::InTurn)
    }

    fn new(order: Order) -> Self {
        let mut sandbox = Sandbox::new(1);
        sandbox.process().add_remote_key(REMOTE_KEY_ID, Arc::clone(&REMOTE_KEY));
        Self { sandbox: RefCell::new(sandbox), order, processes: Cell::new(0) }
    }

    /// Sets the sandbox's clock to the system's time, and performs a call.
    fn perform(&self, call: Call) -> Reply {
        let mut sandbox = self.sandbox.borrow_mut();
        sandbox.set_now(System::now());
        sandbox.respond(call)
    }
}

/// A transport in which all calls of a machine are in flight concurrently.
struct Together<'a> {
    stage: &'a InMemory,
    process: RefCell<Process>,
}

/// A transport that performs one call after another.
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
        "https://unknown.example.com".parse().unwrap()
    }

    fn configure(&self, client: ClientBuilder) -> ClientBuilder {
        client
    }

    fn run(&self, client: Client) -> Box<dyn Adapter + '_> {
        match self.order {
            Order::Together => {
                self.processes.set(self.processes.get() + 1);
                let mut process = Process::new(self.processes.get());
                process.add_remote_key(REMOTE_KEY_ID, Arc::clone(&REMOTE_KEY));
                let transport = Together { stage: self, process: RefCell::new(process) };
                Box::new(Over { transport, client })
            }
            Order::InTurn => {
                let transport = InTurn { stage: self, system: System::new(P256Keys) };
                Box::new(Over { transport, client })
            }
        }
    }
}
