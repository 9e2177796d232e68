//! Scenarios of a driver that runs shared machines once for all who ask for them.
//!
//! [`shared_tests!`](crate::shared_tests) makes a test of each scenario.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, ready};
use std::thread;
use std::time::{Duration, Instant};

use atproto_sansio::{Budget, Cx, Machine, Phase, SharedTicket, Ticket, TransportError};

/// A driver under test. Clones share their runs.
pub trait Driving: Clone + Send + 'static {
    /// Runs `machine`, and blocks until its end.
    ///
    /// # Errors
    ///
    /// Fails with the error of `machine`.
    fn run<M>(&self, machine: M) -> Result<M::Output, M::Error>
    where
        M: Machine<Output: Send, Error: Send> + Send + 'static;
}

/// A machine that asks for a shared machine under a name, and ends in its result.
pub struct Asks<W: Machine> {
    name: &'static str,
    work: Option<W>,
    ticket: Option<SharedTicket<W::Output>>,
    time: Duration,
}

/// A shared machine that takes some time, and ends in the number of its run.
#[derive(Clone)]
pub struct Work {
    /// Runs begun so far.
    pub begun: Arc<AtomicUsize>,
    /// Runs ended so far.
    pub ended: Arc<AtomicUsize>,
    time: Duration,
    pause: Option<(usize, Arc<Ticket<()>>)>,
}

/// A shared machine that pauses, and then asks for another shared machine of its own type. Ends in
/// the phase in which that call failed, if it did.
struct Circle {
    /// Names of the machines to ask for, the next one first.
    names: Vec<&'static str>,
    state: State,
}

enum State {
    New,
    Pausing(Ticket<()>),
    Asking(Box<Asks<Circle>>),
}

impl<W: Machine> Asks<W> {
    /// Asks for `work` under the name `name`, and waits for it for a minute.
    pub fn new(name: &'static str, work: W) -> Self {
        Self { name, work: Some(work), ticket: None, time: Duration::from_secs(60) }
    }

    /// Whether the machine has asked already.
    pub fn is_begun(&self) -> bool {
        self.work.is_none()
    }

    /// Waits for `time` at most.
    pub fn within(self, time: Duration) -> Self {
        Self { time, ..self }
    }
}

impl<W> Machine for Asks<W>
where
    W: Machine<Output: Clone + Send + Sync + 'static, Error = Infallible> + Send + 'static,
{
    type Output = W::Output;
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<W::Output, TransportError>> {
        if let Some(work) = self.work.take() {
            self.ticket = Some(cx.shared(self.name.to_owned(), work));
        }
        cx.take_shared(self.ticket.as_ref().unwrap())
    }

    fn budget(&self) -> Budget {
        Budget::new(0, self.time)
    }
}

impl Work {
    /// Work that takes `time`; its clones count their runs together.
    pub fn new(time: Duration) -> Self {
        Self { begun: Arc::default(), ended: Arc::default(), time, pause: None }
    }
}

impl Machine for Work {
    type Output = usize;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<usize, Infallible>> {
        let (number, pause) = self.pause.get_or_insert_with(|| {
            (self.begun.fetch_add(1, Ordering::SeqCst), Arc::new(cx.sleep(self.time)))
        });
        let _ = ready!(cx.take(pause));
        self.ended.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(*number))
    }
}

impl Circle {
    fn new(names: Vec<&'static str>) -> Self {
        Self { names, state: State::New }
    }
}

impl Machine for Circle {
    type Output = Option<Phase>;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<Phase>, Infallible>> {
        loop {
            match &mut self.state {
                State::New => self.state = State::Pausing(cx.sleep(Duration::from_millis(200))),
                State::Pausing(pause) => {
                    let _ = ready!(cx.take(pause));
                    let (next, rest) = self.names.split_first().unwrap();
                    let rest = rest.iter().chain([next]).copied().collect();
                    let asks = Box::new(Asks::new(next, Self::new(rest)));
                    self.state = State::Asking(asks);
                }
                State::Asking(asks) => {
                    let result = ready!(asks.poll(cx));
                    return Poll::Ready(Ok(result.err().map(|error| error.phase)));
                }
            }
        }
    }
}

/// Every flow that asks for a running machine gets a clone of its result.
pub fn all_who_ask_get_the_result_of_one_run(driver: &impl Driving) {
    let work = Work::new(Duration::from_millis(300));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let (driver, work) = (driver.clone(), work.clone());
            thread::spawn(move || driver.run(Asks::new("one", work)).unwrap())
        })
        .collect();
    let numbers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(numbers, [0; 20]);
    assert_eq!(driver.run(Asks::new("one", work)).unwrap(), 1, "the next run is another one");
}

/// A machine of another type is another operation, even under the same name.
pub fn machines_of_different_types_do_not_share_a_run(driver: &impl Driving) {
    /// The same work as another operation.
    struct Other(Work);

    impl Machine for Other {
        type Output = usize;
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<usize, Infallible>> {
            self.0.poll(cx).map_ok(|number| number + 100)
        }
    }

    let work = Work::new(Duration::from_millis(300));
    let first = thread::spawn({
        let (driver, work) = (driver.clone(), work.clone());
        move || driver.run(Asks::new("one", work)).unwrap()
    });
    thread::sleep(Duration::from_millis(100));
    assert_eq!(driver.run(Asks::new("one", Other(work))).unwrap(), 101);
    assert_eq!(first.join().unwrap(), 0);
}

/// A run that asks for itself is refused, directly or through another run.
pub fn a_run_that_asks_for_itself_is_refused(driver: &impl Driving) {
    let itself = driver.run(Asks::new("one", Circle::new(vec!["one"]))).unwrap();
    assert_eq!(itself, Some(Phase::NotSent));
    let through_another = driver.run(Asks::new("one", Circle::new(vec!["two", "one"]))).unwrap();
    assert_eq!(through_another, None, "the inner run was refused, and has ended");
}

/// Two runs that were begun by two flows, and ask for each other, come to an end.
pub fn runs_that_ask_for_each_other_come_to_an_end(driver: &impl Driving) {
    let begun = Instant::now();
    let threads = [("one", "two"), ("two", "one")].map(|(name, other)| {
        let driver = driver.clone();
        thread::spawn(move || driver.run(Asks::new(name, Circle::new(vec![other, name]))).unwrap())
    });
    let mut results = threads.map(|thread| thread.join().unwrap());
    results.sort_by_key(Option::is_some);
    assert_eq!(results, [None, Some(Phase::NotSent)]);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// A flow waits for a run that another flow began no longer than its own time. The run goes on.
pub fn a_flow_waits_for_a_run_no_longer_than_its_own_time(driver: &impl Driving) {
    let work = Work::new(Duration::from_secs(1));
    let first = thread::spawn({
        let (driver, work) = (driver.clone(), work.clone());
        move || driver.run(Asks::new("one", work)).unwrap()
    });
    thread::sleep(Duration::from_millis(200));
    let hasty = Asks::new("one", work.clone()).within(Duration::from_millis(200));
    assert_eq!(driver.run(hasty).unwrap_err().phase, Phase::TimedOut);
    assert_eq!(work.ended.load(Ordering::SeqCst), 0);
    assert_eq!(first.join().unwrap(), 0);
}
