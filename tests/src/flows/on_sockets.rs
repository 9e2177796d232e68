//! A stage that runs the sandbox on loopback sockets.

use std::net::{SocketAddr, TcpListener};
use std::ops::DerefMut;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{Client, ClientBuilder};
use atproto_oauth_sandbox::{Sandbox, Served};
use atproto_sansio::System;
use url::Url;

use crate::flows::{Adapter, Asynchronous, Sandboxed, sign_remotely};

/// A sandbox on sockets, and the adapter that runs its clients.
#[derive(Debug)]
pub struct OnSockets {
    served: Served,
    is_blocking: bool,
}

impl OnSockets {
    /// Starts a sandbox whose clients run with ureq.
    pub fn blocking() -> Self {
        Self { served: Served::start(1).unwrap(), is_blocking: true }
    }

    /// Starts a sandbox whose clients run with reqwest.
    pub fn asynchronous() -> Self {
        Self { served: Served::start(1).unwrap(), is_blocking: false }
    }

    /// Address of the sandbox's nameserver (UDP and TCP).
    pub fn nameserver(&self) -> SocketAddr {
        self.served.nameserver()
    }

    /// Hosts of handles, and the address at which each is served.
    pub fn hosts(&self) -> Vec<(String, SocketAddr)> {
        self.served.hosts()
    }

    /// Runs `client` with ureq and an empty memory.
    pub fn ureq(&self, client: Client) -> atproto_oauth_ureq::StatelessClient {
        let mut driver = atproto_oauth_ureq::Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(self.served.nameserver())
            .sign_with(sign_remotely);
        for (host, address) in self.served.hosts() {
            driver = driver.host_override(&host, address);
        }
        atproto_oauth_ureq::StatelessClient::with_driver(client, driver.build())
    }

    /// Runs `client` with reqwest and an empty memory.
    pub fn reqwest(&self, client: Client) -> Asynchronous {
        let mut driver = atproto_oauth_reqwest::Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(self.served.nameserver())
            .sign_with(|key_id, message| async move { sign_remotely(&key_id, &message) });
        for (host, address) in self.served.hosts() {
            driver = driver.host_override(&host, address);
        }
        Asynchronous::new(client, || driver.build())
    }
}

impl Sandboxed for OnSockets {
    fn sandbox(&self) -> Box<dyn DerefMut<Target = Sandbox> + '_> {
        Box::new(self.served.sandbox())
    }

    fn closed_port(&self) -> Url {
        // The listener is dropped at once, so no server listens on its port.
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("http://{dead}").parse().unwrap()
    }

    fn configure(&self, client: ClientBuilder) -> ClientBuilder {
        let plc = self.served.names().plc.parse().unwrap();
        client.resolver(Resolver::new().with_directories([plc])).development()
    }

    fn run(&self, client: Client) -> Box<dyn Adapter + '_> {
        match self.is_blocking {
            true => Box::new(self.ureq(client)),
            false => Box::new(self.reqwest(client)),
        }
    }
}
