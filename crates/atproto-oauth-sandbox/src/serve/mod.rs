//! A sandbox served on loopback sockets, in real time.
//!
//! The [`Sandbox`] decides the outcome of every request. This module passes requests to the sandbox
//! and reproduces each outcome as closely as a socket can.

mod clock;
mod http_host;
mod message;
mod nameserver;
mod ports;
mod raw_response;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, MutexGuard};
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::oneshot;
use url::Url;

use crate::names::Names;
use crate::people::NoRedirect;
use crate::sandbox::Sandbox;
use crate::serve::clock::Shared;
use crate::serve::ports::Ports;

/// A [`Sandbox`] served on loopback ports of this machine; dropping it frees the ports.
///
/// The origins of its servers are like `http://localhost:2583`, so a client must enable its
/// development mode. The handles are like `alice.test`. The servers run on a thread of their own,
/// so that blocking programs can use them as well as async programs.
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

/// Settings of a [`Served`]: the seed of the sandbox, and the ports.
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct ServedBuilder {
    seed: u64,
    first_port: u16,
}

impl Served {
    /// Serves the standard network, with the accounts of [`Sandbox::new`], on free ports that the
    /// system chooses.
    ///
    /// # Errors
    ///
    /// Fails if there are no free ports, or if the thread can't be started.
    pub fn start(seed: u64) -> io::Result<Self> {
        Self::builder(seed).start()
    }

    /// Returns settings for the standard network, to choose its ports before it is served.
    pub fn builder(seed: u64) -> ServedBuilder {
        ServedBuilder { seed, first_port: 0 }
    }

    /// Locks the served sandbox, to approve logins, plan faults or read the log.
    ///
    /// The sandbox's time passes with the system clock. If a test [advances](Sandbox::advance) it,
    /// the sandbox stays ahead by that duration. Drop the guard before a client waits for a
    /// response, because the servers need the same lock: the client's request would time out. The
    /// guard of `served.sandbox().approve(&app.login()?, "alice.test")` is held while `app` logs in;
    /// [`approve`](Self::approve) and [`deny`](Self::deny) hold none.
    pub fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.shared.lock()
    }

    /// Signs in and consents like [`Sandbox::approve`].
    ///
    /// ```
    /// use atproto_oauth_core::{CallbackParams, Client, Scopes, Subject};
    /// use atproto_oauth_sandbox::Served;
    /// use atproto_oauth_ureq::{Driver, P256Keys, Resolver, StatelessClient, System};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let served = Served::start(1)?;
    /// let resolver = Resolver::new().with_directories([served.names().plc.parse()?]);
    /// let client = Client::loopback(Scopes::parse("atproto")?).resolver(resolver).development();
    /// let driver = Driver::builder(System::new(P256Keys)).development();
    /// let driver = driver.nameserver(served.nameserver()).build();
    /// let app = StatelessClient::with_driver(client.build()?, driver);
    ///
    /// let login = app.authorize(Subject::parse("alice.test")?)?;
    /// let back = served.approve(&login.url, "alice.test")?;
    /// let session = app.callback(login.pending, CallbackParams::parse(&back)?)?.session;
    /// assert_eq!(session.handle().map(|handle| handle.as_str()), Some("alice.test"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the server does not redirect the browser: [`NoRedirect`] has the reason.
    pub fn approve(&self, url: &Url, identifier: &str) -> Result<String, NoRedirect> {
        self.sandbox().approve(url, identifier)
    }

    /// Denies the request like [`Sandbox::deny`].
    ///
    /// # Errors
    ///
    /// Fails if the server does not redirect the browser: [`NoRedirect`] has the reason.
    pub fn deny(&self, url: &Url) -> Result<String, NoRedirect> {
        self.sandbox().deny(url)
    }

    /// Origins of the servers of this network, and the suffix of its handles.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Address of the nameserver, which answers over UDP and TCP.
    pub fn nameserver(&self) -> SocketAddr {
        self.nameserver
    }

    /// Returns each handle, which is a host name, with the address to connect to for that host.
    ///
    /// The system's DNS has no addresses for these names, so a client must be configured with them.
    ///
    /// Deadlocks if the guard of [`sandbox`](Self::sandbox) is still held, even within the same
    /// statement.
    pub fn hosts(&self) -> Vec<(String, SocketAddr)> {
        self.sandbox().handles.keys().map(|handle| (handle.clone(), self.handles)).collect()
    }
}

impl ServedBuilder {
    /// Uses nine consecutive ports, beginning with `port`, in this order: `pds`, `other_pds`,
    /// `entryway`, `entryway_pds`, `other_entryway_pds`, `plc`, `doh`, the host of the handles and
    /// of the `did:web`, the nameserver. If `port` is 0 (the default), the system chooses each
    /// port.
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = port;
        self
    }

    /// Opens the ports, starts the thread, and serves the standard network until the returned
    /// [`Served`] is dropped.
    ///
    /// # Errors
    ///
    /// Fails if a port is not free, if the last port would be above 65535, or if the thread can't
    /// be started.
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
        is_started.recv().map_err(|_| {
            io::Error::other("the thread of the sandbox ended before it served any port")
        })??;
        Ok(Served { shared, names, nameserver, handles, stop: Some(stop), thread: Some(thread) })
    }
}

/// Serves all ports until the sender of `stopped` is dropped. All connections end with the runtime.
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
            // A panic of the thread is ignored, because the panic hook has reported it already.
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
