//! The procedures, and what their outcomes must be.

use atproto_identity::{Freshness, Identifier};
use atproto_oauth_core::{
    Authorization, CallbackError, CallbackParams, LoggedIn, Origin, RefreshError, Refreshed,
    Revocation, Session, SessionEffect, Subject, xrpc,
};
use atproto_sansio::Body;
use http::Request;

use crate::engine::reader::Reader;
use crate::engine::world::World;

type Procedure = fn(&mut World, &mut Reader<'_>) -> Option<()>;

/// All procedures; the first byte of an input chooses one. Each returns `None` if it failed.
pub(crate) const ALL: [Procedure; 10] = [
    |world, input| {
        let begun = authorize(world, input)?;
        let session = exchange_code(world, input, begun)?;
        request(world, input, &session)?;
        let session = refresh(world, input, session)?;
        revoke(world, input, session)
    },
    |world, input| {
        let begun = authorize(world, &mut Reader(&[]))?;
        exchange_code(world, input, begun).map(drop)
    },
    |world, input| {
        let session = log_in(world)?;
        refresh(world, input, session).map(drop)
    },
    |world, input| {
        let session = log_in(world)?;
        revoke(world, input, session)
    },
    |world, input| {
        let session = log_in(world)?;
        request(world, input, &session)
    },
    discover,
    resolve_handle,
    resolve_did,
    resolve_account,
    resolve_identity,
];

fn log_in(world: &mut World) -> Option<Session> {
    let quiet = &mut Reader(&[]);
    let begun = authorize(world, quiet)?;
    exchange_code(world, quiet, begun)
}

/// Shows an error, and checks that its texts have no secret.
fn show<E: std::error::Error>(world: &World, error: &E) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    world.ledger.check_shown(&format!("{text} {error:?}"));
}

fn authorize(world: &mut World, input: &mut Reader<'_>) -> Option<Authorization> {
    let subject = match world.subject {
        "did of alice" => world.did(crate::engine::world::ALICE),
        subject => subject.to_owned(),
    };
    let subject = Subject::parse(&subject).expect("a constant subject is valid");
    let begun = world.run_with(world.client.authorize(subject), input);
    let begun = begun.inspect_err(|error| show(world, error)).ok()?;
    let stored = begun.pending.to_json().expect("the keys of P256Keys can be exported");
    world.ledger.keep_all(stored.expose());
    world.ledger.check_shown(&format!("{begun:?}"));
    world.ledger.issuer = Some(begun.pending.issuer().to_string());
    if let Some(did) = begun.pending.expected()
        && !world.ledger.forged
    {
        assert_eq!(did.as_str(), world.did(world.account));
    }
    Some(begun)
}

fn exchange_code(
    world: &mut World,
    input: &mut Reader<'_>,
    begun: Authorization,
) -> Option<Session> {
    // If a server's metadata were not honest, the browser may find no page.
    let back = world.sandbox.approve(&begun.url, world.account).ok()?;
    let params = CallbackParams::parse(&back).expect("the callback of the sandbox is valid");
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next());
    // There is none if the request has expired.
    world.ledger.keep(code.unwrap_or_default());
    let pending = begun.pending;
    let result = world.run_with(world.client.callback(pending.clone(), params), input);
    match result {
        Ok(LoggedIn { session, .. }) => {
            assert_eq!(session.issuer(), pending.issuer());
            assert!(pending.expected().is_none_or(|did| did == session.did()));
            if !world.ledger.forged {
                assert_eq!(session.did().as_str(), world.did(world.account));
            }
            begin_session(world, &session);
            Some(session)
        }
        Err(error) => {
            show(world, &error);
            leaves_no_session(world, &error);
            None
        }
    }
}

fn begin_session(world: &mut World, session: &Session) {
    let stored = session.to_json().expect("the keys of P256Keys can be exported");
    world.ledger.keep_all(stored.expose());
    world.ledger.check_shown(&format!("{session:?}"));
    world.ledger.pds = Some(session.pds().to_string());
    world.ledger.handed = false;
}

/// A failed callback revokes the tokens that it received, or reports that it could not.
fn leaves_no_session(world: &World, failed: &CallbackError) {
    let ledger = &world.ledger;
    assert!(!ledger.handed || failed.revocation.is_some(), "tokens are kept alive: {failed:?}");
    let believed = ledger.may_be_deceived();
    match failed.revocation {
        Some(Ok(Revocation::Revoked)) if ledger.handed && !believed => {
            assert_eq!(world.sessions(), 0, "{failed:?}");
        }
        Some(Ok(Revocation::NotSupported)) => assert!(ledger.forged_metadata, "{failed:?}"),
        _ => {}
    }
    if !ledger.forged && failed.revocation.is_some() {
        assert!(ledger.handed, "nothing was received: {failed:?}");
    }
}

fn refresh(world: &mut World, input: &mut Reader<'_>, old: Session) -> Option<Session> {
    world.ledger.handed = false;
    let result = world.run_with(world.client.refresh(old.clone()), input);
    match result {
        Ok(Refreshed { session, .. }) => {
            assert_eq!((session.did(), session.issuer()), (old.did(), old.issuer()));
            assert_eq!(session.session_id(), old.session_id());
            begin_session(world, &session);
            Some(session)
        }
        Err(error) => {
            show(world, &error);
            if !world.ledger.forged_token && !world.ledger.changed {
                means_it(world, &error, old);
            }
            None
        }
    }
}

/// The verdict of a failed refresh on the old session is true, if the token endpoint was honest: the next
/// refresh, in an honest network, shows it.
fn means_it(world: &mut World, failed: &RefreshError, old: Session) {
    if world.ledger.forged {
        world.forget();
    }
    let stored = failed.session.as_deref().cloned().unwrap_or(old);
    let next = world.run(world.client.refresh(stored));
    let next = next.map_err(|error| (error.effect, error.to_string()));
    // Some servers have an error of their own for a dead refresh token: `Ambiguous`, then `NeedsReauth`.
    match (failed.effect, &next) {
        (SessionEffect::Keep | SessionEffect::NeedsReauth, Ok(_)) => {}
        (SessionEffect::Ambiguous, Ok(_)) => {}
        (SessionEffect::Ambiguous | SessionEffect::Dead, Err((effect, _)))
            if *effect != SessionEffect::Keep => {}
        _ => panic!("{failed:?}, but then {next:?}"),
    }
}

fn revoke(world: &mut World, input: &mut Reader<'_>, session: Session) -> Option<()> {
    let result = world.run_with(world.client.revoke(session), input);
    let believed = world.ledger.may_be_deceived();
    match result {
        Ok(Revocation::Revoked) if !believed => assert_eq!(world.sessions(), 0),
        Ok(_) => assert!(believed),
        Err(error) => {
            show(world, &error);
            return None;
        }
    }
    Some(())
}

fn request(world: &mut World, input: &mut Reader<'_>, session: &Session) -> Option<()> {
    let request = match input.byte() % 3 {
        0 => xrpc::query("com.atproto.server.getSession", &[]),
        1 => xrpc::blob("com.atproto.repo.uploadBlob", &[], "image/png", &b"bytes"[..]),
        _ => Ok(Request::get("//evil.example.com/x").body(Body::Attached).ok()?),
    };
    let request = request.expect("a constant request is valid");
    let machine = world.client.request(session, request).ok()?;
    let reply = world.run_with(machine, input).inspect_err(|error| show(world, error)).ok()?;
    if !world.ledger.forged && !world.ledger.changed {
        assert_ne!(reply.response.status(), 403, "{:?}", reply.response.body());
    }
    reply.response.status().is_success().then_some(())
}

fn discover(world: &mut World, input: &mut Reader<'_>) -> Option<()> {
    let origins = ["https://pds.example.com", "https://first.entryway.example.org", "https://a.b"];
    let origin = Origin::parse(input.of(&origins), false).expect("a constant origin is valid");
    let result = world.run_with(world.client.discover(origin), input);
    result.inspect_err(|error| show(world, error)).ok().map(drop)
}

fn resolve_handle(world: &mut World, input: &mut Reader<'_>) -> Option<()> {
    let handle = world.account.parse().expect("a constant handle is valid");
    let machine = world.client.resolver().handle(handle, Freshness::Cached);
    let did = world.run_with(machine, input).inspect_err(|error| show(world, error)).ok()?;
    if !world.ledger.forged {
        assert_eq!(did.as_str(), world.did(world.account));
    }
    Some(())
}

fn resolve_did(world: &mut World, input: &mut Reader<'_>) -> Option<()> {
    let did: atproto_identity::Did = world.did(world.account).parse().expect("it is a DID");
    let machine = world.client.resolver().did(did.clone(), Freshness::Cached);
    let document = world.run_with(machine, input).inspect_err(|error| show(world, error)).ok()?;
    assert_eq!(document.did(), &did);
    Some(())
}

fn identifier(world: &World, input: &mut Reader<'_>) -> Identifier {
    let did = world.did(world.account);
    let text = if input.below(2) == 0 { world.account } else { &did };
    text.parse().expect("the network has valid names")
}

fn resolve_account(world: &mut World, input: &mut Reader<'_>) -> Option<()> {
    let machine = world.client.resolver().account(identifier(world, input), Freshness::Cached);
    let account = world.run_with(machine, input).inspect_err(|error| show(world, error)).ok()?;
    if !world.ledger.forged {
        assert_eq!(account.did.as_str(), world.did(world.account));
    }
    Some(())
}

fn resolve_identity(world: &mut World, input: &mut Reader<'_>) -> Option<()> {
    let machine = world.client.resolver().identity(identifier(world, input), Freshness::Cached);
    let found = world.run_with(machine, input).inspect_err(|error| show(world, error)).ok()?;
    if !world.ledger.forged {
        assert_eq!(found.did.as_str(), world.did(world.account));
    }
    Some(())
}
