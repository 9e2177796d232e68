//! Shared calls: machines that run once for all flows of a process that ask for them.

use std::any::{Any, TypeId};
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::call::Respond;
use crate::cx::Cx;
use crate::machine::{Budget, Machine};
use crate::mailbox::Ticket;

/// A machine that the driver runs once for all flows of this process that ask for the same `key`.
///
/// If a machine with this `key` is running already, the driver drops the new machine and replies
/// with a clone of the result of the running one. The driver runs the machine to its end even if no
/// flow waits for it any more. A driver that runs one flow at a time runs the machine at once,
/// before it replies.
///
/// Runs that wait for each other would wait for ever, so a driver keeps [`Waits`](crate::Waits).
pub struct SharedCall {
    /// Identifies the shared work; equal keys mean the same work.
    pub key: SharedKey,
    /// The machine to run, with its own [`Flow`](crate::Flow).
    pub machine: SharedMachine,
    /// Time after which the driver replies with [`Phase::TimedOut`](crate::Phase::TimedOut),
    /// although the machine runs on.
    pub timeout: Duration,
    /// Whether the driver replies with [`SharedResult::begun`] as soon as the machine runs, and lets
    /// it run on in the background. A driver without a background runs it before it replies.
    pub is_detached: bool,
    /// The right to answer this call.
    pub respond: Respond<SharedResult>,
}

/// Identifies shared work: the type of its machine, and a name.
///
/// Machines of different types never share a run, whatever their names. `Debug` shows the type
/// only, because a name may hold a secret.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub struct SharedKey {
    machine: TypeId,
    machine_name: &'static str,
    name: String,
}

/// A machine whose result is a [`SharedResult`]. It reports no error of its own, because its error
/// is part of the result.
pub type SharedMachine = Box<dyn Machine<Output = SharedResult, Error = Infallible> + Send>;

/// The result of a shared machine. A clone goes to each flow that asked for it.
#[derive(Clone)]
pub struct SharedResult(Arc<dyn Any + Send + Sync>);

/// The claim of a machine to the result of a shared machine, a `T`. It works like a [`Ticket`].
#[must_use = "dropping a ticket withdraws its call"]
pub struct SharedTicket<T> {
    pub(crate) ticket: Ticket<SharedResult>,
    kind: PhantomData<fn() -> T>,
}

/// Wraps the output of a machine into a [`SharedResult`].
struct Sharing<M>(M);

impl SharedKey {
    /// The key of `machine` under `name`.
    pub(crate) fn new<M: 'static>(name: String) -> Self {
        Self { machine: TypeId::of::<M>(), machine_name: std::any::type_name::<M>(), name }
    }

    /// The name that the machine was asked for by.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl SharedResult {
    /// The reply to a detached call: the machine runs.
    pub fn begun() -> Self {
        Self(Arc::new(()))
    }

    /// A copy of the result, if it is a `T`.
    pub(crate) fn to<T: Clone + 'static>(&self) -> Option<T> {
        self.0.downcast_ref().cloned()
    }
}

impl<T> SharedTicket<T> {
    pub(crate) fn new(ticket: Ticket<SharedResult>) -> Self {
        Self { ticket, kind: PhantomData }
    }
}

/// Boxes `machine` for a [`SharedCall`].
pub(crate) fn boxed<M>(machine: M) -> SharedMachine
where
    M: Machine<Output: Send + Sync + 'static, Error = Infallible> + Send + 'static,
{
    Box::new(Sharing(machine))
}

impl<M: Machine<Output: Send + Sync + 'static, Error = Infallible>> Machine for Sharing<M> {
    type Output = SharedResult;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<SharedResult, Infallible>> {
        self.0.poll(cx).map_ok(|output| SharedResult(Arc::new(output)))
    }

    fn budget(&self) -> Budget {
        self.0.budget()
    }
}

impl fmt::Debug for SharedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCall")
            .field("key", &self.key)
            .field("timeout", &self.timeout)
            .field("respond", &self.respond)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({})", self.machine_name)
    }
}

/// Prints no value, because the value may be a session.
impl fmt::Debug for SharedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedResult(..)")
    }
}

impl<T> fmt::Debug for SharedTicket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ticket.fmt(f)
    }
}
