//! Sends the authorization code, while the account is verified beside it.
//!
//! ```text
//! Both ──┬─ tokens, or a refusal ─────────────────────▶ end
//!        ├─ the account is refused, code not sent ────▶ end
//!        └─ no answer ──▶ Unanswered ── verification ─▶ end
//! ```
//!
//! There are three ends. The code was *spared*: the verification failed before a driver had the
//! request, so the code was never sent. There are *no tokens*: the server refused the code, or its
//! answer was lost. Or there are *tokens*, which are revoked if the verification fails.
//!
//! If the answer is lost, the verification is waited for: an account that names another issuer is
//! the more serious news, whichever of the two is known first.

use std::convert::Infallible;
use std::task::Poll;
use std::time::Duration;

use atproto_dpop::{Dpop, DpopReply};
use atproto_sansio::{Cx, Held, Machine, Step, Steps};

use crate::discovery::verify::{self, Verify};
use crate::endpoints::token::{Issued, Token};
use crate::error::{EndpointName, Error};

/// Machine that sends the code and advances the verification.
#[derive(Debug)]
pub(crate) struct SendCode(Steps<State>);

/// The fate of the code: spared, spent without tokens, or exchanged for tokens.
#[derive(Debug)]
pub(crate) enum CodeSent {
    /// The account is not under the authority of the issuer. The code was not sent.
    Spared(Box<Error>),
    /// The client received no tokens.
    NoTokens(Box<Error>),
    /// The server issued tokens.
    Tokens {
        issued: Box<Issued>,
        nonce_missing: bool,
        /// The verification of the account, if the login knows the account.
        check: Option<Box<Held<Verify>>>,
    },
}

#[derive(Debug)]
enum State {
    Both { token: Box<Dpop<Token>>, check: Option<Box<Held<Verify>>> },
    Unanswered { error: Box<Error>, check: Box<Held<Verify>>, deadline: Duration },
}

impl SendCode {
    /// Sends the code of `token`; `check` verifies the account, if the login knows it.
    pub(crate) fn new(token: Dpop<Token>, check: Option<Verify>) -> Self {
        let (token, check) = (Box::new(token), check.map(|check| Box::new(Held::new(check))));
        Self(Steps::begin(State::Both { token, check }))
    }
}

impl Machine for SendCode {
    type Output = CodeSent;
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<CodeSent, Infallible>> {
        self.0.run(|state| {
            Ok(match state {
                State::Both { token, check } => both(token, check, cx),
                State::Unanswered { error, mut check, deadline } => {
                    match cx.until(deadline, |cx| check.poll(cx)) {
                        Poll::Pending => Step::Wait(State::Unanswered { error, check, deadline }),
                        Poll::Ready(Err(verdict)) if verdict.is_security() => {
                            Step::Done(CodeSent::NoTokens(Box::new(verdict)))
                        }
                        Poll::Ready(Ok(_) | Err(_)) => Step::Done(CodeSent::NoTokens(error)),
                    }
                }
            })
        })
    }
}

fn both(
    mut token: Box<Dpop<Token>>,
    mut check: Option<Box<Held<Verify>>>,
    cx: &mut Cx<'_>,
) -> Step<State, CodeSent> {
    let answer = token.poll(cx);
    if let Some(check) = &mut check {
        check.advance(cx);
    }
    match answer {
        Poll::Pending => {
            let refused = || check.as_mut().and_then(|check| check.take_error());
            match (!token.is_in_flight(cx)).then(refused).flatten() {
                Some(error) => Step::Done(CodeSent::Spared(Box::new(error))),
                None => Step::Wait(State::Both { token, check }),
            }
        }
        Poll::Ready(Ok(DpopReply { output: issued, nonce_missing })) => {
            Step::Done(CodeSent::Tokens { issued: Box::new(issued), nonce_missing, check })
        }
        Poll::Ready(Err(error)) => {
            let error = Box::new(error.of_single_use(EndpointName::Token));
            match check {
                Some(check) if is_lost(&error) => {
                    let deadline = cx.elapsed().saturating_add(verify::TIME);
                    Step::Next(State::Unanswered { error, check, deadline })
                }
                Some(_) | None => Step::Done(CodeSent::NoTokens(error)),
            }
        }
    }
}

/// Whether no answer of the token endpoint arrived.
fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Transport(_) | Error::Unanswered { .. })
}
