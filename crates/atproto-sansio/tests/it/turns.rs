//! Tests: a request that carries a time is made when a driver takes it.

use std::cell::RefCell;
use std::task::Poll;

use atproto_sansio::{
    Body, Call, Cx, Draft, Endpoint, Fetch, Fresh, How, Join, Machine, Phase, ToSign,
    TransportError,
};
use bytes::Bytes;
use http::{Request, Response};

use crate::support::{Driver, by_fn, echo, get, how, names, request};

/// An endpoint that puts the number of requests made so far into its path, and may need a signature.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    made: &'a RefCell<Vec<u64>>,
    key_id: Option<&'static str>,
}

impl Endpoint for Numbered<'_> {
    type Output = ();
    type Error = TransportError;

    fn to_sign(&self, _: Fresh<'_>) -> Result<Option<ToSign>, TransportError> {
        let key_id = self.key_id.map(str::to_owned);
        Ok(key_id.map(|key_id| ToSign { key_id, message: Vec::new() }))
    }

    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, TransportError> {
        self.made.borrow_mut().push(fresh.now.as_secs());
        Ok(request("https://peer.example.net/numbered"))
    }

    fn how(&self) -> How {
        how()
    }

    fn response(&self, _: Response<Bytes>) -> Result<(), TransportError> {
        Ok(())
    }
}

#[test]
fn a_request_is_made_when_the_driver_takes_it() {
    let made = RefCell::new(Vec::new());
    let numbered = Fetch::new(Numbered { made: &made, key_id: None });
    let mut driver = Driver::new(Join::new(Join::new(get("1"), get("2")), numbered));
    let first = driver.call();
    driver.flow.handle_reply(echo(first));
    let second = driver.call();
    assert_eq!(made.borrow().len(), 0, "the driver still performs the calls in front of it");
    driver.now += 18;
    driver.flow.handle_reply(echo(second));
    assert_eq!(names(&[driver.call()]), ["numbered"]);
    assert_eq!(*made.borrow(), [driver.now]);
}

#[test]
fn a_signature_is_asked_for_when_the_turn_comes_and_before_all_other_calls() {
    let made = RefCell::new(Vec::new());
    let signed = Fetch::new(Numbered { made: &made, key_id: Some("key") });
    let mut driver = Driver::new(Join::new(Join::new(get("1"), signed), get("2")));
    let first = driver.call();
    driver.flow.handle_reply(echo(first));
    let Call::Sign(call) = driver.call() else { unreachable!("the signature is next") };
    driver.flow.handle_reply(call.respond.with(Ok([0; 64])));
    assert_eq!(names(&driver.calls()), ["numbered", "2"]);
}

#[test]
fn a_remote_signer_that_fails_in_any_way_has_sent_no_request() {
    for phase in [Phase::TimedOut, Phase::MaybeSent, Phase::Truncated, Phase::NotSent] {
        let made = RefCell::new(Vec::new());
        let mut driver = Driver::new(Fetch::new(Numbered { made: &made, key_id: Some("key") }));
        let call = driver.call();
        driver.flow.handle_reply(call.fail(TransportError::new(phase, "the signer hangs")));
        let error = driver.end().unwrap_err();
        assert_eq!(error.phase, Phase::NotSent);
        assert_eq!(error.detail, "the signer hangs");
        assert!(made.borrow().is_empty());
    }
}

#[test]
fn a_retry_goes_before_all_queued_calls() {
    // `twice` sends one request, and after its reply the same request again.
    let made = RefCell::new(Vec::new());
    let endpoint = Numbered { made: &made, key_id: None };
    let (mut draft, mut sent, mut times) = (None, None, 0);
    let twice = by_fn(|cx: &mut Cx<'_>| {
        loop {
            if let Some(ticket) = sent.take() {
                let Poll::Ready(reply) = cx.take(&ticket) else {
                    sent = Some(ticket);
                    return Poll::Pending;
                };
                reply?;
                times += 1;
                if times == 2 {
                    return Poll::Ready(Ok::<_, TransportError>(()));
                }
                draft = Some(Draft::again(cx));
            }
            let mut open = draft.take().unwrap_or_else(|| Draft::new(cx));
            match open.poll(&endpoint, |cx| cx.now(), cx) {
                Poll::Pending => {
                    draft = Some(open);
                    return Poll::Pending;
                }
                Poll::Ready(request) => sent = Some(open.send(request?, how(), cx)),
            }
        }
    });
    let mut driver = Driver::new(Join::new(twice, Join::new(get("1"), get("2"))));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let call = driver.call();
        seen.push(names(std::slice::from_ref(&call)).remove(0));
        driver.flow.handle_reply(echo(call));
    }
    assert_eq!(seen, ["numbered", "numbered", "1", "2"]);
    driver.end().unwrap();
}

#[test]
fn a_reservation_that_is_dropped_is_skipped() {
    let made = RefCell::new(Vec::new());
    let mut numbered = Some(Fetch::new(Numbered { made: &made, key_id: None }));
    let mut first = Some(get("1"));
    let mut second = get("2");
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        if let (Some(fetch), Some(reserved)) = (&mut first, &mut numbered) {
            let has_ended = fetch.poll(cx).is_ready();
            assert!(reserved.poll(cx).is_pending());
            if !has_ended {
                return Poll::Pending;
            }
            (first, numbered) = (None, None);
        }
        second.poll(cx).map_ok(drop)
    }));
    let call = driver.call();
    driver.flow.handle_reply(echo(call));
    assert_eq!(names(&driver.calls()), ["2"]);
    assert!(made.borrow().is_empty());
}
