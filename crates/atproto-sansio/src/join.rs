//! [`Join`] runs two machines side by side; [`Held`] keeps the result of a machine until it is
//! taken.

use std::fmt;
use std::task::Poll;

use crate::cx::Cx;
use crate::machine::{Budget, Machine};

/// A machine together with its result. The result stays in place until it is taken, so that a
/// parent can poll several machines side by side.
pub struct Held<M: Machine> {
    state: State<M, M::Output, M::Error>,
}

enum State<M, T, E> {
    Running(M),
    Ended(Result<T, E>),
    Taken,
}

impl<M: Machine> Held<M> {
    /// Wraps a machine that has not ended.
    pub fn new(machine: M) -> Self {
        Self { state: State::Running(machine) }
    }

    /// Wraps a result that is known already, for a case that needs no machine.
    pub fn ended(result: Result<M::Output, M::Error>) -> Self {
        Self { state: State::Ended(result) }
    }

    /// Polls the machine unless it has ended. Returns whether the machine has ended.
    pub fn advance(&mut self, cx: &mut Cx<'_>) -> bool {
        if let State::Running(machine) = &mut self.state {
            match machine.poll(cx) {
                Poll::Ready(result) => self.state = State::Ended(result),
                Poll::Pending => return false,
            }
        }
        true
    }

    /// The machine; `None` after its end.
    pub fn running(&self) -> Option<&M> {
        match &self.state {
            State::Running(machine) => Some(machine),
            State::Ended(_) | State::Taken => None,
        }
    }

    /// The result; `None` before the machine's end, and after the result was taken.
    pub fn result(&self) -> Option<&Result<M::Output, M::Error>> {
        match &self.state {
            State::Ended(result) => Some(result),
            State::Running(_) | State::Taken => None,
        }
    }

    /// Takes the result and returns its error, if the machine failed. Otherwise changes nothing.
    pub fn take_error(&mut self) -> Option<M::Error> {
        match self.result() {
            Some(Err(_)) => self.take().and_then(Result::err),
            Some(Ok(_)) | None => None,
        }
    }

    /// Moves the machine or its result out. The remaining value is `Held(taken)`.
    pub fn take_over(&mut self) -> Self {
        Self { state: std::mem::replace(&mut self.state, State::Taken) }
    }

    /// Takes the result; later calls return `None`. If the machine still runs, returns `None` and
    /// leaves the machine in place.
    pub fn take(&mut self) -> Option<Result<M::Output, M::Error>> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Ended(result) => Some(result),
            running => {
                self.state = running;
                None
            }
        }
    }
}

/// Polls the machine, and takes its result.
impl<M: Machine> Machine for Held<M> {
    type Output = M::Output;
    type Error = M::Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<M::Output, M::Error>> {
        if !self.advance(cx) {
            return Poll::Pending;
        }
        Poll::Ready(self.take().expect("a result is taken once"))
    }

    fn budget(&self) -> Budget {
        self.running().map_or_else(Budget::default, Machine::budget)
    }
}

/// Two machines side by side: ends in both outputs, or in the first error.
///
/// Calls of both machines are in flight at the same time. If one machine fails, the calls of the
/// other are withdrawn.
pub struct Join<A: Machine, B: Machine> {
    first: Held<A>,
    second: Held<B>,
}

impl<A: Machine, B: Machine> Join<A, B> {
    /// Joins two machines. In each poll, `first` is polled before `second`, so that its calls are
    /// handed out first.
    pub fn new(first: A, second: B) -> Self {
        Self { first: Held::new(first), second: Held::new(second) }
    }
}

impl<A: Machine, B: Machine> Machine for Join<A, B>
where
    A::Error: From<B::Error>,
{
    type Output = (A::Output, B::Output);
    type Error = A::Error;

    fn budget(&self) -> Budget {
        self.first.budget().beside(self.second.budget())
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Self::Output, Self::Error>> {
        let both = self.first.advance(cx) & self.second.advance(cx);
        let failed = matches!(self.first.result(), Some(Err(_)))
            || matches!(self.second.result(), Some(Err(_)));
        if !both && !failed {
            return Poll::Pending;
        }
        let (first, second) = (self.first.take(), self.second.take());
        if failed {
            // The dropped machine drops its tickets, and dropped tickets withdraw their calls.
            (self.first.state, self.second.state) = (State::Taken, State::Taken);
        }
        let (first, second) = (first.transpose()?, second.transpose()?);
        Poll::Ready(Ok(first.zip(second).expect("a join is not polled after its end")))
    }
}

/// Prints the state but no result, because a result may hold a secret.
impl<M: Machine> fmt::Debug for Held<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Running(_) => "Held(running)",
            State::Ended(_) => "Held(ended)",
            State::Taken => "Held(taken)",
        })
    }
}

impl<A: Machine, B: Machine> fmt::Debug for Join<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Join").field(&self.first).field(&self.second).finish()
    }
}
