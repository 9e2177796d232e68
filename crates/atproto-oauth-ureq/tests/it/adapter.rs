//! The driver, as the tests of this crate and the common ones see it.

use atproto_oauth_ureq::{Driver, DriverBuilder};
use atproto_sansio::{Body, Call, How, Reply, System};
use atproto_sansio_conformance::{Adapter, NoKeys, Once, Outcome, Settings};
use http::Request;

/// A driver under test.
pub(crate) struct Tested(pub(crate) Driver);

impl Adapter for Tested {
    fn perform(&self, call: Call) -> Reply {
        self.0.perform(call)
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
        self.run(Once::new(request, how))
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
