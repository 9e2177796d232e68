//! [`Adapter`], the interface of a transport under test, and functions that send one request with
//! it.

use atproto_sansio::{Body, Call, How, HttpCall, Reach, Reply, System, TransportError, drive};
use bytes::Bytes;
use http::{Request, Response};

use crate::machines::{NoKeys, Once};
use crate::requests::how;

/// A transport under test. A function from [`Call`] to [`Reply`] implements it.
pub trait Adapter {
    /// Performs one call, and blocks until its reply.
    fn perform(&self, call: Call) -> Reply;

    /// Whether consecutive requests share a connection if the server allows it; false by default.
    fn keeps_connections(&self) -> bool {
        false
    }
}

/// The outcome of one HTTP call.
pub type Outcome = Result<Response<Bytes>, TransportError>;

impl<F: Fn(Call) -> Reply> Adapter for F {
    fn perform(&self, call: Call) -> Reply {
        self(call)
    }
}

/// Sends one request through the engine and `adapter`.
///
/// # Errors
///
/// Fails with the error of `adapter`, or with `Blocked` if the engine rejects the URL for
/// `how.reach`.
pub fn send(adapter: &impl Adapter, request: Request<Body>, how: How) -> Outcome {
    drive(&System::new(NoKeys), Once::new(request, how), |call| adapter.perform(call))
}

/// Sends one request with `reach`, and skips the engine's check of the URL for this reach.
///
/// # Errors
///
/// Fails with the error of `adapter`.
pub fn send_reaching(adapter: &impl Adapter, request: Request<Body>, reach: Reach) -> Outcome {
    send_changed(adapter, request, how(), |call| call.reach = reach)
}

/// Sends one request, and changes its call after the engine has checked it.
///
/// # Errors
///
/// Fails with the error of `adapter`.
pub fn send_changed(
    adapter: &impl Adapter,
    request: Request<Body>,
    how: How,
    change: impl Fn(&mut HttpCall),
) -> Outcome {
    drive(&System::new(NoKeys), Once::new(request, how), |call| {
        let Call::Http(mut call) = call else { panic!("`Once` makes HTTP calls only") };
        change(&mut call);
        adapter.perform(Call::Http(call))
    })
}
