//! Tests: the result does not depend on the order of the replies.

use std::collections::BTreeSet;
use std::task::{Poll, ready};

use atproto_sansio::{Call, Cx, Fetch, Join, Machine, Output, TransportError};

use crate::support::{Driver, Get, echo, get, lost, lost_at, name, orders};

/// Sends one request, then another, and joins the two texts.
struct Then(Fetch<Get>, Option<String>, Fetch<Get>);

impl Machine for Then {
    type Output = String;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<String, TransportError>> {
        if self.1.is_none() {
            self.1 = Some(ready!(self.0.poll(cx))?);
        }
        let second = ready!(self.2.poll(cx))?;
        Poll::Ready(Ok(self.1.take().expect("the first has ended") + &second))
    }
}

fn machine() -> impl Machine<Output = ((String, String), (String, String)), Error = TransportError>
{
    let then = |first, second| Then(get(first), None, get(second));
    Join::new(Join::new(then("a", "b"), get("c")), Join::new(get("d"), then("e", "f")))
}

/// Runs the machine with all calls in flight, and answers the call with the lowest `rank` first.
/// Returns the names of the calls in the order of their replies.
fn run(rank: impl Fn(&Call) -> usize) -> Vec<String> {
    let mut driver = Driver::new(machine());
    let (mut flying, mut answered): (Vec<Call>, _) = (Vec::new(), Vec::new());
    loop {
        match driver.poll() {
            Output::Call(call) => flying.push(call),
            Output::Wait => {
                flying.sort_by_key(&rank);
                let call = flying.remove(0);
                answered.push(name(&call));
                driver.flow.handle_reply(echo(call));
            }
            Output::Done(result) => {
                let ((ab, c), (d, ef)) = result.expect("every reply is good");
                assert_eq!([ab, c, d, ef], ["ab", "c", "d", "ef"]);
                assert!(flying.is_empty());
                return answered;
            }
        }
    }
}

#[test]
fn replies_in_every_order_give_the_same_result() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let seen = orders(names.len()).into_iter().map(|order| {
        run(|call| order[names.iter().position(|known| *known == name(call)).unwrap()])
    });
    let seen: BTreeSet<_> = seen.collect();
    // A quarter of the 6! orders has "a" before "b" and "e" before "f".
    assert_eq!(seen.len(), 180);
}

#[test]
fn in_every_order_the_first_failure_is_the_result() {
    for order in orders(4) {
        for failing in 0..4 {
            let mut driver = Driver::new(machine());
            let mut calls: Vec<_> = driver.calls().into_iter().map(Some).collect();
            assert_eq!(calls.len(), 4);
            let failed = name(calls[order[failing]].as_ref().unwrap());
            for (step, &at) in order.iter().enumerate() {
                let call = calls[at].take().unwrap();
                if step == failing {
                    driver.flow.handle_reply(call.fail(lost()));
                    break;
                }
                driver.flow.handle_reply(echo(call));
            }
            assert_eq!(driver.end().unwrap_err(), lost_at(&failed));
            assert!(calls.iter().flatten().all(|call| !call.is_wanted()));
        }
    }
}

#[test]
fn the_permutations_are_all_different() {
    let all: BTreeSet<_> = orders(5).into_iter().collect();
    assert_eq!(all.len(), 120);
}
