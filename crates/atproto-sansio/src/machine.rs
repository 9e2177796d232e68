//! The [`Machine`] trait: one protocol procedure as a state machine, and its [`Budget`].

use std::task::Poll;
use std::time::Duration;

use crate::cx::Cx;

/// A protocol procedure as a state machine: it asks for calls and ends in one result.
///
/// Machines nest: a parent polls its child with `ready!(child.poll(cx))?` and never sees the
/// child's calls. A [`Flow`](crate::Flow) drives the outermost machine.
pub trait Machine {
    /// Result of a successful procedure.
    type Output;
    /// Error of a failed procedure.
    type Error;

    /// Continues until the machine has ended or needs a reply that has not arrived.
    ///
    /// # Panics
    ///
    /// Panics if the machine is polled again after it returned `Ready`. The cause is a bug of the
    /// code that polls.
    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>>;

    /// Limits of requests, time and calls for the whole procedure. [`Flow::new`](crate::Flow::new)
    /// reads the budget of the outermost machine only.
    fn budget(&self) -> Budget {
        Budget::default()
    }
}

/// Limits of one flow. The engine answers every call beyond them with
/// [`Phase::NotSent`](crate::Phase::NotSent).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Number of HTTP requests; redirects and retries count.
    pub http: u32,
    /// Time since the first poll. The timeout of each call is shortened to the time that is left.
    /// Only [`Cx::extend_until`](crate::Cx::extend_until) goes beyond it.
    pub time: Duration,
    /// Number of calls of all kinds except store calls.
    pub calls: u32,
    /// Number of store calls. They count apart, so that a machine which has used up its other calls
    /// can still save a result that it has obtained.
    pub store: u32,
}

impl Budget {
    /// A budget of `http` requests within `time`, 256 calls, and 256 store calls.
    pub const fn new(http: u32, time: Duration) -> Self {
        Self { http, time, calls: 256, store: 256 }
    }
}

impl Budget {
    /// The budget of two procedures that run side by side: the sum of the counts, the longer time.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            http: self.http.saturating_add(other.http),
            time: self.time.max(other.time),
            calls: self.calls.saturating_add(other.calls),
            store: self.store.saturating_add(other.store),
        }
    }
}

impl Default for Budget {
    /// 20 HTTP requests within a minute, 256 calls, and 256 store calls.
    fn default() -> Self {
        Self::new(20, Duration::from_secs(60))
    }
}

impl<M: Machine + ?Sized> Machine for Box<M> {
    type Output = M::Output;
    type Error = M::Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        (**self).poll(cx)
    }

    fn budget(&self) -> Budget {
        (**self).budget()
    }
}

impl<M: Machine + ?Sized> Machine for &mut M {
    type Output = M::Output;
    type Error = M::Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        (**self).poll(cx)
    }

    fn budget(&self) -> Budget {
        (**self).budget()
    }
}
