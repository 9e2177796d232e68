//! Shared calls: concurrent calls with the same key share one run.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Cx, Machine, Phase, Ticket};
use atproto_sansio_conformance::{Asks, Detaches, Once, Server, Work, how, post};
use tokio::time::{sleep, timeout};

use crate::adapter::{Tested, block_on, driver};

atproto_sansio_conformance::shared_tests!(Tested(driver()));

/// Panics after 300 ms if the flag is set.
struct Panics(Arc<AtomicBool>, Option<Ticket<()>>);

impl Machine for Panics {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let ticket = self.1.get_or_insert_with(|| cx.sleep(Duration::from_millis(300)));
        let pause = cx.take(ticket);
        assert!(
            pause.is_pending() || !self.0.load(Ordering::SeqCst),
            "this machine panics on purpose"
        );
        pause.map(|_| Ok(()))
    }
}

/// Sends a request, and ends in whether a reply arrived.
struct Sends(Once);

impl Machine for Sends {
    type Output = bool;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<bool, Infallible>> {
        self.0.poll(cx).map(|outcome| Ok(outcome.is_ok()))
    }
}

/// Asks for a shared machine within another one, and ends in its result.
struct Nested<W: Machine>(Asks<W>);

impl<W> Machine for Nested<W>
where
    W: Machine<Output: Clone + Send + Sync + 'static, Error = Infallible> + Send + 'static,
{
    type Output = Option<W::Output>;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Option<W::Output>, Infallible>> {
        self.0.poll(cx).map(|result| Ok(result.ok()))
    }
}

/// [`Work`] that takes 300 ms.
pub(crate) fn work() -> Work {
    Work::new(Duration::from_secs(1))
}

/// The runs of `work` that have begun and ended.
pub(crate) fn counts(work: &Work) -> (usize, usize) {
    (work.begun.load(Ordering::SeqCst), work.ended.load(Ordering::SeqCst))
}

/// Ends with the number of its runs.
#[derive(Clone)]
struct Counts(Arc<AtomicUsize>);

impl Machine for Counts {
    type Output = usize;
    type Error = Infallible;

    fn poll(&mut self, _: &mut Cx<'_>) -> Poll<Result<usize, Infallible>> {
        Poll::Ready(Ok(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_that_asks_again_gets_a_later_run() {
    let (driver, counts) = (driver(), Counts(Arc::default()));
    let ask = |_| {
        let (driver, counts) = (driver.clone(), counts.clone());
        tokio::spawn(async move {
            let mut last = None;
            for _ in 0..2_000 {
                let run = Some(driver.run(Asks::new("key", counts.clone())).await.unwrap());
                assert!(run > last, "{run:?} after {last:?}");
                last = run;
            }
        })
    };
    for task in (0..8).map(ask).collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[test]
fn ten_thousand_tasks_share_one_run() {
    /// Ends when all 10 000 callers have made their shared call.
    struct Patient(Work, Arc<AtomicUsize>, Option<Ticket<()>>);

    impl Machine for Patient {
        type Output = ();
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
            if self.2.is_none() {
                let Ok(_) = ready!(self.0.poll(cx));
            }
            loop {
                let pause = self.2.get_or_insert_with(|| cx.sleep(Duration::from_millis(100)));
                let _ = ready!(cx.take(pause));
                if self.1.load(Ordering::SeqCst) == 10_000 {
                    return Poll::Ready(Ok(()));
                }
                self.2 = None;
                self.2 = Some(cx.sleep(Duration::from_millis(100)));
            }
        }
    }

    let (driver, work, asked) = (driver(), work(), Arc::new(AtomicUsize::new(0)));
    block_on(async {
        let tasks = (0..10_000).map(|_| {
            let patient = Patient(work.clone(), Arc::clone(&asked), None);
            let run = driver.run(Asks::new("key", patient));
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
        assert_eq!(counts(&work), (1, 1));
    });
}

#[test]
fn calls_with_another_key_run_concurrently() {
    let (driver, work) = (driver(), work());
    block_on(async {
        let other = tokio::spawn(driver.run(Asks::new("other", work.clone())));
        driver.run(Asks::new("key", work.clone())).await.unwrap();
        other.await.unwrap().unwrap();
        assert_eq!(counts(&work), (2, 2));
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
    let (driver, work) = (driver(), work());
    block_on(async {
        let sends = || Sends(Once::new(post(server.url("/"), "a"), how()));
        let both = || Asks::new("outer", Nested(Asks::new("inner", sends())));
        timeout(Duration::from_millis(100), driver.run(both())).await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
        timeout(Duration::from_millis(100), driver.run(both())).await.unwrap_err();
        // A later caller joins the run that the first caller began.
        assert_eq!(driver.run(both()).await.unwrap(), Some(true));
        assert_eq!(server.requests().len(), 1);

        for _ in 0..3 {
            let ask = driver.run(Asks::new("key", work.clone()));
            timeout(Duration::from_millis(50), ask).await.unwrap_err();
        }
        assert_eq!(counts(&work), (1, 0));
        let end = async {
            while counts(&work) != (1, 1) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(30), end).await.expect("the work ends");
    });
}

#[test]
fn a_panic_frees_the_key_and_wakes_the_waiting_callers() {
    let (driver, flag) = (driver(), Arc::new(AtomicBool::new(true)));
    let ask = || driver.run(Asks::new("key", Panics(Arc::clone(&flag), None)));
    block_on(async {
        let first = tokio::spawn(ask());
        sleep(Duration::from_millis(100)).await;
        let waits = timeout(Duration::from_secs(3), ask());
        assert_eq!(waits.await.unwrap().unwrap_err().phase, Phase::MaybeSent);
        assert_eq!(first.await.unwrap().unwrap_err().phase, Phase::MaybeSent);
        flag.store(false, Ordering::SeqCst);
        ask().await.unwrap();
    });
}

#[test]
fn a_runtime_that_ends_wakes_the_waiting_callers_of_another_runtime() {
    let (driver, work) = (driver(), work());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.spawn(driver.run(Asks::new("key", work.clone())));
    while counts(&work).0 == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let waits = std::thread::spawn({
        let run = driver.run(Asks::new("key", work.clone()));
        move || block_on(run)
    });
    std::thread::sleep(Duration::from_millis(50));
    runtime.shutdown_background();
    assert_eq!(waits.join().unwrap().unwrap_err().phase, Phase::MaybeSent);
    block_on(driver.run(Asks::new("key", work.clone()))).unwrap();
    assert_eq!(counts(&work), (2, 1));
}

#[test]
fn a_shutdown_waits_for_runs_in_the_background_from_their_begin_on() {
    block_on(async {
        for _ in 0..20 {
            let (driver, ended) = (driver(), Arc::new(AtomicBool::new(false)));
            let Ok(()) = driver.run(Detaches::new(&ended)).await;
            assert!(!driver.shutdown_within(Duration::from_millis(1)).await);
            driver.shutdown().await;
            assert!(ended.load(Ordering::SeqCst));
            assert!(driver.shutdown_within(Duration::from_millis(1)).await);
        }
    });
}
