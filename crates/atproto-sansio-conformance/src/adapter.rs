//! What is asked of a transport, and how.

use atproto_sansio::{Body, Call, How, Reach, Reply, System, TransportError, drive};
use bytes::Bytes;
use http::{Request, Response};

use crate::machines::{NoKeys, Once};
use crate::requests::how;

/// A transport under test; a function from call to reply is one.
pub trait Adapter {
    /// Performs one call, and waits for its end.
    fn perform(&self, call: Call) -> Reply;

    /// Whether requests that follow one another share a connection, as far as the server allows.
    fn keeps_connections(&self) -> bool {
        false
    }
}

/// What came of a request.
pub type Outcome = Result<Response<Bytes>, TransportError>;

impl<F: Fn(Call) -> Reply> Adapter for F {
    fn perform(&self, call: Call) -> Reply {
        self(call)
    }
}

/// Sends one request.
///
/// # Errors
///
/// What the adapter says, or the engine before it.
pub fn send(adapter: &impl Adapter, request: Request<Body>, how: How) -> Outcome {
    drive(&System::new(NoKeys), Once::new(request, how), |call| adapter.perform(call))
}

/// Sends one request as if the engine had let it through with this reach.
///
/// # Errors
///
/// What the adapter says.
pub fn send_reaching(adapter: &impl Adapter, request: Request<Body>, reach: Reach) -> Outcome {
    drive(&System::new(NoKeys), Once::new(request, how()), |call| {
        let Call::Http(mut call) = call else { panic!("the machine asks for HTTP alone") };
        call.reach = reach;
        adapter.perform(Call::Http(call))
    })
}
