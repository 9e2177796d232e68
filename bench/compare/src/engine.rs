//! The engine alone: from the caller's request to the call for a driver, and from the response to the reply.

use std::time::Duration;

use atproto_oauth_core::{Client, Session};
use atproto_sansio::{
    Body, Call, Env, Flow, Keys, MapMemory, Moment, Output, System, SystemEntropy,
};
use bytes::Bytes;
use http::{Request, Response};

use crate::keys::{ConstantKeys, DEFAULT_KEYS};
use crate::proofs::NONCE;
use crate::session;

/// A client, a session, and what both remember.
struct Engine {
    client: Client,
    session: Session,
    memory: MapMemory,
}

/// Allocations of the engine for one request.
pub(crate) fn allocations() -> u64 {
    let engine = Engine::new();
    // The nonce of the server gets a new time each second.
    let second = Moment { now: System::now(), elapsed: Duration::ZERO };
    let count = || {
        let (request, response) = (session::request(), response());
        let exchange = || engine.exchange(request, response, &DEFAULT_KEYS, second);
        allocation_counter::measure(exchange).count_total
    };
    // The first request learns the nonce, and the second one shares it.
    let [_, _, third] = [count(), count(), count()];
    third
}

/// One request with its response, without a signature.
pub(crate) fn exchange() -> impl FnMut() {
    let engine = Engine::new();
    move || engine.exchange(session::request(), response(), &ConstantKeys, System::moment())
}

impl Engine {
    fn new() -> Self {
        let session = session::at("http://localhost:8080");
        Self { client: session::client(), session, memory: MapMemory::default() }
    }

    fn exchange(
        &self,
        request: Request<Body>,
        response: Response<Bytes>,
        keys: &dyn Keys,
        Moment { now, elapsed }: Moment,
    ) {
        let mut flow = Flow::new(self.client.request(&self.session, request).unwrap());
        let mut response = Some(response);
        loop {
            let (mut entropy, memory) = (SystemEntropy, &self.memory);
            let mut env = Env { now, elapsed, entropy: &mut entropy, memory, keys };
            match flow.poll_output(&mut env) {
                Output::Call(Call::Http(call)) => {
                    flow.handle_reply(call.respond.with(Ok(response.take().unwrap())));
                }
                Output::Done(reply) => break drop(reply.unwrap()),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The response of a PDS whose nonce stays the same.
fn response() -> Response<Bytes> {
    Response::builder()
        .header("content-type", "application/json")
        .header("dpop-nonce", NONCE)
        .body(Bytes::from_static(b"{}"))
        .unwrap()
}
