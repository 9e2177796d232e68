//! A store under test, so that one list of checks is for blocking and async stores.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ScopedJoinHandle};

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};

use super::case::Outcome;
use crate::store::{AsyncStore, Store};

pub(super) type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Work that runs beside other work, and may return a text.
pub(super) type Task<'a> = Running<'a, Outcome<Option<String>>>;

/// The operations of a store, and a way to run several tasks at the same time.
pub(super) trait Subject: Sync {
    fn load<'a>(&'a self, key: &'a str) -> Running<'a, Result<Option<Record>, StoreError>>;

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: &'a SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Running<'a, Result<Saved, StoreError>>;

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expect: Expect,
    ) -> Running<'a, Result<Deleted, StoreError>>;

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> Running<'a, Result<Listing, StoreError>>;

    /// Runs all tasks at the same time, and returns their results in the order of the tasks.
    fn together<'a>(&'a self, tasks: Vec<Task<'a>>) -> Running<'a, Vec<Outcome<Option<String>>>>;
}

/// A blocking store. Its futures never wait.
pub(super) struct Blocking<'a, S>(pub(super) &'a S);

impl<S: Store> Subject for Blocking<'_, S> {
    fn load<'a>(&'a self, key: &'a str) -> Running<'a, Result<Option<Record>, StoreError>> {
        Box::pin(async move { self.0.load(key) })
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: &'a SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Running<'a, Result<Saved, StoreError>> {
        Box::pin(async move { self.0.save(key, value, expect, expires_at) })
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expect: Expect,
    ) -> Running<'a, Result<Deleted, StoreError>> {
        Box::pin(async move { self.0.delete(key, expect) })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> Running<'a, Result<Listing, StoreError>> {
        Box::pin(async move { self.0.list(prefix, after) })
    }

    /// A thread for each task.
    fn together<'a>(&'a self, tasks: Vec<Task<'a>>) -> Running<'a, Vec<Outcome<Option<String>>>> {
        Box::pin(async move {
            thread::scope(|scope| {
                let start = |task| scope.spawn(|| block_on(task));
                let threads: Vec<_> = tasks.into_iter().map(start).collect();
                let join = |thread: ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
                };
                threads.into_iter().map(join).collect()
            })
        })
    }
}

/// An async store.
pub(super) struct Async<'a, S>(pub(super) &'a S);

impl<S: AsyncStore> Subject for Async<'_, S> {
    fn load<'a>(&'a self, key: &'a str) -> Running<'a, Result<Option<Record>, StoreError>> {
        Box::pin(self.0.load(key))
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: &'a SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Running<'a, Result<Saved, StoreError>> {
        Box::pin(self.0.save(key, value, expect, expires_at))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expect: Expect,
    ) -> Running<'a, Result<Deleted, StoreError>> {
        Box::pin(self.0.delete(key, expect))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> Running<'a, Result<Listing, StoreError>> {
        Box::pin(self.0.list(prefix, after))
    }

    /// Polls all tasks in turn.
    fn together<'a>(&'a self, tasks: Vec<Task<'a>>) -> Running<'a, Vec<Outcome<Option<String>>>> {
        let mut slots: Vec<_> = tasks.into_iter().map(|task| (task, None)).collect();
        Box::pin(poll_fn(move |cx| {
            for (task, result) in &mut slots {
                if result.is_none()
                    && let Poll::Ready(value) = task.as_mut().poll(cx)
                {
                    *result = Some(value);
                }
            }
            if slots.iter().any(|(_, result)| result.is_none()) {
                return Poll::Pending;
            }
            Poll::Ready(slots.iter_mut().filter_map(|(_, result)| result.take()).collect())
        }))
    }
}

/// Polls a future of a blocking store to its end, which it reaches at once.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        thread::yield_now();
    }
}
