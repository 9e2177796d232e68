//! Shared calls: concurrent calls with the same key share one run.

use std::convert::Infallible;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use atproto_sansio::{Cx, Machine, Phase, Ticket};
use atproto_sansio_conformance::{Asks, Detaches, Work};

use crate::adapter::{Tested, driver};

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

#[test]
fn fifty_threads_share_one_run() {
    let (driver, work) = (driver(), Work::new(Duration::from_millis(300)));
    let barrier = Barrier::new(50);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                barrier.wait();
                driver.run(Asks::new("key", work.clone())).unwrap();
            });
        }
    });
    assert_eq!(work.begun.load(Ordering::SeqCst), 1);
}

/// Ends with the number of its runs.
#[derive(Clone)]
struct Counts(Arc<AtomicU64>);

impl Machine for Counts {
    type Output = u64;
    type Error = Infallible;

    fn poll(&mut self, _: &mut Cx<'_>) -> Poll<Result<u64, Infallible>> {
        Poll::Ready(Ok(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

#[test]
fn a_caller_that_asks_again_gets_a_later_run() {
    let (driver, counts) = (driver(), Counts(Arc::default()));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut last = None;
                for _ in 0..5_000 {
                    let run = Some(driver.run(Asks::new("key", counts.clone())).unwrap());
                    assert!(run > last, "{run:?} after {last:?}");
                    last = run;
                }
            });
        }
    });
}

#[test]
fn a_panic_frees_the_key_and_wakes_the_waiting_callers() {
    let (driver, flag) = (driver(), Arc::new(AtomicBool::new(true)));
    let ask = || driver.run(Asks::new("key", Panics(Arc::clone(&flag), None)));
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            panic::catch_unwind(AssertUnwindSafe(ask)).unwrap_err();
        });
        thread::sleep(Duration::from_millis(100));
        assert_eq!(ask().unwrap_err().phase, Phase::MaybeSent);
        first.join().unwrap();
    });
    flag.store(false, Ordering::SeqCst);
    ask().unwrap();
}

#[test]
fn a_shutdown_waits_for_runs_in_the_background_from_their_begin_on() {
    for _ in 0..20 {
        let (driver, ended) = (driver(), Arc::new(AtomicBool::new(false)));
        let Ok(()) = driver.run(Detaches::new(&ended));
        assert!(!driver.shutdown_within(Duration::ZERO));
        driver.shutdown();
        assert!(ended.load(Ordering::SeqCst));
        assert!(driver.shutdown_within(Duration::ZERO));
    }
}
