//! Tests: public types can be moved to another thread (`Send`) or shared between threads (`Sync`).

use atproto_sansio::*;

use crate::support::{Get, get};

fn is_sent<T: Send + 'static>() {}
fn is_shared<T: Send + Sync + 'static + ?Sized>() {}

#[test]
fn types_that_drivers_and_machines_keep_can_be_sent() {
    type Reading = Ticket<http::Response<bytes::Bytes>>;
    is_sent::<Call>();
    is_sent::<HttpCall>();
    is_sent::<TxtCall>();
    is_sent::<StoreCall>();
    is_sent::<SleepCall>();
    is_sent::<SharedCall>();
    is_sent::<SignCall>();
    is_sent::<Body>();
    is_sent::<Answer>();
    is_sent::<Respond<Vec<String>>>();
    is_sent::<Reply>();
    is_sent::<Reading>();
    is_sent::<Fetch<Get>>();
    is_sent::<Held<Fetch<Get>>>();
    is_sent::<Join<Fetch<Get>, Fetch<Get>>>();
    is_sent::<Flow<Join<Fetch<Get>, Fetch<Get>>>>();
    is_sent::<Output<String, TransportError>>();
}

#[test]
fn a_flow_can_be_sent_if_its_machine_can() {
    fn check<M: Machine + Send + 'static>(_: &M) {
        is_sent::<Flow<M>>();
    }
    check(&get("x"));
    is_sent::<Flow<Box<dyn Machine<Output = (), Error = KeyError> + Send>>>();
}

#[test]
fn values_and_program_traits_can_be_shared() {
    is_shared::<Budget>();
    is_shared::<Deleted>();
    is_shared::<Expect>();
    is_shared::<How>();
    is_shared::<KeyError>();
    is_shared::<Phase>();
    is_shared::<Reach>();
    is_shared::<Record>();
    is_shared::<Rule>();
    is_shared::<Saved>();
    is_shared::<SecretBytes>();
    is_shared::<SecretKey>();
    is_shared::<SecretString>();
    is_shared::<Topic>();
    is_shared::<TransportError>();
    is_shared::<UnixTime>();
    is_shared::<Version>();
    is_shared::<dyn Keys>();
    is_shared::<dyn Memory>();
    is_shared::<dyn Signer>();
}

#[test]
fn an_async_driver_with_an_environment_of_its_own_can_be_sent() {
    // The environment lives until the end of the match, so it is held across the `await` inside.
    async fn run<M: Machine>(
        mut flow: Flow<M>,
        entropy: &mut (dyn Entropy + Send),
        memory: &dyn Memory,
        keys: &dyn Keys,
    ) -> Result<M::Output, M::Error> {
        loop {
            let (now, elapsed) = (UnixTime::default(), std::time::Duration::ZERO);
            match flow.poll_output(&mut Env { now, elapsed, entropy, memory, keys }) {
                Output::Call(call) => {
                    let reply = std::future::ready(call.unsupported()).await;
                    flow.handle_reply(reply);
                }
                Output::Wait => std::future::pending().await,
                Output::Done(result) => return result,
            }
        }
    }
    fn check<T: Send>(_: T) {}
    fn checks(entropy: &mut (dyn Entropy + Send), memory: &dyn Memory, keys: &dyn Keys) {
        check(run(Flow::new(get("x")), entropy, memory, keys));
    }
    let _ = checks;
}

#[cfg(feature = "std")]
#[test]
fn a_system_can_be_shared() {
    is_shared::<System>();
    is_shared::<MapMemory>();
    is_shared::<SystemEntropy>();
}
