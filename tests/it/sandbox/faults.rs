//! Everything that can go wrong with a request goes wrong with each request of each procedure. None of
//! it ends in a panic; and where a procedure says that it failed, the server has no session that
//! nobody knows of, unless the error says that this can't be known.

use std::collections::BTreeSet;
use std::time::Duration;

use atproto_oauth_core::{
    AuthorityError, CallbackParams, Client, EndpointName, Error, RefreshError, Refreshed,
    Revocation, Session, SessionEffect, Subject,
};
use atproto_oauth_sandbox::{Exchange, Fault, Process, Sandbox};
use atproto_sansio::{Flow, Machine, Output};
use http::StatusCode;

use crate::sandbox::{ALICE, CAROL, RITA, begin, confidential, finish, loopback, server, who_am_i};

/// A name, and what it does to one request.
type Trouble = (&'static str, fn() -> Fault);

const TROUBLES: [Trouble; 14] = [
    ("refused", Fault::refuse),
    ("request lost", Fault::lose_request),
    ("answer lost", Fault::lose_answer),
    ("cut at once", || Fault::cut(0)),
    ("cut", || Fault::cut(20)),
    ("silence", Fault::silence),
    ("too late", || Fault::delay(Duration::from_secs(120))),
    ("padded", || Fault::pad(10 * 1024 * 1024)),
    ("502", || Fault::status(StatusCode::BAD_GATEWAY)),
    ("the server's own 502", || Fault::with_status(StatusCode::BAD_GATEWAY)),
    ("redirect", || Fault::redirect(StatusCode::FOUND, "https://elsewhere.example.com/")),
    ("HTML", || Fault::with_content_type("text/html")),
    ("another body", || Fault::with_body("<html>no JSON</html>")),
    ("nonces reset", Fault::reset_nonces),
];

/// How calls are performed: the order in which answers come decides what a failure leaves behind.
#[derive(Clone, Copy, Debug)]
enum How {
    Together,
    InTurn,
}

/// A network in which something goes wrong.
struct Trial {
    sandbox: Sandbox,
    process: Process,
    client: Client,
    who: &'static str,
    how: How,
    about: String,
}

impl Trial {
    fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, M::Error> {
        match self.how {
            How::Together => self.sandbox.run_in(&mut self.process, machine),
            How::InTurn => {
                let mut flow = Flow::new(machine);
                loop {
                    match flow.poll_output(&mut self.process.env(self.sandbox.now())) {
                        Output::Call(call) => flow.handle_reply(self.sandbox.respond(call)),
                        Output::Wait => unreachable!("every call was answered"),
                        Output::Done(result) => return result,
                    }
                }
            }
        }
    }

    /// A whole login.
    fn log_in(&mut self) -> Result<Session, Error> {
        let begun = self.run(self.client.authorize(Subject::parse(self.who).unwrap()))?;
        let back = self.sandbox.approve(&begun.url, self.who).unwrap();
        let params = CallbackParams::parse(&back).unwrap();
        let finished = self.run(self.client.callback(begun.pending, params));
        finished.map(|finished| finished.session).map_err(|failed| failed.error)
    }

    fn refresh(&mut self, session: Session) -> Result<Refreshed, RefreshError> {
        self.run(self.client.refresh(session))
    }

    /// The status of a call.
    fn call(&mut self, session: &Session) -> Result<u16, Error> {
        let call = self.client.request(session, who_am_i()).unwrap();
        Ok(self.run(call)?.output.status().as_u16())
    }

    /// How many sessions the issuer of the account has.
    fn sessions(&self) -> usize {
        let names = self.sandbox.names();
        let issuer = if self.who == RITA { &names.entryway } else { &names.pds };
        self.sandbox.sessions(server(&self.sandbox, issuer))
    }

    /// The request that met the trouble.
    fn met(&self) -> Option<&Exchange> {
        self.sandbox.requests().find(|exchange| exchange.fault.is_some())
    }
}

/// Does `play` with each trouble at each request, for each kind of account and client, after `prepare`.
fn everywhere<P>(prepare: impl Fn(&mut Trial) -> P, mut play: impl FnMut(&mut Trial, P)) {
    // Found by DNS, and over HTTPS; behind an entryway.
    for (who, is_confidential) in [(ALICE, true), (CAROL, false), (RITA, false)] {
        for how in [How::Together, How::InTurn] {
            for (name, trouble) in TROUBLES {
                let mut at = 0;
                loop {
                    let about = format!("{name}, {who}, {is_confidential}, {how:?}, request {at}");
                    let mut sandbox = Sandbox::new(1);
                    let client = if is_confidential { confidential() } else { loopback() };
                    sandbox.publish_client(&client);
                    let process = Process::new(2);
                    let mut trial = Trial { sandbox, process, client, who, how, about };
                    let prepared = prepare(&mut trial);
                    trial.sandbox.clear_log();
                    trial.sandbox.fault(trouble().skip(at));
                    play(&mut trial, prepared);
                    if trial.met().is_none() {
                        break; // it has fewer requests
                    }
                    at += 1;
                }
                assert!(at > 0, "{name} met nothing");
            }
        }
    }
}

/// Whether an error of a callback leaves open what the server has done with the code.
fn is_open(error: &Error) -> bool {
    match error {
        Error::Transport(transport) => !transport.surely_not_sent(),
        Error::Malformed { endpoint: EndpointName::Token, .. } => true,
        // A bare status may be a gateway's.
        Error::Refused(refusal) => {
            refusal.endpoint == EndpointName::Token && refusal.error.is_none()
        }
        _ => false,
    }
}

#[test]
fn a_login_fails_without_leaving_a_session_that_nobody_knows_of() {
    let mut left_behind = BTreeSet::new();
    everywhere(
        |_| {},
        |trial, ()| match trial.log_in() {
            Ok(session) => {
                assert_eq!(trial.sessions(), 1, "{}", trial.about);
                trial.sandbox.clear_faults();
                assert_eq!(trial.call(&session), Ok(200), "{}", trial.about);
            }
            Err(error) if trial.sessions() == 0 => {
                let _ = (error.kind(), error.is_retryable(), error.to_string());
            }
            Err(error) => {
                // What the tokens are, the client never learned, so it can't give them back.
                assert!(is_open(&error), "{}: {error:?}", trial.about);
                let met = trial.met().unwrap();
                left_behind.insert(format!(
                    "{}: {}",
                    met.path(),
                    trial.about.split(',').next().unwrap()
                ));
            }
        },
    );
    // Only the loss of the tokens themselves leaves a session behind.
    let left_behind: Vec<_> = left_behind.iter().map(String::as_str).collect();
    assert_eq!(
        left_behind,
        [
            "/oauth/token: another body",
            "/oauth/token: answer lost",
            "/oauth/token: cut",
            "/oauth/token: cut at once",
            "/oauth/token: padded",
            "/oauth/token: silence",
            "/oauth/token: the server's own 502",
            "/oauth/token: too late",
        ]
    );
}

#[test]
fn a_refresh_says_what_a_failure_means() {
    let mut ambiguous = BTreeSet::new();
    everywhere(
        |trial| trial.log_in().unwrap(),
        |trial, session| {
            let about = trial.about.clone();
            let failed = match trial.refresh(session.clone()) {
                Ok(refreshed) => {
                    trial.sandbox.clear_faults();
                    assert_eq!(trial.call(&refreshed.session), Ok(200), "{about}");
                    return;
                }
                Err(failed) => failed,
            };
            let sessions = trial.sessions();
            trial.sandbox.clear_faults();
            match failed.effect {
                // Nothing was spent: it goes on as if nothing had been.
                SessionEffect::Keep => {
                    assert_eq!(trial.call(&session), Ok(200), "{about}");
                    assert!(trial.refresh(session).is_ok(), "{about}");
                }
                // One more try makes it good, or ends what the server has.
                SessionEffect::Ambiguous => {
                    let met = trial.met().unwrap().path().to_owned();
                    ambiguous.insert(format!("{met}: {}", about.split(',').next().unwrap()));
                    match trial.refresh(session) {
                        Ok(refreshed) => {
                            assert_eq!(trial.call(&refreshed.session), Ok(200), "{about}");
                        }
                        Err(again) => {
                            assert_eq!(again.effect, SessionEffect::Dead, "{about}");
                            assert_eq!(trial.sessions(), 0, "{about}");
                        }
                    }
                }
                SessionEffect::NeedsReauth => panic!("{about}: nobody has moved"),
                SessionEffect::Dead => assert_eq!(sessions, 0, "{about}"),
            }
        },
    );
    let ambiguous: Vec<_> = ambiguous.iter().map(String::as_str).collect();
    assert_eq!(
        ambiguous,
        [
            "/oauth/token: 502",
            "/oauth/token: another body",
            "/oauth/token: answer lost",
            "/oauth/token: cut",
            "/oauth/token: cut at once",
            "/oauth/token: padded",
            "/oauth/token: redirect",
            "/oauth/token: request lost",
            "/oauth/token: silence",
            "/oauth/token: the server's own 502",
            "/oauth/token: too late",
        ]
    );
}

#[test]
fn who_is_told_that_they_are_logged_out_is() {
    everywhere(
        |trial| trial.log_in().unwrap(),
        |trial, session| {
            let revoked = trial.run(trial.client.revoke(session.clone()));
            match revoked {
                Ok(revocation) => {
                    assert_eq!(revocation, Revocation::Revoked, "{}", trial.about);
                    assert_eq!(trial.sessions(), 0, "{}", trial.about);
                }
                Err(error) => drop((error.kind(), error.to_string())),
            }
        },
    );
}

#[test]
fn a_call_that_goes_wrong_costs_no_session() {
    everywhere(
        |trial| trial.log_in().unwrap(),
        |trial, session| {
            match trial.call(&session) {
                Ok(status) => assert!([200, 302, 502].contains(&status), "{}", trial.about),
                Err(Error::Transport(_)) => {}
                Err(other) => panic!("{}: {other:?}", trial.about),
            }
            trial.sandbox.clear_faults();
            assert_eq!(trial.call(&session), Ok(200), "{}", trial.about);
        },
    );
}

#[test]
fn trouble_that_stays_is_told() {
    for (name, trouble) in TROUBLES {
        let (mut sandbox, client) = (Sandbox::new(1), loopback());
        sandbox.fault(trouble().always());
        let began = sandbox.now();
        let refused = sandbox.run(client.authorize(Subject::parse(ALICE).unwrap()));
        let took = sandbox.now().since(began);
        assert!(took < Duration::from_secs(60), "{name}: {took:?}");
        assert!(refused.is_err(), "{name}: {refused:?}");
    }
}

/// A procedure that failed tells why it failed, and not whether it could clean up behind itself.
#[test]
fn tokens_that_can_not_be_given_back_are_left_to_expire() {
    let (mut sandbox, client) = (Sandbox::new(1), loopback());
    let pds = server(&sandbox, &sandbox.names().pds);
    let begun = begin(&mut sandbox, &client, ALICE);
    sandbox.fault(Fault::lose_request().path("/oauth/revoke").times(2));
    let failed = finish(&mut sandbox, &client, begun, CAROL).unwrap_err();
    let is_told = matches!(failed.error, Error::Authority(AuthorityError::SubjectMismatch { .. }));
    assert!(is_told, "{failed:?}");
    assert_eq!(sandbox.sessions(pds), 1);
}
