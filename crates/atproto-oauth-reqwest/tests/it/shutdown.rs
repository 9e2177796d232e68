//! `Driver::shutdown` and shared calls.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Cx, Machine, Phase, Ticket};
use atproto_sansio_conformance::{Asks, Work};
use tokio::time::{sleep, timeout};

use crate::adapter::{block_on, driver};
use crate::shared::{counts, work};

#[test]
fn a_shutdown_waits_for_shared_calls_and_rejects_new_ones() {
    let (driver, work) = (driver(), work());
    let ask = |name| driver.run(Asks::new(name, work.clone()));
    block_on(async {
        timeout(Duration::from_millis(50), ask("key")).await.unwrap_err();
        let shutdown = tokio::spawn(driver.shutdown());
        sleep(Duration::from_millis(50)).await;
        assert!(!shutdown.is_finished());
        let joins = tokio::spawn(ask("key"));
        assert_eq!(ask("more").await.unwrap_err().phase, Phase::NotSent);
        shutdown.await.unwrap();
        assert_eq!(counts(&work), (1, 1));
        joins.await.unwrap().unwrap();
        assert_eq!(ask("key").await.unwrap_err().phase, Phase::NotSent);
        driver.shutdown().await;
    });
}

#[test]
fn a_shutdown_allows_shared_calls_that_running_ones_need() {
    /// Pauses for 150 ms, and then makes the nested shared call.
    struct Later(Option<Ticket<()>>, Asks<Work>, Arc<AtomicBool>);

    impl Machine for Later {
        type Output = ();
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
            self.2.store(true, Ordering::SeqCst);
            let pause = self.0.get_or_insert_with(|| cx.sleep(Duration::from_millis(150)));
            if !self.1.is_begun() {
                let _ = ready!(cx.take(pause));
            }
            self.1.poll(cx).map(|result| {
                result.unwrap();
                Ok(())
            })
        }
    }

    let (driver, work) = (driver(), work());
    block_on(async {
        let begun = Arc::new(AtomicBool::new(false));
        let later = Later(None, Asks::new("inner", work.clone()), Arc::clone(&begun));
        let run = tokio::spawn(driver.run(Asks::new("outer", later)));
        while !begun.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
        driver.shutdown().await;
        assert_eq!(counts(&work).1, 1);
        run.await.unwrap().unwrap();
    });
}
