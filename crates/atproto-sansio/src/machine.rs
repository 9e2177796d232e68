//! The inside view: a procedure that asks for calls and ends in a result.

use std::task::Poll;
use std::time::Duration;

use crate::cx::Cx;

/// A procedure that asks for calls and ends in a result.
///
/// Machines nest: a parent polls its child with `ready!(child.poll(cx))?` and never sees the
/// child's calls. A machine is driven from outside by a [`Flow`](crate::Flow).
pub trait Machine {
    /// What it ends in.
    type Output;
    /// Why it ends without.
    type Error;

    /// Goes as far as the replies allow.
    ///
    /// # Panics
    ///
    /// Polled again after it has returned `Ready`: that is a bug of the caller.
    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>>;

    /// What the whole procedure may cost. Only the outermost machine is asked.
    fn budget(&self) -> Budget {
        Budget::default()
    }
}

/// What a flow may cost before the engine refuses further calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// HTTP requests, redirects and retries included.
    pub http: u32,
    /// Time since the first poll. A call handed out before may still take its own time.
    pub time: Duration,
    /// Calls of all kinds but those to a store: what was decided is stored, however late it is.
    pub calls: u32,
}

impl Budget {
    /// A budget of `http` requests within `time`.
    pub const fn new(http: u32, time: Duration) -> Self {
        Self { http, time, calls: 256 }
    }
}

impl Budget {
    /// What two procedures beside each other may cost.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            http: self.http.saturating_add(other.http),
            time: self.time.max(other.time),
            calls: self.calls.saturating_add(other.calls),
        }
    }
}

impl Default for Budget {
    /// 20 requests within a minute.
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
