//! Property test: the guarantees of the engine hold for random machines with random drivers.

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{
    Budget, Call, Cx, Held, Join, Machine, Output, Payload, Phase, Reply, Ticket, TransportError,
};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};

use crate::support::{Driver, by_fn, echo, get, how, lost, request};

/// The shape of a machine.
#[derive(Clone, Debug)]
enum Plan {
    Fetch,
    Txt,
    Sleep,
    Load,
    /// A request whose URL breaks the rules of its reach.
    Refused,
    /// Asks for a request and drops the ticket at once, then continues.
    Withdrawn(Box<Self>),
    Join(Box<Self>, Box<Self>),
    /// Runs the second machine after the first, even if the first has failed.
    Then(Box<Self>, Box<Self>),
    /// Runs both machines and ends with the first success.
    Race(Box<Self>, Box<Self>),
}

type Tree = Box<dyn Machine<Output = (), Error = TransportError>>;

fn plans() -> impl Strategy<Value = Plan> {
    let leaf = prop_oneof![
        4 => Just(Plan::Fetch),
        1 => Just(Plan::Txt),
        1 => Just(Plan::Sleep),
        1 => Just(Plan::Load),
        1 => Just(Plan::Refused),
    ];
    leaf.prop_recursive(6, 48, 2, |inner| {
        let one = inner.prop_map(Box::new);
        prop_oneof![
            1 => one.clone().prop_map(Plan::Withdrawn),
            2 => (one.clone(), one.clone()).prop_map(|(a, b)| Plan::Join(a, b)),
            2 => (one.clone(), one.clone()).prop_map(|(a, b)| Plan::Then(a, b)),
            2 => (one.clone(), one).prop_map(|(a, b)| Plan::Race(a, b)),
        ]
    })
}

fn leaf<T: Payload>(ask: impl Fn(&mut Cx<'_>) -> Ticket<T> + 'static) -> Tree {
    let mut ticket = None;
    Box::new(by_fn(move |cx: &mut Cx<'_>| {
        let ticket = &*ticket.get_or_insert_with(|| ask(cx));
        let failed = |error: T::Error| TransportError::new(Phase::MaybeSent, error.to_string());
        cx.take(ticket).map(|result| result.map(drop).map_err(failed))
    }))
}

fn unit<M: Machine<Error = TransportError> + 'static>(mut machine: M) -> Tree {
    Box::new(by_fn(move |cx: &mut Cx<'_>| machine.poll(cx).map_ok(drop)))
}

fn build(plan: &Plan) -> Tree {
    const SECOND: Duration = Duration::from_secs(1);
    match plan {
        Plan::Fetch => unit(get("x")),
        Plan::Txt => leaf(|cx| cx.txt("x".to_owned(), SECOND)),
        Plan::Sleep => leaf(|cx| cx.sleep(SECOND)),
        Plan::Load => leaf(|cx| cx.load("x".to_owned())),
        Plan::Refused => leaf(|cx| cx.http(request("https://127.0.0.1/"), how())),
        Plan::Withdrawn(next) => {
            let (mut begun, mut next) = (false, build(next));
            Box::new(by_fn(move |cx: &mut Cx<'_>| {
                if !std::mem::replace(&mut begun, true) {
                    drop(cx.http(request("https://peer.example.net/withdrawn"), how()));
                }
                next.poll(cx)
            }))
        }
        Plan::Join(a, b) => unit(Join::new(build(a), build(b))),
        Plan::Then(a, b) => {
            let (mut first, mut second) = (Held::new(build(a)), build(b));
            Box::new(by_fn(
                move |cx: &mut Cx<'_>| {
                    if first.advance(cx) { second.poll(cx) } else { Poll::Pending }
                },
            ))
        }
        Plan::Race(a, b) => {
            let mut racers = Some((Held::new(build(a)), Held::new(build(b))));
            Box::new(by_fn(move |cx: &mut Cx<'_>| {
                let (a, b) = racers.as_mut().expect("a race is not polled after its end");
                let both = a.advance(cx) & b.advance(cx);
                let won = matches!(a.result(), Some(Ok(()))) || matches!(b.result(), Some(Ok(())));
                if !won && !both {
                    return Poll::Pending;
                }
                racers = None;
                Poll::Ready(if won { Ok(()) } else { Err(lost()) })
            }))
        }
    }
}

fn answer(call: Call, choice: u8) -> Reply {
    match choice % 4 {
        0 => call.unsupported(),
        1 => call.fail(TransportError::new(Phase::Truncated, "broke off")),
        _ => echo(call),
    }
}

fn slot(call: &Call) -> String {
    let printed = format!("{call:?}");
    let (_, slot) = printed.rsplit_once("Respond(").expect("a call prints its slot");
    slot.to_owned()
}

proptest! {
    #[test]
    fn a_flow_stays_within_its_budget_and_hands_out_no_call_twice(
        plan in plans(),
        http in 0..12_u32,
        calls in 0..24_u32,
        seconds in 0..20_u64,
        choices in proptest::collection::vec(any::<u8>(), 1..64),
    ) {
        let time = Duration::from_secs(seconds);
        let mut tree = build(&plan);
        let machine = by_fn(move |cx: &mut Cx<'_>| tree.poll(cx));
        let mut driver = Driver::new(machine.within(Budget { http, time, calls, store: calls }));
        let mut choices = choices.into_iter().cycle();
        let mut choose = || choices.next().expect("a cycle has no end");
        let (mut flying, mut slots) = (Vec::new(), BTreeSet::new());
        let (mut https, mut total) = (0, 0);
        // The time budget begins with the first poll.
        let begin = driver.elapsed;
        let mut passed = Duration::ZERO;
        loop {
            let left = time.saturating_sub(passed);
            driver.elapsed = begin + passed;
            passed += Duration::from_millis(u64::from(choose()) * 8);
            match driver.poll() {
                Output::Call(call) => {
                    prop_assert!(call.is_wanted());
                    prop_assert!(slots.insert(slot(&call)), "the call was handed out twice");
                    total += u32::from(!matches!(call, Call::Store(_)));
                    match &call {
                        Call::Http(http) => {
                            https += 1;
                            prop_assert!(http.timeout <= left && !left.is_zero());
                            prop_assert!(http.request.uri().path() == "/x");
                        }
                        Call::Txt(txt) => prop_assert!(txt.timeout <= left),
                        Call::Sleep(sleep) => prop_assert!(sleep.duration <= left),
                        Call::Store(_) | Call::Shared(_) | Call::Sign(_) | Call::Notify(_) => {}
                    }
                    flying.push(call);
                    // Sometimes more calls are begun before one is answered.
                    if choose() % 2 == 0 {
                        continue;
                    }
                }
                Output::Wait => {
                    prop_assert!(flying.iter().any(Call::is_wanted), "no call is in flight");
                }
                Output::Done(_) => break,
            }
            let call = flying.swap_remove(usize::from(choose()) % flying.len());
            driver.flow.handle_reply(answer(call, choose()));
        }
        prop_assert!(https <= http, "{https} requests");
        prop_assert!(total <= calls, "{total} calls");
        for late in flying {
            driver.flow.handle_reply(echo(late));
        }
    }
}
