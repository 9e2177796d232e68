//! A driver for parsers that are reached through a machine: it answers each call at once, from two
//! functions. Time stands still, and entropy is a counter.

use atproto_oauth_sandbox::Process;
use atproto_sansio::{Body, Call, Flow, Machine, Output, Phase, TransportError, UnixTime};
use bytes::Bytes;
use http::{Request, Response, StatusCode};

/// The time that every machine of a parser sees: 2026-01-01T00:00:00Z, as in the sandbox.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

/// Runs `machine` to its end. `http` and `txt` answer its requests and lookups.
///
/// # Panics
///
/// Panics if the machine sends more HTTP requests than its budget allows.
pub(crate) fn drive<M: Machine>(
    machine: M,
    mut http: impl FnMut(&Request<Body>) -> Response<Bytes>,
    mut txt: impl FnMut(&str) -> Vec<String>,
) -> Result<M::Output, M::Error> {
    let mut left = machine.budget().http;
    let mut process = Process::new(1);
    let mut flow = Flow::new(machine);
    loop {
        let call = match flow.poll_output(&mut process.env(NOW)) {
            Output::Call(call) => call,
            Output::Wait => unreachable!("each call was answered at once"),
            Output::Done(result) => return result,
        };
        let reply = match call {
            Call::Http(call) => {
                left = left.checked_sub(1).expect("a machine keeps to its budget of requests");
                call.respond.with(Ok(http(&call.request)))
            }
            Call::Txt(call) => call.respond.with(Ok(txt(&call.name))),
            Call::Sleep(call) => call.respond.with(Ok(())),
            call @ (Call::Store(_) | Call::Shared(_) | Call::Sign(_) | Call::Notify(_)) => {
                call.fail(TransportError::new(Phase::Unsupported, "the canned driver has none"))
            }
        };
        flow.handle_reply(reply);
    }
}

/// A response with status 200 and the content type `application/json`.
pub(crate) fn json(body: impl Into<Bytes>) -> Response<Bytes> {
    let response = Response::builder().header("content-type", "application/json");
    response.header("dpop-nonce", "n-1").body(body.into()).expect("constant headers are valid")
}

/// A response with a status and without a body.
pub(crate) fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
