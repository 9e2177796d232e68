//! [`Steps`]: the state of a machine, taken by value in each [`Step`].

use std::fmt;
use std::task::Poll;

/// Result of one step of a machine that has not failed.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a step ends in one of these three ways")]
pub enum Step<S, T> {
    /// The next step follows at once.
    Next(S),
    /// A reply has not arrived: the machine is pending in this state.
    Wait(S),
    /// The machine has ended with this output.
    Done(T),
}

/// The state of a machine between two polls.
///
/// A step is a function from a state to the next state or the end. It takes the state by value, so a
/// state that was left can't be used again, and no step has to look up which state it is in.
///
/// ```
/// use std::convert::Infallible;
/// use std::task::Poll;
///
/// use atproto_sansio::{Cx, Machine, Step, Steps, Ticket};
///
/// /// Pauses for a second, and then for another one.
/// struct TwoPauses(Steps<State>);
///
/// enum State {
///     Begin,
///     First(Ticket<()>),
///     Second(Ticket<()>),
/// }
///
/// const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
///
/// impl Machine for TwoPauses {
///     type Output = ();
///     type Error = Infallible;
///
///     fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
///         self.0.run(|state| {
///             Ok(match state {
///                 State::Begin => Step::Next(State::First(cx.sleep(SECOND))),
///                 State::First(pause) => match cx.take(&pause) {
///                     Poll::Pending => Step::Wait(State::First(pause)),
///                     Poll::Ready(_) => Step::Next(State::Second(cx.sleep(SECOND))),
///                 },
///                 State::Second(pause) => match cx.take(&pause) {
///                     Poll::Pending => Step::Wait(State::Second(pause)),
///                     Poll::Ready(_) => Step::Done(()),
///                 },
///             })
///         })
///     }
/// }
/// ```
pub struct Steps<S>(Option<S>);

impl<S> Steps<S> {
    /// The state of a machine that was not polled yet.
    pub const fn begin(state: S) -> Self {
        Self(Some(state))
    }

    /// Runs steps until one of them waits, ends the machine, or fails.
    ///
    /// # Errors
    ///
    /// Fails with the error of a step. The machine has then ended.
    ///
    /// # Panics
    ///
    /// Panics if the machine has ended. The cause is a bug of the code that polls.
    pub fn run<T, E>(
        &mut self,
        mut step: impl FnMut(S) -> Result<Step<S, T>, E>,
    ) -> Poll<Result<T, E>> {
        let mut state = self.0.take().expect("a machine is not polled after its end");
        loop {
            match step(state) {
                Ok(Step::Next(next)) => state = next,
                Ok(Step::Wait(same)) => {
                    self.0 = Some(same);
                    return Poll::Pending;
                }
                Ok(Step::Done(output)) => return Poll::Ready(Ok(output)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The present state; `None` after the end of the machine.
    pub const fn state(&self) -> Option<&S> {
        self.0.as_ref()
    }
}

/// Prints the present state.
impl<S: fmt::Debug> fmt::Debug for Steps<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(state) => state.fmt(f),
            None => f.write_str("Ended"),
        }
    }
}
