//! Shared calls: concurrent calls with the same key share one run.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use atproto_oauth_reqwest::Driver;
use atproto_sansio::{Cx, Machine, Phase, Ticket, TransportError};
use atproto_sansio_conformance::{Once, Server, how, post};
use tokio::time::{sleep, timeout};

use crate::adapter::{block_on, driver};

/// Makes a shared call that runs `work`.
pub(crate) struct Ask<M> {
    pub(crate) key: &'static str,
    pub(crate) work: Option<M>,
    pub(crate) ticket: Option<Ticket<()>>,
}

impl<M> Ask<M> {
    pub(crate) fn new(work: M) -> Self {
        Self { key: "key", work: Some(work), ticket: None }
    }
}

impl<M: Machine<Output = (), Error = Infallible> + Send + 'static> Machine for Ask<M> {
    type Output = ();
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), TransportError>> {
        if let Some(work) = self.work.take() {
            self.ticket = Some(cx.shared(self.key.to_owned(), work));
        }
        cx.take(self.ticket.as_ref().unwrap())
    }
}

/// Counts how often it begins and ends. Each run takes 300 ms.
pub(crate) struct Work {
    counts: Arc<Counts>,
    pub(crate) ticket: Option<Ticket<()>>,
}

#[derive(Default)]
pub(crate) struct Counts {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Counts {
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

impl Machine for Work {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let ticket = self.ticket.get_or_insert_with(|| {
            self.counts.begun.fetch_add(1, Ordering::SeqCst);
            cx.sleep(Duration::from_millis(300))
        });
        cx.take(ticket).map(|_| {
            self.counts.ended.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// Panics after 300 ms.
struct Panics(Option<Ticket<()>>);

impl Machine for Panics {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let ticket = self.0.get_or_insert_with(|| cx.sleep(Duration::from_millis(300)));
        assert!(cx.take(ticket).is_pending(), "this machine panics on purpose");
        Poll::Pending
    }
}

/// Makes a further shared call, and asserts its phase: `None` if it must succeed.
pub(crate) struct Nested<M>(pub(crate) Ask<M>, pub(crate) Option<Phase>);

impl<M: Machine<Output = (), Error = Infallible> + Send + 'static> Machine for Nested<M> {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll(cx).map(|result| {
            assert_eq!(result.err().map(|error| error.phase), self.1);
            Ok(())
        })
    }
}

/// Sends a request.
struct Sends(Once);

impl Machine for Sends {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll(cx).map(|outcome| {
            outcome.unwrap();
            Ok(())
        })
    }
}

pub(crate) fn work(counts: &Arc<Counts>) -> Work {
    Work { counts: Arc::clone(counts), ticket: None }
}

pub(crate) async fn ask(driver: &Driver, counts: &Arc<Counts>) -> Result<(), TransportError> {
    driver.run(Ask::new(work(counts))).await
}

#[test]
fn ten_thousand_tasks_share_one_run() {
    /// Ends when all 10 000 callers have made their shared call.
    struct Patient(Work, Arc<AtomicUsize>);
    impl Machine for Patient {
        type Output = ();
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
            while let Poll::Ready(Ok(())) = self.0.poll(cx) {
                if self.1.load(Ordering::SeqCst) == 10_000 {
                    return Poll::Ready(Ok(()));
                }
                self.0.ticket = Some(cx.sleep(Duration::from_millis(100)));
            }
            Poll::Pending
        }
    }
    let (driver, counts, asked) = (driver(), Arc::default(), Arc::new(AtomicUsize::new(0)));
    block_on(async {
        let tasks = (0..10_000).map(|_| {
            let run = driver.run(Ask::new(Patient(work(&counts), Arc::clone(&asked))));
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut run = std::pin::pin!(run);
                let begun = std::future::poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
                asked.fetch_add(1, Ordering::SeqCst);
                match begun {
                    Poll::Ready(result) => result,
                    Poll::Pending => run.await,
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        assert_eq!(counts.begun(), 1);
        ask(&driver, &counts).await.unwrap();
        assert_eq!(counts.begun(), 2);
    });
}

#[test]
fn calls_with_another_key_run_concurrently() {
    let (driver, counts) = (driver(), Arc::<Counts>::default());
    block_on(async {
        let other = Ask { key: "other", ..Ask::new(work(&counts)) };
        let other = tokio::spawn(driver.run(other));
        ask(&driver, &counts).await.unwrap();
        other.await.unwrap().unwrap();
        assert_eq!(counts.begun(), 2);
    });
}

#[test]
fn it_comes_to_its_end_though_all_who_asked_are_gone() {
    // Rule G-14
    let server = Server::start(|mut peer| {
        peer.receive();
        std::thread::sleep(Duration::from_millis(300));
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    let (driver, counts) = (driver(), Arc::<Counts>::default());
    block_on(async {
        let sends = Sends(Once::new(post(server.url("/"), "a"), how()));
        let both = Nested(Ask { key: "inner", ..Ask::new(sends) }, None);
        for machine in [Ask::new(both)] {
            timeout(Duration::from_millis(100), driver.run(machine)).await.unwrap_err();
        }
        assert_eq!(server.requests().len(), 1);
        timeout(Duration::from_millis(100), ask(&driver, &counts)).await.unwrap_err();
        // A later caller joins the run that the first caller began.
        ask(&driver, &counts).await.unwrap();
        assert_eq!((counts.begun(), counts.ended(), server.requests().len()), (0, 0, 1));

        for _ in 0..3 {
            timeout(Duration::from_millis(50), ask(&driver, &counts)).await.unwrap_err();
        }
        assert_eq!((counts.begun(), counts.ended()), (1, 0));
        sleep(Duration::from_millis(400)).await;
        assert_eq!((counts.begun(), counts.ended()), (1, 1));
    });
}

#[test]
fn a_panic_frees_the_key_and_wakes_the_waiting_callers() {
    let (driver, counts) = (driver(), Arc::default());
    block_on(async {
        let first = tokio::spawn(driver.run(Ask::new(Panics(None))));
        sleep(Duration::from_millis(100)).await;
        let waits = timeout(Duration::from_secs(3), ask(&driver, &counts));
        assert_eq!(waits.await.unwrap().unwrap_err().phase, Phase::MaybeSent);
        assert_eq!(first.await.unwrap().unwrap_err().phase, Phase::MaybeSent);
        ask(&driver, &counts).await.unwrap();
        assert_eq!(counts.begun(), 1);
    });
}

#[test]
fn a_runtime_that_ends_wakes_the_waiting_callers_of_another_runtime() {
    let (driver, counts) = (driver(), Arc::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.spawn(driver.run(Ask::new(work(&counts))));
    while counts.begun() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let waits = std::thread::spawn({
        let (driver, counts) = (driver.clone(), Arc::clone(&counts));
        move || block_on(ask(&driver, &counts))
    });
    std::thread::sleep(Duration::from_millis(50));
    runtime.shutdown_background();
    assert_eq!(waits.join().unwrap().unwrap_err().phase, Phase::MaybeSent);
    block_on(ask(&driver, &counts)).unwrap();
    assert_eq!((counts.begun(), counts.ended()), (2, 1));
}

#[test]
fn a_shared_call_that_would_wait_for_itself_fails() {
    let (driver, counts) = (driver(), Arc::default());
    let refused = || Nested(Ask::new(work(&counts)), Some(Phase::NotSent));
    let around = Nested(Ask { key: "inner", ..Ask::new(refused()) }, None);
    block_on(async {
        let run = async {
            driver.run(Ask::new(refused())).await.unwrap();
            driver.run(Ask::new(around)).await.unwrap();
        };
        timeout(Duration::from_secs(3), run).await.unwrap();
    });
    assert_eq!(counts.begun(), 0);
}
