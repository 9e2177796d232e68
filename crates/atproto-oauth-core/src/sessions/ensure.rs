//! A session whose access token is fresh: the one at hand, or the result of a shared refresh.

use std::sync::Arc;
use std::task::Poll;

use atproto_dpop::AccessToken;
use atproto_sansio::{Cx, Machine, SharedTicket, Step, Steps};

use crate::error::{Error, SessionError};
use crate::session::Session;
use crate::sessions::error::SessionsError;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::{Managed, leeway};
use crate::sessions::refresh::run::{RefreshRun, RunResult};
use crate::sessions::refresh::wanted::Wanted;

/// Machine that ends in a usable session.
pub(crate) struct Ensure {
    managed: Managed,
    key: SessionKey,
    refused: Option<AccessToken>,
    /// Whether a second run may be asked for.
    may_repeat: bool,
    steps: Steps<State>,
}

enum State {
    Begin(Option<Arc<Session>>),
    Asked(Wanted, SharedTicket<RunResult>),
}

impl Ensure {
    /// A session that is as good as `at_hand`, or better. `refused` is the access token that a server
    /// has just refused.
    pub(crate) fn new(
        managed: Managed,
        key: SessionKey,
        at_hand: Option<Arc<Session>>,
        refused: Option<AccessToken>,
    ) -> Self {
        let steps = Steps::begin(State::Begin(at_hand));
        Self { managed, key, refused, may_repeat: true, steps }
    }
}

impl Machine for Ensure {
    type Output = Arc<Session>;
    type Error = SessionsError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<RunResult> {
        let Self { managed, key, refused, may_repeat, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Begin(at_hand) => {
                    let wanted = Wanted { refused: refused.clone(), leeway: leeway(cx) };
                    match at_hand.filter(|session| wanted.is_met_by(session, cx)) {
                        Some(session) => Step::Done(session),
                        None => {
                            let run = RefreshRun::new(managed.clone(), key.clone(), wanted.clone());
                            let name = match (&*refused, *may_repeat) {
                                (Some(token), false) => {
                                    RefreshRun::name_without(managed, key, token)
                                }
                                _ => RefreshRun::name(managed, key),
                            };
                            let asked = cx.shared(name, run);
                            Step::Next(State::Asked(wanted, asked))
                        }
                    }
                }
                State::Asked(wanted, asked) => match cx.take_shared(&asked) {
                    Poll::Pending => Step::Wait(State::Asked(wanted, asked)),
                    Poll::Ready(result) => {
                        let session = result.map_err(Error::from)??;
                        // The run was begun for another asker, or before the token was refused. The
                        // second run is only for those whose token is the same, so that nobody gets
                        // the refused one again while another process holds the lease.
                        match wanted.refuses(&session) {
                            false => Step::Done(session),
                            true if std::mem::take(may_repeat) => Step::Next(State::Begin(None)),
                            true => return Err(SessionError::TokenRefused.into()),
                        }
                    }
                },
            })
        })
    }
}
