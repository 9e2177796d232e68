//! Tests: a shared machine hands its result to all who asked for it.

use std::convert::Infallible;
use std::task::Poll;

use atproto_sansio::{Call, Cx, Machine, SharedCall, System, TransportError, drive};

use crate::support::{Driver, NoKeys, by_fn, echo};

/// Asks for the shared machine that `work` makes, and ends in its result.
fn asks<W, T>(work: impl Fn() -> W) -> Driver<impl Machine<Output = T, Error = TransportError>>
where
    W: Machine<Output = T, Error = Infallible> + Send + 'static,
    T: Clone + Send + Sync + std::fmt::Debug + 'static,
{
    let mut ticket = None;
    Driver::new(by_fn(move |cx: &mut Cx<'_>| {
        let ticket = &*ticket.get_or_insert_with(|| cx.shared("name".to_owned(), work()));
        cx.take_shared(ticket)
    }))
}

fn text(text: &'static str) -> impl Machine<Output = String, Error = Infallible> + Send + 'static {
    by_fn(move |_: &mut Cx<'_>| Poll::Ready(Ok(text.to_owned())))
}

fn shared<M>(driver: &mut Driver<M>) -> SharedCall
where
    M: Machine<Output: std::fmt::Debug, Error: std::fmt::Debug>,
{
    let Call::Shared(call) = driver.call() else { unreachable!("the flow hands out the call") };
    call
}

#[test]
fn each_asker_gets_a_copy_of_the_result() {
    let (mut one, mut other) = (asks(|| text("result")), asks(|| text("result")));
    let (first, second) = (shared(&mut one), shared(&mut other));
    assert_eq!(first.key, second.key);
    let Ok(result) = drive(&System::new(NoKeys), first.machine, echo);
    one.flow.handle_reply(first.respond.with(Ok(result.clone())));
    other.flow.handle_reply(second.respond.with(Ok(result)));
    assert_eq!(one.end().unwrap(), "result");
    assert_eq!(other.end().unwrap(), "result");
}

#[test]
fn machines_of_different_types_never_share_a_run() {
    let number = || by_fn(|_: &mut Cx<'_>| Poll::Ready(Ok::<_, Infallible>(7)));
    let (mut one, mut other) = (asks(|| text("result")), asks(number));
    let (first, second) = (shared(&mut one), shared(&mut other));
    assert_eq!(first.key.name(), second.key.name());
    assert_ne!(first.key, second.key);
    // A driver that mixes them up does not deceive the machine.
    let Ok(result) = drive(&System::new(NoKeys), first.machine, echo);
    other.flow.handle_reply(second.respond.with(Ok(result)));
    assert!(other.end().is_err());
}

#[test]
fn an_asker_waits_no_longer_than_its_own_time() {
    use std::time::Duration;

    let mut asker = asks(|| text("result"));
    let call = shared(&mut asker);
    assert_eq!(call.timeout, Duration::from_secs(60));
}
