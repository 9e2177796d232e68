//! The driver as an [`Adapter`] of the conformance suite, and helpers for the tests of this crate.

use std::sync::LazyLock;

use atproto_oauth_reqwest::{Driver, DriverBuilder};
use atproto_sansio::{Body, Call, How, Machine, Reply, System};
use atproto_sansio_conformance::{Adapter, Driving, NoKeys, Once, Outcome, Settings};
use http::Request;
use tokio::runtime::Runtime;

/// A driver under test.
#[derive(Clone)]
pub(crate) struct Tested(pub(crate) Driver);

impl Adapter for Tested {
    fn perform(&self, call: Call) -> Reply {
        block_on(self.0.perform(call))
    }

    fn keeps_connections(&self) -> bool {
        true
    }
}

impl Driving for Tested {
    fn run<M>(&self, machine: M) -> Result<M::Output, M::Error>
    where
        M: Machine<Output: Send, Error: Send> + Send + 'static,
    {
        block_on(self.0.run(machine))
    }
}

/// Sends one request with [`Driver::run`], not with [`Driver::perform`].
pub(crate) trait Sending {
    fn send(&self, request: Request<Body>, how: How) -> Outcome;
}

impl Sending for Driver {
    fn send(&self, request: Request<Body>, how: How) -> Outcome {
        block_on(self.run(Once::new(request, how)))
    }
}

/// Returns a driver with the settings of a scenario.
pub(crate) fn tested(settings: Settings<'_>) -> Tested {
    let mut builder = builder();
    if settings.development {
        builder = builder.development();
    }
    if let Some((host, address)) = settings.host_override {
        builder = builder.host_override(host, address);
    }
    if let Some((host, addresses)) = settings.resolved {
        builder = builder.resolve(host, addresses.iter().copied());
    }
    if let Some(lookups) = settings.lookups.cloned() {
        builder = builder.resolve_with(move |host| lookups.look_up(host));
    }
    if let Some(time) = settings.addresses_for {
        builder = builder.remember_addresses(time);
    }
    if let Some(count) = settings.requests_per_server {
        builder = builder.requests_per_server(count);
    }
    if let Some(root) = settings.root_certificate {
        builder = builder.root_certificate(root).unwrap();
    }
    Tested(builder.build())
}

pub(crate) fn builder() -> DriverBuilder {
    Driver::builder(System::new(NoKeys))
}

pub(crate) fn driver() -> Driver {
    builder().build()
}

/// Runs a future on a runtime that all tests share. The tasks that it spawned continue afterwards.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    RUNTIME.block_on(future)
}
