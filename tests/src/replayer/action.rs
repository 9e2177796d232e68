//! Performs a step: runs the procedure of the client that the step names.

use std::time::Duration;

use atproto_oauth_core::{CallbackParams, Error, Prompt, Scopes, Subject, xrpc};
use atproto_sansio::Body;
use bytes::Bytes;
use http::Request;

use crate::replayer::outcome::Outcome;
use crate::replayer::play::Play;

/// Performs the step of `play`, and returns its outcome.
///
/// # Errors
///
/// Fails if the client sends a request that the transcript does not have.
///
/// # Panics
///
/// Panics if the step, or one of its options, is unknown or malformed.
pub fn perform(play: &mut Play<'_>) -> Result<Outcome, String> {
    match play.step.verb.as_str() {
        "login" => login(play),
        "callback" => callback(play),
        "request" => request(play),
        "refresh" => refresh(play),
        "revoke" => revoke(play),
        quiet => {
            match quiet {
                "wait" => {
                    let seconds = first(play).parse().expect("`wait` has a number of seconds");
                    play.world.environment.wait(Duration::from_secs(seconds));
                }
                "forget" => play.world.environment.forget(),
                "restart" => play.world.restart(),
                other => panic!("unknown step `{other}`"),
            }
            Ok(Outcome::default())
        }
    }
}

fn login(play: &mut Play<'_>) -> Result<Outcome, String> {
    // Each login has a new DPoP key, even if the login before it failed.
    let old = play.world.seen.key.take();
    play.world.seen.old_keys.extend(old);
    let subject = match Subject::parse(&first(play)) {
        Ok(subject) => subject,
        Err(error) => return Ok(Outcome::error(&error.into())),
    };
    let mut machine = play.world.client.authorize(subject);
    let step = play.step;
    if let Some(scope) = step.option("scope") {
        machine = machine.scopes(Scopes::parse(scope).unwrap());
    }
    if let Some(app_state) = step.option("app_state") {
        machine = machine.app_state(app_state);
    }
    if let Some(redirect) = step.option("redirect") {
        machine = machine.redirect_uri(redirect.parse().unwrap());
    }
    match step.option("prompt") {
        Some("login") => machine = machine.prompt(Prompt::Login),
        Some("create") => machine = machine.prompt(Prompt::Create),
        Some(other) => panic!("prompt={other} is not supported; use login or create"),
        None => {}
    }
    for (name, value) in step.options("parameter") {
        machine = machine.parameter(name, value);
    }
    Ok(match play.run(machine)? {
        Ok(authorization) => {
            let mut outcome = Outcome::word(authorization.url);
            let now = play.world.environment.now;
            outcome.field("expires_in", authorization.expires_at.since(now).as_secs());
            play.world.begun(authorization.pending);
            outcome.violation(authorization.violation.as_ref());
            outcome
        }
        Err(error) => Outcome::error(&error),
    })
}

fn callback(play: &mut Play<'_>) -> Result<Outcome, String> {
    let params = match CallbackParams::parse(&first(play)) {
        Ok(params) => params,
        Err(problem) => return Ok(Outcome::error(&problem.into())),
    };
    let pending = play.world.pending.clone().expect("a `login` step comes before");
    let machine = play.world.client.callback(pending, params);
    Ok(match play.run(machine)? {
        Ok(logged_in) => {
            let mut outcome = Outcome::session(&logged_in.session, &play.world);
            outcome.field("app_state", logged_in.app_state.as_deref().unwrap_or("(none)"));
            play.world.session = Some(logged_in.session);
            outcome.violation(logged_in.violation.as_ref());
            outcome
        }
        Err(error) => {
            let mut outcome = Outcome::error(&error.error);
            outcome.revocation(error.revocation.as_ref());
            outcome.field("app_state", error.app_state.as_deref().unwrap_or("(none)"));
            outcome
        }
    })
}

fn request(play: &mut Play<'_>) -> Result<Outcome, String> {
    let target = first(play);
    let (method, target) = target.split_once(' ').expect("`request` has a method and a target");
    let target = match target.contains('/') {
        true => target.to_owned(),
        false => xrpc::query(target, &[]).unwrap().uri().to_string(),
    };
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in play.step.options("header") {
        request = request.header(name, value);
    }
    let body = Bytes::from(play.step.option("body").unwrap_or_default().to_owned());
    let request = request.body(Body::Bytes(body)).unwrap();
    let session = play.world.session.clone().expect("a `callback` step comes before");
    let answer = match play.world.client.request(&session, request) {
        Ok(machine) => play.run(machine)?,
        Err(error) => Err(error),
    };
    Ok(match answer {
        Ok(answer) => {
            let mut outcome = Outcome::word(answer.response.status().as_u16().to_string());
            outcome.text = String::from_utf8_lossy(answer.response.body()).into_owned();
            outcome.field("nonce_missing", answer.nonce_missing);
            outcome.field("token_refused", xrpc::is_token_refused(&answer.response));
            outcome
        }
        Err(error) => Outcome::error(&error),
    })
}

fn refresh(play: &mut Play<'_>) -> Result<Outcome, String> {
    let session = play.world.session.clone().expect("a `callback` step comes before");
    let machine = play.world.client.refresh(session);
    Ok(match play.run(machine)? {
        Ok(refreshed) => {
            let mut outcome = Outcome::session(&refreshed.session, &play.world);
            outcome.violation(refreshed.violation.as_ref());
            play.world.session = Some(refreshed.session);
            outcome
        }
        Err(error) => {
            let mut outcome = Outcome::error(&error.error);
            outcome.field("retryable", error.is_retryable());
            outcome.revocation(error.revocation.as_ref());
            outcome.field("effect", format!("{:?}", error.effect));
            if let Some(session) = error.session {
                play.world.session = Some(*session);
            }
            outcome
        }
    })
}

fn revoke(play: &mut Play<'_>) -> Result<Outcome, String> {
    let session = play.world.session.clone().expect("a `callback` step comes before");
    let machine = play.world.client.revoke(session);
    let ended: Result<_, Error> = play.run(machine)?;
    Ok(match ended {
        Ok(revocation) => Outcome::word(format!("{revocation:?}")),
        Err(error) => Outcome::error(&error),
    })
}

/// Returns the first field of the step: subject, parameters, target or seconds.
fn first(play: &Play<'_>) -> String {
    play.world.expand(play.step.fields.first().map(String::as_str).unwrap_or_default())
}
