//! The HTTP calls and pauses of one run that are outstanding at the same time.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use atproto_sansio::{HttpCall, Reply, SleepCall};
use smallvec::SmallVec;

use crate::driver::Inner;
use crate::http_call;
use crate::streams::Streams;

/// Calls that were taken from the flow and are not answered yet.
pub(crate) struct Outstanding<'a> {
    inner: &'a Arc<Inner>,
    /// Calls that have not begun: if one of them is alone, as in most runs, this thread performs it.
    waiting: SmallVec<[HttpCall; 1]>,
    pauses: Vec<(Instant, SleepCall)>,
    /// Number of threads that perform a call.
    in_flight: usize,
    /// The replies of the threads; `None` before the first thread.
    channel: Option<Channel>,
}

struct Channel {
    answer: Sender<Option<Reply>>,
    replies: Receiver<Option<Reply>>,
}

/// Reports the end of a thread, even if the thread panics and has no reply.
struct Report {
    reply: Option<Reply>,
    answer: Sender<Option<Reply>>,
}

impl<'a> Outstanding<'a> {
    pub(crate) fn new(inner: &'a Arc<Inner>) -> Self {
        let (waiting, pauses) = (SmallVec::new(), Vec::new());
        Self { inner, waiting, pauses, in_flight: 0, channel: None }
    }

    pub(crate) fn add(&mut self, call: HttpCall) {
        self.waiting.push(call);
    }

    pub(crate) fn pause(&mut self, call: SleepCall) {
        self.pauses.push((Instant::now() + call.duration.min(LONGEST), call));
    }

    /// Begins each waiting call in a thread of its own, which may have performed an earlier one.
    ///
    /// No thread is scoped: a call that the machine has withdrawn ends by its own timeout,
    /// and must not delay the result of the run.
    pub(crate) fn begin(&mut self) {
        for call in self.waiting.drain(..).filter(|call| call.respond.is_wanted()) {
            let inner = Arc::clone(self.inner);
            let channel = self.channel.get_or_insert_with(Channel::new);
            let report = Report { reply: None, answer: channel.answer.clone() };
            let work = move || http_call::perform(&inner.agents, call, &mut Streams::default());
            // If there is no thread, the call is dropped, and the flow answers it.
            let begun = self.inner.workers.begin(work, |reply| report.with(reply));
            self.in_flight += 1;
            drop(begun);
        }
    }

    /// Waits for the next reply; `None` if a call has ended without one.
    pub(crate) fn next_reply(&mut self) -> Option<Reply> {
        self.pauses.retain(|(_, call)| call.respond.is_wanted());
        if self.in_flight == 0
            && self.pauses.is_empty()
            && let Some(call) = alone(&mut self.waiting)
        {
            return Some(http_call::perform(&self.inner.agents, call, &mut Streams::default()));
        }
        self.begin();
        let Channel { replies, .. } = self.channel.get_or_insert_with(Channel::new);
        let first = self.pauses.iter().enumerate().min_by_key(|(_, (end, _))| *end);
        let Some((index, end)) = first.map(|(index, (end, _))| (index, *end)) else {
            return replies.recv().map(|reply| self.received(reply)).unwrap_or_default();
        };
        match replies.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(reply) => self.received(reply),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let (_, pause) = self.pauses.swap_remove(index);
                Some(pause.respond.with(Ok(())))
            }
        }
    }

    fn received(&mut self, reply: Option<Reply>) -> Option<Reply> {
        self.in_flight = self.in_flight.saturating_sub(1);
        reply
    }
}

/// Takes the only call.
fn alone(calls: &mut SmallVec<[HttpCall; 1]>) -> Option<HttpCall> {
    calls.retain(|call| call.respond.is_wanted());
    if calls.len() == 1 { calls.pop() } else { None }
}

impl Channel {
    fn new() -> Self {
        let (answer, replies) = mpsc::channel();
        Self { answer, replies }
    }
}

impl Report {
    fn with(mut self, reply: Reply) {
        self.reply = Some(reply);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // If the run has ended, nobody takes the reply.
        let _ = self.answer.send(self.reply.take());
    }
}

/// One year, the longest pause, so that `Instant::now() + pause` does not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
