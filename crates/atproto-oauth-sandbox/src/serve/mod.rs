//! The same network on loopback sockets, in real time.
//!
//! Everything that a socket can't know, the value decides; this only carries requests to it, and
//! delivers what becomes of them as truthfully as a socket can.

mod by_hand;
mod clock;
mod http_host;
mod message;
mod nameserver;
mod ports;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, MutexGuard};
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::oneshot;

use crate::names::Names;
use crate::sandbox::Sandbox;
use crate::serve::clock::Shared;
use crate::serve::ports::Ports;

/// A [`Sandbox`] on ports of this machine, which are free again when it is dropped.
///
/// Its servers have origins like `http://localhost:2583`, so clients need their development mode;
/// its handles are `alice.test` and so on. It runs on a thread of its own, so blocking programs can
/// use it as well as async ones.
///
/// ```
/// use atproto_oauth_sandbox::Served;
///
/// let served = Served::start(1)?;
/// println!("a PDS at {}", served.names().pds);
/// println!("a nameserver at {}", served.nameserver());
/// for (host, address) in served.hosts() {
///     println!("{host} is at {address}");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Served {
    shared: Arc<Shared>,
    names: Names,
    nameserver: SocketAddr,
    handles: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The settings of a [`Served`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct ServedBuilder {
    seed: u64,
    first_port: u16,
}

impl Served {
    /// The standard network, on ports that the system chooses.
    ///
    /// # Errors
    ///
    /// There are no free ports, or no thread.
    pub fn start(seed: u64) -> io::Result<Self> {
        Self::builder(seed).start()
    }

    /// The same with settings.
    pub fn builder(seed: u64) -> ServedBuilder {
        ServedBuilder { seed, first_port: 0 }
    }

    /// The network itself: to approve logins, to plan faults, to read the log.
    ///
    /// Time passes by the system's clock; what it is [advanced](Sandbox::advance) by, it stays ahead.
    /// Don't keep the guard while a client waits for an answer: the servers wait for it too.
    pub fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.shared.lock()
    }

    /// Where its servers are.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Its nameserver, over UDP and TCP.
    pub fn nameserver(&self) -> SocketAddr {
        self.nameserver
    }

    /// The hosts that handles name, and where to connect to for them. They have no addresses in the
    /// system's DNS, so a client must be told. Looks into the sandbox, so it waits for who else holds
    /// that: it hangs within a statement that does.
    pub fn hosts(&self) -> Vec<(String, SocketAddr)> {
        self.sandbox().handles.keys().map(|handle| (handle.clone(), self.handles)).collect()
    }
}

impl ServedBuilder {
    /// Nine ports in a row, from this one on: `pds`, `other_pds`, `entryway`, `entryway_pds`,
    /// `other_entryway_pds`, `plc`, `doh`, the host of handles and of the `did:web`, the nameserver.
    /// At 0, which is the default, the system chooses each.
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = port;
        self
    }

    /// Serves from now on.
    ///
    /// # Errors
    ///
    /// A port is not free, or there is no thread.
    pub fn start(self) -> io::Result<Served> {
        let ports = Ports::bind(self.first_port)?;
        let names = ports.names();
        let (nameserver, handles) = (ports.nameserver.address, ports.handles());
        let shared = Arc::new(Shared::new(Sandbox::with_names(self.seed, names.clone())));
        let (stop, stopped) = oneshot::channel();
        let (started, is_started) = mpsc::sync_channel(1);
        let work = {
            let shared = Arc::clone(&shared);
            move || run(ports, &shared, &started, stopped)
        };
        let thread = thread::Builder::new().name("sandbox".to_owned()).spawn(work)?;
        is_started.recv().map_err(|_| io::Error::other("the sandbox's thread ended"))??;
        Ok(Served { shared, names, nameserver, handles, stop: Some(stop), thread: Some(thread) })
    }
}

/// Everything that is served, until `stopped`. With the runtime, all connections end.
fn run(
    ports: Ports,
    shared: &Arc<Shared>,
    started: &mpsc::SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    runtime.block_on(async {
        let listening = serve(ports, shared);
        let is_listening = listening.is_ok();
        let _ = started.send(listening);
        if is_listening {
            let _ = stopped.await;
        }
    });
}

fn serve(ports: Ports, shared: &Arc<Shared>) -> io::Result<()> {
    for listening in ports.hosts {
        let host = Arc::new(listening.host);
        for listener in listening.listeners.sockets {
            http_host::serve(listener, Arc::clone(&host), Arc::clone(shared))?;
        }
    }
    nameserver::serve(ports.nameserver, shared)
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("names", &self.names)
            .field("nameserver", &self.nameserver)
            .finish_non_exhaustive()
    }
}
