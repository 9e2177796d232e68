//! Shared calls: concurrent calls with the same key share one run.

use std::convert::Infallible;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use atproto_oauth_ureq::Driver;
use atproto_sansio::{Cx, Machine, Phase, Ticket, TransportError};

use crate::adapter::driver;

/// Makes a shared call that runs `work`.
struct Ask<M> {
    work: Option<M>,
    ticket: Option<Ticket<()>>,
}

impl<M> Ask<M> {
    fn new(work: M) -> Self {
        Self { work: Some(work), ticket: None }
    }
}

impl<M: Machine<Output = (), Error = Infallible> + Send + 'static> Machine for Ask<M> {
    type Output = ();
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), TransportError>> {
        if let Some(work) = self.work.take() {
            self.ticket = Some(cx.shared("key".to_owned(), work));
        }
        cx.take(self.ticket.as_ref().unwrap())
    }
}

/// Counts its runs. Each run takes 300 ms.
struct Work {
    count: Arc<AtomicUsize>,
    ticket: Option<Ticket<()>>,
}

impl Machine for Work {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let ticket = self.ticket.get_or_insert_with(|| {
            self.count.fetch_add(1, Ordering::SeqCst);
            cx.sleep(Duration::from_millis(300))
        });
        cx.take(ticket).map(|_| Ok(()))
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

/// A shared machine that makes a shared call with its own key.
struct Circular(Option<Box<Ask<Work>>>, Arc<AtomicUsize>);

impl Machine for Circular {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let count = Arc::clone(&self.1);
        let inner = self.0.get_or_insert_with(|| Box::new(Ask::new(Work { count, ticket: None })));
        inner.poll(cx).map(|result| {
            assert_eq!(result.unwrap_err().phase, Phase::NotSent);
            Ok(())
        })
    }
}

fn ask(driver: &Driver, count: &Arc<AtomicUsize>) -> Result<(), TransportError> {
    driver.run(Ask::new(Work { count: Arc::clone(count), ticket: None }))
}

#[test]
fn fifty_threads_share_one_run() {
    let (driver, count) = (driver(), Arc::new(AtomicUsize::new(0)));
    let barrier = Barrier::new(50);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                barrier.wait();
                ask(&driver.clone(), &count).unwrap();
            });
        }
    });
    assert_eq!(count.load(Ordering::SeqCst), 1);
    ask(&driver, &count).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_panic_frees_the_key_and_wakes_the_waiting_callers() {
    let (driver, count) = (driver(), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            let run = AssertUnwindSafe(|| driver.run(Ask::new(Panics(None))));
            panic::catch_unwind(run).unwrap_err();
        });
        thread::sleep(Duration::from_millis(100));
        let error = ask(&driver, &count).unwrap_err();
        assert_eq!(error.phase, Phase::MaybeSent);
        first.join().unwrap();
    });
    ask(&driver, &count).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_shared_call_that_would_wait_for_itself_fails() {
    let count = Arc::new(AtomicUsize::new(0));
    driver().run(Ask::new(Circular(None, Arc::clone(&count)))).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
