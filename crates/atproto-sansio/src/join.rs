//! Two machines at once.

use std::fmt;
use std::task::Poll;

use crate::cx::Cx;
use crate::machine::{Budget, Machine};

/// A machine whose result is kept until it is taken, so that it may be polled beside others.
pub struct Held<M: Machine> {
    state: State<M, M::Output, M::Error>,
}

enum State<M, T, E> {
    Running(M),
    Ended(Result<T, E>),
    Taken,
}

impl<M: Machine> Held<M> {
    /// Holds `machine`.
    pub fn new(machine: M) -> Self {
        Self { state: State::Running(machine) }
    }

    /// A result that is already there, for a path that needs no machine.
    pub fn ended(result: Result<M::Output, M::Error>) -> Self {
        Self { state: State::Ended(result) }
    }

    /// Polls the machine unless it has ended; says whether it has.
    pub fn advance(&mut self, cx: &mut Cx<'_>) -> bool {
        if let State::Running(machine) = &mut self.state {
            match machine.poll(cx) {
                Poll::Ready(result) => self.state = State::Ended(result),
                Poll::Pending => return false,
            }
        }
        true
    }

    /// The machine, while it runs.
    pub fn running(&self) -> Option<&M> {
        match &self.state {
            State::Running(machine) => Some(machine),
            State::Ended(_) | State::Taken => None,
        }
    }

    /// The result, if it is there and was not taken.
    pub fn result(&self) -> Option<&Result<M::Output, M::Error>> {
        match &self.state {
            State::Ended(result) => Some(result),
            State::Running(_) | State::Taken => None,
        }
    }

    /// Takes the error out, once, if the machine ended in one.
    pub fn take_error(&mut self) -> Option<M::Error> {
        match self.result() {
            Some(Err(_)) => self.take().and_then(Result::err),
            Some(Ok(_)) | None => None,
        }
    }

    /// Moves the machine or its result elsewhere; nothing is left here.
    pub fn take_over(&mut self) -> Self {
        Self { state: std::mem::replace(&mut self.state, State::Taken) }
    }

    /// Takes the result out, once. A machine that still runs goes on running.
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

/// Two machines at once: ends in both outputs, or in the first error.
///
/// Calls of both are outstanding together. When one fails, the calls of the other are withdrawn
/// with it.
pub struct Join<A: Machine, B: Machine> {
    first: Held<A>,
    second: Held<B>,
}

impl<A: Machine, B: Machine> Join<A, B> {
    /// Runs `first` and `second` beside each other; where calls queue, those of `first` come first.
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
        let of_first = self.first.running().map_or_else(Budget::default, Machine::budget);
        let of_second = self.second.running().map_or_else(Budget::default, Machine::budget);
        of_first.beside(of_second)
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
            // Dropping a machine drops its tickets, which withdraws its calls.
            (self.first.state, self.second.state) = (State::Taken, State::Taken);
        }
        let (first, second) = (first.transpose()?, second.transpose()?);
        Poll::Ready(Ok(first.zip(second).expect("a join is not polled after its end")))
    }
}

/// Prints no result: it may hold a secret.
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
