//! The driver, as the tests of this crate and the common ones see it.

use std::sync::LazyLock;

use atproto_oauth_reqwest::{Driver, DriverBuilder};
use atproto_sansio::{Body, Call, How, Reply, System};
use atproto_sansio_conformance::{Adapter, NoKeys, Once, Outcome, Settings};
use http::Request;
use tokio::runtime::Runtime;

/// A driver under test.
pub(crate) struct Tested(pub(crate) Driver);

impl Adapter for Tested {
    fn perform(&self, call: Call) -> Reply {
        block_on(self.0.perform(call))
    }

    fn keeps_connections(&self) -> bool {
        true
    }
}

/// One request, by the driver's own run loop.
pub(crate) trait Sending {
    fn send(&self, request: Request<Body>, how: How) -> Outcome;
}

impl Sending for Driver {
    fn send(&self, request: Request<Body>, how: How) -> Outcome {
        block_on(self.run(Once::new(request, how)))
    }
}

/// The driver with the settings that a scenario asks for.
pub(crate) fn tested(settings: Settings<'_>) -> Tested {
    let mut builder = builder();
    if settings.development {
        builder = builder.development();
    }
    if let Some((host, address)) = settings.host_override {
        builder = builder.host_override(host, address);
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

/// Runs a future, and afterwards whatever it leaves behind.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    RUNTIME.block_on(future)
}
