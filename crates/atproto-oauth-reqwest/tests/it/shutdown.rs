//! `Driver::shutdown` and shared calls.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Cx, Machine, Phase, Ticket};
use tokio::time::{sleep, timeout};

use crate::adapter::{block_on, driver};
use crate::shared::{Ask, Counts, Nested, Work, ask, work};

#[test]
fn a_shutdown_waits_for_shared_calls_and_rejects_new_ones() {
    let (driver, counts) = (driver(), Arc::<Counts>::default());
    block_on(async {
        timeout(Duration::from_millis(50), ask(&driver, &counts)).await.unwrap_err();
        let shutdown = tokio::spawn(driver.shutdown());
        sleep(Duration::from_millis(50)).await;
        assert!(!shutdown.is_finished());
        let joins = tokio::spawn(driver.run(Ask::new(work(&counts))));
        let more = Ask { key: "more", ..Ask::new(work(&counts)) };
        assert_eq!(driver.run(more).await.unwrap_err().phase, Phase::NotSent);
        shutdown.await.unwrap();
        assert_eq!((counts.begun(), counts.ended()), (1, 1));
        joins.await.unwrap().unwrap();
        assert_eq!(ask(&driver, &counts).await.unwrap_err().phase, Phase::NotSent);
        driver.shutdown().await;
    });
}

#[test]
fn a_shutdown_allows_shared_calls_that_running_ones_need() {
    /// Waits for the sleep of 150 ms, and then makes the nested shared call.
    struct Later(Option<Ticket<()>>, Nested<Work>);
    impl Machine for Later {
        type Output = ();
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
            if let Some(ticket) = &self.0 {
                std::task::ready!(cx.take(ticket)).unwrap();
                self.0 = None;
            }
            self.1.poll(cx)
        }
    }
    /// Begins the sleep, and then runs [`Later`].
    struct Begins(Option<Nested<Work>>, Option<Later>);
    impl Machine for Begins {
        type Output = ();
        type Error = Infallible;

        fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
            if let Some(nested) = self.0.take() {
                self.1 = Some(Later(Some(cx.sleep(Duration::from_millis(150))), nested));
            }
            self.1.as_mut().unwrap().poll(cx)
        }
    }
    let (driver, counts) = (driver(), Arc::<Counts>::default());
    block_on(async {
        let inner = Nested(Ask { key: "inner", ..Ask::new(work(&counts)) }, None);
        let run = tokio::spawn(driver.run(Ask::new(Begins(Some(inner), None))));
        sleep(Duration::from_millis(50)).await;
        driver.shutdown().await;
        assert_eq!(counts.ended(), 1);
        run.await.unwrap().unwrap();
    });
}
