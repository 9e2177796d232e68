//! Concurrent calls, cancelled calls, and the phases of their errors.

use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::task::{Poll, ready};
use std::thread;
use std::time::Duration;

use atproto_oauth_core::{CallbackParams, Pending, Session, Subject};
use atproto_oauth_reqwest::{Driver, StatelessClient};
use atproto_sansio::{Body, Cx, How, Join, Machine, Phase, Reach, TransportError};
use atproto_sansio_conformance::nameserver::{Nameserver, answer, txt};
use atproto_sansio_conformance::{OK, Once, Outcome, Server, Txt, get, how};
use http::Request;

use crate::adapter::{block_on, builder, driver};

/// Makes two requests at once, and ends with the first reply.
struct Race(Once, Once);

impl Machine for Race {
    type Output = Outcome;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Outcome, TransportError>> {
        if let Poll::Ready(outcome) = self.0.poll(cx) {
            return Poll::Ready(Ok(outcome));
        }
        self.1.poll(cx).map(Ok)
    }
}

/// Makes three requests at once, and cancels `withdrawn` when the reply to `first` arrives.
struct Withdraws {
    first: Option<Once>,
    withdrawn: Option<Once>,
    last: Once,
}

impl Machine for Withdraws {
    type Output = http::Response<bytes::Bytes>;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Outcome> {
        if let Some(withdrawn) = &mut self.withdrawn {
            assert!(withdrawn.poll(cx).is_pending());
        }
        if let Some(first) = &mut self.first {
            ready!(first.poll(cx))?;
            (self.first, self.withdrawn) = (None, None);
        }
        self.last.poll(cx)
    }
}

fn patient() -> How {
    How { timeout: Duration::from_secs(8), ..how() }
}

/// A server that never replies. It reports `come` when a request arrives, and `gone` when its
/// client closes the connection.
fn silent() -> (Server, mpsc::Receiver<&'static str>) {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |mut peer| {
        if peer.receive().is_some() {
            sender.send("come").unwrap();
            peer.wait_for_end();
            sender.send("gone").unwrap();
        }
    });
    (server, receiver)
}

fn next(events: &mpsc::Receiver<&'static str>) -> Result<&'static str, mpsc::RecvTimeoutError> {
    events.recv_timeout(Duration::from_secs(3))
}

#[test]
fn requests_are_outstanding_at_the_same_time() {
    // The server answers neither request before both have arrived.
    let barrier = Arc::new(Barrier::new(2));
    let server = Server::start(move |mut peer| {
        peer.receive();
        barrier.wait();
        peer.send(OK);
    });
    let once = |path| Once::new(get(server.url(path)), how());
    let joined = Join::new(once("/1"), once("/2"));
    let (first, second) = block_on(driver().run(joined)).unwrap();
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
}

#[test]
fn a_txt_lookup_and_a_request_are_outstanding_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(2));
    let for_dns = Arc::clone(&barrier);
    let dns = Nameserver::start(move |_, _, question| {
        for_dns.wait();
        let mut message = answer(question);
        message.add_answers([txt("_atproto.alice.example", &["yes"])]);
        vec![message]
    });
    let server = Server::start(move |mut peer| {
        peer.receive();
        barrier.wait();
        peer.send(OK);
    });
    let driver = builder().nameserver(dns.address).build();
    let joined = Join::new(
        Txt::new("_atproto.alice.example", Duration::from_secs(2)),
        Once::new(get(server.url("/")), how()),
    );
    let (records, reply) = block_on(driver.run(joined)).unwrap();
    assert_eq!((records, reply.status().as_u16()), (vec!["yes".to_owned()], 200));
}

#[test]
fn a_call_that_is_no_longer_wanted_is_dropped_while_the_run_goes_on() {
    let (slow, events) = silent();
    let (gate, opened) = mpsc::channel();
    let opened = std::sync::Mutex::new(opened);
    let quick = Server::start(move |mut peer| {
        peer.receive();
        // Wait until the slow server has received its request.
        opened.lock().unwrap().recv_timeout(Duration::from_secs(3)).unwrap();
        peer.send(OK);
    });
    let (last, last_events) = silent();
    let machine = Withdraws {
        first: Some(Once::new(get(quick.url("/")), patient())),
        withdrawn: Some(Once::new(get(slow.url("/")), patient())),
        last: Once::new(get(last.url("/")), patient()),
    };
    let run = thread::spawn(|| block_on(driver().run(machine)));
    assert_eq!(next(&events), Ok("come"));
    gate.send(()).unwrap();
    assert_eq!(next(&last_events), Ok("come"));
    assert_eq!(next(&events), Ok("gone"));
    assert!(!run.is_finished());
    drop(last);
}

#[test]
fn the_end_of_a_run_drops_what_is_outstanding() {
    let (slow, events) = silent();
    let quick = Server::start(move |mut peer| {
        peer.receive();
        thread::sleep(Duration::from_millis(200));
        peer.send(OK);
    });
    let once = |server: &Server| Once::new(get(server.url("/")), patient());
    block_on(driver().run(Race(once(&slow), once(&quick)))).unwrap().unwrap();
    assert_eq!((next(&events), next(&events)), (Ok("come"), Ok("gone")));
}

#[test]
fn a_dropped_future_drops_its_calls() {
    let (server, events) = silent();
    let run = driver().run(Once::new(get(server.url("/")), patient()));
    block_on(async {
        let task = tokio::spawn(run);
        let come = tokio::task::spawn_blocking(move || (next(&events), events));
        let (come, events) = come.await.unwrap();
        assert_eq!(come, Ok("come"));
        task.abort();
        tokio::task::spawn_blocking(move || assert_eq!(next(&events), Ok("gone"))).await.unwrap();
    });
}

#[test]
fn nothing_happens_before_the_future_is_polled() {
    let server = Server::replying(OK);
    let run = driver().run(Once::new(get(server.url("/")), how()));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(server.connections(), 0);
    block_on(run).unwrap();
}

/// One request is sent, and the other still waits for its connection. Both time out, and only the
/// second one fails with `NotSent`.
#[test]
fn concurrent_requests_time_out_with_different_phases() {
    let server = Server::start(|mut peer| {
        peer.receive();
        peer.wait_for_end();
    });
    // A network for documentation (RFC 5737), to which packets are lost. If the system has no route
    // to it, the connection fails at once, and the phase is the same.
    let nowhere = "http://192.0.2.1/".to_owned();
    let how = How { timeout: Duration::from_millis(400), ..how() };
    let machines = [get(server.url("/")), get(nowhere)].map(|request| Once::new(request, how));
    let driver = driver();
    let [sent, unsent] = machines.map(|machine| {
        let run = driver.run(machine);
        thread::spawn(|| block_on(run).unwrap_err().phase)
    });
    assert_eq!(sent.join().unwrap(), Phase::TimedOut);
    assert_eq!(unsent.join().unwrap(), Phase::NotSent);
}

/// A request waits for its own connection, and is then sent over an idle one of another request. If
/// it times out, its phase is not `NotSent`.
#[test]
fn a_request_over_a_connection_that_became_idle_was_sent() {
    // The server completes the TLS handshake of the first connection only. For the others, the
    // operating system completes the TCP handshake, and the TLS handshake stalls.
    let tls = crate::stalling::stalling_after_first();
    let driver = tls.driver();
    let first = driver.run(Once::new(get(crate::stalling::url()), patient()));
    let first = thread::spawn(|| block_on(first));
    tls.wait_for_request();
    let hasty = How { timeout: Duration::from_millis(1500), ..how() };
    let second = driver.run(Once::new(get(crate::stalling::url()), hasty));
    let second = thread::spawn(|| block_on(second));
    // The second request is establishing its connection now.
    tls.wait_for_connection();
    tls.answer_first();
    first.join().unwrap().unwrap();
    assert_eq!(second.join().unwrap().unwrap_err().phase, Phase::TimedOut);
    assert_eq!(tls.requests(), 2);
}

#[test]
fn a_path_that_is_not_in_normal_form_is_rejected_and_not_rewritten() {
    let server = Server::replying(OK);
    for path in ["/a/../b", "/a/%2e%2e/b", "/./a", "/a\"b"] {
        let request = Request::get(server.url(path)).body(Body::Bytes("".into())).unwrap();
        let error = block_on(driver().run(Once::new(request, how()))).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{path}");
    }
    assert_eq!(server.connections(), 0);
    for path in ["/", "/xrpc/a.b.c?d=e%20f&g=it%27s", "/a//b", "/%41;x=~!$&()*+,=:@", "/?"] {
        block_on(driver().run(Once::new(get(server.url(path)), how()))).unwrap();
        assert_eq!(server.requests().pop().unwrap().line, format!("GET {path} HTTP/1.1"));
    }
}

#[test]
fn futures_can_be_sent_to_other_threads() {
    fn is_send<T: Send + 'static>(_: fn(&Driver, &StatelessClient) -> T) {}
    fn once() -> Once {
        Once::new(get("https://a.example/".to_owned()), How::buffered(1, Reach::Public))
    }
    fn any<T>() -> T {
        unreachable!("never run")
    }
    is_send(|driver, _| driver.run(once()));
    is_send(|driver, _| driver.run_with_body(once(), any()));
    is_send(|driver, _| driver.run_streaming(once()));
    is_send(|driver, _| driver.perform(any()));
    is_send(|driver, _| driver.shutdown());
    is_send(|_, client| client.authorize(any::<Subject>()));
    is_send(|_, client| client.authorize_with(any::<Subject>(), |authorize| authorize));
    is_send(|_, client| client.callback(any::<Pending>(), any::<CallbackParams>()));
    is_send(|_, client| client.request(any::<&Session>(), any()));
    is_send(|_, client| client.refresh(any::<Session>()));
    is_send(|_, client| client.revoke(any::<Session>()));
    fn is_sync<T: Send + Sync + 'static>() {}
    is_sync::<Driver>();
    is_sync::<StatelessClient>();
    fn is_movable<T: Send + 'static>() {}
    is_movable::<atproto_oauth_reqwest::StreamedBody>();
    is_movable::<atproto_oauth_reqwest::AttachedBody>();
}
