//! Tests: a host that does not answer is left alone for a while. Rule B-62.

use std::time::Duration;

use atproto_sansio::{Env, Flow, MapMemory, Output, Phase, Reply, TransportError, UnixTime};

use crate::support::{Counter, Get, NoKeys, echo, get};

type Asked = Flow<atproto_sansio::Fetch<Get>>;

/// Flows of one process, each with one request to the same host.
#[derive(Default)]
struct Process {
    memory: MapMemory,
    elapsed: Duration,
}

impl Process {
    fn poll(&self, flow: &mut Asked) -> Output<String, TransportError> {
        flow.poll_output(&mut Env {
            now: UnixTime::from_secs(1_700_000_000) + self.elapsed,
            elapsed: self.elapsed,
            entropy: &mut Counter(0),
            memory: &self.memory,
            keys: &NoKeys,
        })
    }

    /// Sends a request. `answer` says after which time it ends, and how.
    fn ask(
        &mut self,
        answer: impl FnOnce(atproto_sansio::Call) -> (Duration, Reply),
    ) -> Result<String, TransportError> {
        let mut flow = Flow::new(get("x"));
        let call = match self.poll(&mut flow) {
            Output::Call(call) => call,
            Output::Done(result) => return result,
            Output::Wait => unreachable!("the request is handed out or refused"),
        };
        let (time, reply) = answer(call);
        self.elapsed += time;
        flow.handle_reply(reply);
        let Output::Done(result) = self.poll(&mut flow) else { unreachable!("it was answered") };
        result
    }

    /// A request that fails in this phase after ten seconds.
    fn fails(&mut self, phase: Phase) {
        let error = TransportError::new(phase.clone(), "silence");
        let result = self.ask(|call| (10 * SECOND, call.fail(error)));
        assert_eq!(result.map_err(|error| error.phase), Err(phase));
    }

    /// The pause of the host, if it has one.
    fn pause(&mut self) -> Option<Duration> {
        let refused = self.ask(|_| unreachable!("a silent host is asked"));
        let refused = refused.expect_err("the host is silent");
        assert_eq!(refused.phase, Phase::NotSent);
        refused.retry_after
    }

    fn succeeds(&mut self) {
        assert_eq!(self.ask(|call| (SECOND, echo(call))), Ok("x".to_owned()));
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_host_that_did_not_answer_twice_is_left_alone_for_ten_seconds() {
    let mut process = Process::default();
    process.fails(Phase::TimedOut);
    process.fails(Phase::NotSent);
    assert_eq!(process.pause(), Some(10 * SECOND));
    process.elapsed += 9 * SECOND;
    let error = process.ask(|_| unreachable!("a silent host is asked")).unwrap_err();
    assert_eq!(error.retry_after, Some(SECOND));
    assert_eq!(
        error.to_string(),
        "the request was not sent: GET peer.example.net/x: the host did not answer the last 2 \
         requests; the next one is possible in 1 s"
    );
    process.elapsed += SECOND;
    process.succeeds();
    process.fails(Phase::MaybeSent);
    process.succeeds();
}

#[test]
fn the_pause_of_a_host_that_stays_silent_doubles_up_to_a_minute() {
    let mut process = Process::default();
    process.fails(Phase::TimedOut);
    for pause in [10, 20, 40, 60, 60] {
        process.fails(Phase::TimedOut);
        assert_eq!(process.pause(), Some(pause * SECOND));
        process.elapsed += pause * SECOND;
    }
    process.succeeds();
}

#[test]
fn one_call_finds_out_whether_a_silent_host_is_back() {
    let mut process = Process::default();
    process.fails(Phase::TimedOut);
    process.fails(Phase::TimedOut);
    process.elapsed += 10 * SECOND;
    let mut first = Flow::new(get("x"));
    let Output::Call(call) = process.poll(&mut first) else { unreachable!("the pause is over") };
    assert!(process.pause().is_some());
    first.handle_reply(echo(call));
    assert!(matches!(process.poll(&mut first), Output::Done(Ok(_))));
    process.succeeds();
}

#[test]
fn calls_that_were_in_flight_together_count_once() {
    let mut process = Process::default();
    let mut flows: Vec<_> = (0..100).map(|_| Flow::new(get("x"))).collect();
    let call = |flow: &mut Asked| match process.poll(flow) {
        Output::Call(call) => call,
        output => unreachable!("{output:?} in place of a call"),
    };
    let calls: Vec<_> = flows.iter_mut().map(call).collect();
    process.elapsed += 10 * SECOND;
    for (flow, call) in flows.iter_mut().zip(calls) {
        flow.handle_reply(call.fail(TransportError::new(Phase::TimedOut, "silence")));
        assert!(matches!(process.poll(flow), Output::Done(Err(_))));
    }
    assert_eq!(process.pause(), Some(10 * SECOND));
}

#[test]
fn failures_that_cost_no_time_and_answers_of_any_kind_are_no_silence() {
    let mut process = Process::default();
    for _ in 0..5 {
        let error = TransportError::new(Phase::NotSent, "refused");
        let result = process.ask(|call| (2 * SECOND, call.fail(error)));
        assert_eq!(result.unwrap_err().retry_after, None);
        process.fails(Phase::Truncated);
        process.fails(Phase::Unsupported);
    }
}

#[test]
fn a_call_that_waited_in_a_queue_of_the_driver_is_no_silence_of_its_host() {
    let mut process = Process::default();
    for _ in 0..5 {
        let error = TransportError::untried("its time ended in the queue");
        let result = process.ask(|call| (20 * SECOND, call.fail(error)));
        let error = result.unwrap_err();
        assert_eq!((error.phase, error.retry_after), (Phase::NotSent, None));
    }
}
