//! Begins a login, and stores it until its callback.
//!
//! ```text
//! Authorize ──▶ Save ──▶ BegunLogin
//!                └── the store fails ──▶ Pause ──▶ Save
//! ```

use std::fmt;
use std::task::Poll;

use atproto_sansio::{Budget, Cx, Expect, Machine, Saved, Step, Steps, Ticket, UnixTime};
use url::Url;

use crate::error::Error;
use crate::login::authorize::{Authorization, Authorize};
use crate::login::pending::Pending;
use crate::sessions::back_off::Failures;
use crate::sessions::key;
use crate::sessions::login::binding::LoginCookie;
use crate::sessions::login::record::LoginRecord;

/// Begins a login, and stores its record under `state/<state>`.
#[must_use = "a machine does nothing until a driver runs it"]
pub struct BeginLogin {
    begin: Begin,
    steps: Steps<State>,
}

struct Begin {
    is_bound: bool,
    failures: Failures,
}

/// A login that waits for its callback.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BegunLogin {
    /// URL to open in the user's browser.
    pub url: Url,
    /// Cookie to set in that browser with the redirect ([`LoginCookie::set_cookie`] is the header); `None`
    /// for a login without a binding.
    pub cookie: Option<LoginCookie>,
    /// The `state` parameter of the callback, by which a listener on this machine recognizes it.
    pub state: String,
    /// The browser must open `url` before this time.
    pub expires_at: UnixTime,
    /// Rule that the server broke although its response is usable: [`Error::NonceMissing`].
    pub violation: Option<Error>,
}

enum State {
    Authorize(Authorize),
    Save { login: Box<Login> },
    Saving { login: Box<Login>, save: Ticket<Saved> },
    Pause { login: Box<Login>, pause: Ticket<()>, error: Error },
}

/// A record that is not stored yet, with what the caller gets afterwards.
struct Login {
    record: LoginRecord,
    begun: BegunLogin,
}

impl BeginLogin {
    pub(crate) fn new(authorize: Authorize) -> Self {
        let begin = Begin { is_bound: true, failures: Failures::default() };
        Self { begin, steps: Steps::begin(State::Authorize(authorize)) }
    }

    /// Begins the login without a binding to a browser: for a program on the user's own computer,
    /// whose listener on a loopback address is the browser's counterpart.
    ///
    /// A web application must not do so, because it would accept a callback from any browser.
    pub fn unbound_loopback(mut self) -> Self {
        self.begin.is_bound = false;
        self
    }
}

impl Machine for BeginLogin {
    type Output = BegunLogin;
    type Error = Error;

    fn budget(&self) -> Budget {
        Budget::default()
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<BegunLogin, Error>> {
        let Self { begin, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Authorize(mut authorize) => match authorize.poll(cx) {
                    Poll::Pending => Step::Wait(State::Authorize(authorize)),
                    Poll::Ready(authorization) => {
                        let login = Box::new(begin.login(authorization?, cx));
                        Step::Next(State::Save { login })
                    }
                },
                State::Save { login } => {
                    let Pending { state, expires_at, .. } = &login.record.pending;
                    let (key, value) = (key::of_login(state), login.record.to_value()?);
                    // The key is random, so nobody else has written it. After an attempt without an
                    // answer, the record may be there already.
                    let save = cx.save(key, value, Expect::Any, Some(*expires_at));
                    Step::Next(State::Saving { login, save })
                }
                State::Saving { login, save } => match cx.take(&save) {
                    Poll::Pending => Step::Wait(State::Saving { login, save }),
                    Poll::Ready(Ok(_)) => Step::Done(login.begun),
                    Poll::Ready(Err(error)) => {
                        let pause = begin.failures.bear(error.is_transient(), cx);
                        let error = error.into();
                        match pause {
                            Some(pause) => Step::Next(State::Pause { login, pause, error }),
                            None => return Err(error),
                        }
                    }
                },
                State::Pause { login, pause, error } => match cx.take(&pause) {
                    Poll::Pending => Step::Wait(State::Pause { login, pause, error }),
                    Poll::Ready(Ok(())) => Step::Next(State::Save { login }),
                    Poll::Ready(Err(_)) => return Err(error),
                },
            })
        })
    }
}

impl Begin {
    fn login(&self, authorization: Authorization, cx: &mut Cx<'_>) -> Login {
        let Authorization { url, expires_at, pending, violation } = authorization;
        let secure = pending.redirect_uri().scheme() != "http";
        let cookie = self.is_bound.then(|| LoginCookie::new(pending.state(), secure, cx));
        let state = pending.state().to_owned();
        let record = LoginRecord::new(pending, cookie.as_ref().map(LoginCookie::hash));
        Login { record, begun: BegunLogin { url, cookie, state, expires_at, violation } }
    }
}

impl fmt::Debug for BeginLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeginLogin").finish_non_exhaustive()
    }
}
