//! Tests of a machine that races DNS against HTTPS, with a driver that performs one call at a time
//! and with a driver that performs all calls at once.

use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Cx, Fetch, Machine, Output, Ticket, TransportError};

use crate::support::{Driver, Get, echo, get, lost, lost_at, name, names};

/// Asks DNS and HTTPS at the same time, and ends with the first successful answer.
struct Race {
    txt: Option<Ticket<Vec<String>>>,
    fetch: Option<Fetch<Get>>,
    begun: bool,
}

impl Race {
    fn new() -> Self {
        Self { txt: None, fetch: Some(get("https")), begun: false }
    }
}

impl Machine for Race {
    type Output = String;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<String, TransportError>> {
        if !self.begun {
            self.begun = true;
            self.txt = Some(cx.txt("dns".to_owned(), Duration::from_secs(1)));
        }
        let mut end = None;
        if let Some(Poll::Ready(records)) = self.txt.as_ref().map(|txt| cx.take(txt)) {
            self.txt = None;
            end = Some(records.map(|records| records.concat()));
        }
        if !matches!(end, Some(Ok(_)))
            && let Some(Poll::Ready(text)) = self.fetch.as_mut().map(|fetch| fetch.poll(cx))
        {
            self.fetch = None;
            end = Some(text);
        }
        match end {
            Some(Ok(answer)) => {
                (self.txt, self.fetch) = (None, None);
                Poll::Ready(Ok(answer))
            }
            Some(Err(error)) if self.txt.is_none() && self.fetch.is_none() => {
                Poll::Ready(Err(error))
            }
            _ => Poll::Pending,
        }
    }
}

#[test]
fn a_blocking_driver_never_sends_the_second_request_if_the_first_brought_an_answer() {
    let mut driver = Driver::new(Race::new());
    let dns = driver.call();
    assert_eq!(name(&dns), "dns");
    driver.flow.handle_reply(echo(dns));
    assert_eq!(driver.end().unwrap(), "dns");
}

#[test]
fn a_blocking_driver_sends_the_second_request_if_the_first_failed() {
    let mut driver = Driver::new(Race::new());
    let dns = driver.call();
    driver.flow.handle_reply(dns.unsupported());
    let https = driver.call();
    assert_eq!(name(&https), "https");
    driver.flow.handle_reply(echo(https));
    assert_eq!(driver.end().unwrap(), "https");
}

#[test]
fn an_async_driver_has_both_in_flight_and_the_winner_cancels_the_other() {
    for winner in 0..2 {
        let mut driver = Driver::new(Race::new());
        let mut calls = driver.calls();
        assert_eq!(names(&calls), ["dns", "https"]);
        let first = calls.remove(winner);
        let answer = name(&first);
        driver.flow.handle_reply(echo(first));
        assert_eq!(driver.end().unwrap(), answer);
        assert!(!calls[0].is_wanted());
    }
}

#[test]
fn a_race_fails_when_both_have_failed() {
    let mut driver = Driver::new(Race::new());
    for call in driver.calls() {
        assert!(driver.is_waiting());
        driver.flow.handle_reply(call.fail(lost()));
    }
    assert!(matches!(driver.poll(), Output::Done(Err(error)) if error == lost_at("https")));
}
