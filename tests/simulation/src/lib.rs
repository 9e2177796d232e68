//! Simulation of managed sessions: processes that share a store, in virtual time, with crashes, pauses,
//! lost requests and replies, a store that fails, clocks that differ, and people who log out.
//!
//! A seed decides everything. [`run`] returns the first rule that was broken.
#![allow(
    clippy::indexing_slicing,
    reason = "a schedule that is out of bounds is a bug of the simulation, and its panic names the seed"
)]
#![allow(clippy::exhaustive_enums, reason = "no published crate depends on it")]

mod host;
mod ledger;
mod random;
mod sabotage;
mod store;
mod world;

use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::{
    Binding, CallbackParams, Error, Renew, SessionError, SessionKey, Subject, xrpc,
};

pub use self::ledger::Counts;
pub use self::sabotage::Sabotage;
use crate::host::{End, task};
use crate::ledger::Excuse;
use crate::world::World;

const ACCOUNTS: [&str; 2] = ["alice.example.com", "carol.example.com"];

/// The steps of a plan: most are what a process does, the others are what goes wrong.
const STEPS: usize = 14;

/// Runs the schedule of `seed`.
///
/// # Errors
///
/// Fails with the rule that was broken.
pub fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Counts, String> {
    let mut world = World::new(seed, 2 + usize::from(seed.is_multiple_of(3)), sabotage);
    let mut logins = Logins::default();
    for account in ACCOUNTS.iter().take(1 + usize::from(seed.is_multiple_of(4))) {
        logins.log_in(&mut world, account)?;
    }
    for host in 0..world.hosts.len() {
        world.set_clock(host);
    }
    world.is_faulty = true;
    for step in 0..STEPS {
        let after = world.random.millis(0, 300_000);
        world.plan(after, step);
    }
    let mut left = STEPS;
    while left > 0 {
        match world.step() {
            Some(Some(_)) => {
                left -= 1;
                act(&mut world, &mut logins);
            }
            Some(None) => {}
            None => break,
        }
        settle(&mut world, &mut logins);
        if let Some(violation) = world.ledger.violation.take() {
            return Err(violation);
        }
    }
    finish(&mut world, &mut logins)
}

/// Logins and their callbacks.
#[derive(Default)]
struct Logins {
    /// Number of finished callbacks of each login.
    finished: Vec<u32>,
}

impl Logins {
    /// Logs in without faults.
    fn log_in(&mut self, world: &mut World, account: &str) -> Result<(), String> {
        self.begin(world, account, 1);
        while world.step().is_some() {
            settle(world, self);
        }
        match self.finished.last() {
            Some(1) => Ok(()),
            _ => Err("a login without faults has failed".to_owned()),
        }
    }

    /// Begins a login in the sandbox's own process, and lets its callback arrive several times.
    fn begin(&mut self, world: &mut World, account: &str, callbacks: usize) {
        let login = self.finished.len();
        self.finished.push(0);
        let subject = Subject::parse(account).expect("the handle is valid");
        let begin = world.sessions.authorize(world.client.authorize(subject));
        let Ok(begun) = world.sandbox.run(begin) else { return };
        // The sandbox has a store of its own: the record moves to the store of the schedule.
        for (key, record) in world.sandbox.records().clone() {
            world.sandbox.put_record(&key, None);
            world.store.records.insert(key, record);
        }
        let Some(back) = world.approve(&begun.url, account) else { return };
        let params = CallbackParams::parse(&back).expect("the callback is valid");
        let cookie = begun.cookie.expect("the login is bound").value;
        for _ in 0..callbacks {
            let host = world.random.below(world.hosts.len());
            if world.hosts[host].paused_until > world.now() {
                continue;
            }
            let binding = Binding::cookie(cookie.expose());
            let finish = world.sessions.callback(params.clone(), binding);
            world.begin(host, task(finish, move |result| End::LoggedIn { login, result }));
        }
        let stranger = world.sessions.callback(params, Binding::unbound());
        let host = world.random.below(world.hosts.len());
        if world.is_faulty && world.random.permille(200) {
            let login = usize::MAX;
            world.begin(host, task(stranger, move |result| End::LoggedIn { login, result }));
        }
    }
}

/// One step of the plan.
fn act(world: &mut World, logins: &mut Logins) {
    let host = world.random.below(world.hosts.len());
    let is_paused = world.hosts[host].paused_until > world.now();
    let keys = world.keys();
    let key = keys.get(world.random.below(keys.len())).cloned();
    let choice = world.random.below(100);
    match (choice, key) {
        (0..=59, Some(key)) if !is_paused => use_session(world, host, key, choice),
        (60..=64, Some(key)) if !is_paused => log_out(world, host, key),
        (65..=69, _) => {
            let account = ACCOUNTS[world.random.below(ACCOUNTS.len())];
            let callbacks = 1 + world.random.below(3);
            logins.begin(world, account, callbacks);
        }
        (70..=77, _) => world.crash(host),
        (78..=82, _) => {
            let time = world.random.millis(100, 4_500);
            world.pause(host, time);
        }
        (83..=87, _) => {
            let time = world.random.millis(46_000, 200_000);
            world.pause(host, time);
        }
        (88..=90, _) => {
            let time = world.random.millis(100, 4_500);
            world.break_store(time);
        }
        (91, _) => {
            let time = world.random.millis(20_000, 120_000);
            world.break_store(time);
        }
        (92..=95, _) => world.set_clock(host),
        (96, Some(key)) => {
            world.sandbox.end_sessions(key.did().as_str());
            let now = world.now();
            world.ledger.excuse_account(key.did().as_str(), now, Excuse::EndedByServer);
        }
        (97, Some(key)) if !world.ledger.has(&key, Excuse::Migrated) => {
            let to = world.sandbox.find_server(&world.sandbox.names().other_pds);
            let to = to.expect("the network has a second PDS");
            world.sandbox.migrate(key.did().as_str(), to);
            let now = world.now();
            world.ledger.excuse_account(key.did().as_str(), now, Excuse::Migrated);
        }
        _ => {}
    }
}

/// A request, or a refresh; sometimes several at the same time.
fn use_session(world: &mut World, host: usize, key: SessionKey, choice: usize) {
    for _ in 0..1 + world.random.below(3) {
        let (key, at_hand) = (key.clone(), world.hosts[host].at_hand.get(&key).cloned());
        match at_hand {
            Some(at_hand) if choice < 35 => {
                let request = xrpc::query("com.atproto.server.getSession", &[]);
                let request = request.expect("the request is valid");
                let request = world.sessions.request(at_hand, request);
                world.begin(host, task(request, move |result| End::Answered(key, result)));
            }
            _ => {
                let renew = if choice < 50 { Renew::IfNeeded } else { Renew::Always };
                let restore = world.sessions.restore(&key).renew(renew);
                world.begin(host, task(restore, move |result| End::Restored(key, result)));
            }
        }
    }
}

fn log_out(world: &mut World, host: usize, key: SessionKey) {
    if let Some(track) = world.ledger.tracks.get_mut(&key) {
        track.logged_out = true;
    }
    let out = world.sessions.revoke(&key);
    world.begin(host, task(out, move |result| End::LoggedOut(key, result)));
}

/// Looks at the results of machines that have ended.
fn settle(world: &mut World, logins: &mut Logins) {
    for (_, end) in std::mem::take(&mut world.ended) {
        match end {
            End::Restored(key, Ok(session)) => {
                check_owner(world, &key, session.did().as_str());
                keep(world, key, session);
            }
            End::Answered(key, Ok(reply)) => {
                check_owner(world, &key, reply.session.did().as_str());
                let response = &reply.reply.response;
                let json: serde_json::Value =
                    serde_json::from_slice(response.body()).unwrap_or_default();
                if response.status().is_success() {
                    check_owner(world, &key, json["did"].as_str().unwrap_or_default());
                }
                keep(world, key, reply.session);
            }
            End::LoggedIn { login, result } => match (result, logins.finished.get_mut(login)) {
                (Ok(_), None) => world.ledger.violated("a login was finished in another browser"),
                (Ok(_), Some(finished)) => {
                    *finished += 1;
                    if *finished > 1 {
                        world.ledger.violated("two callbacks of one login have won");
                    }
                }
                (Err(_), _) => {}
            },
            End::LoggedOut(key, Ok(out)) => {
                if let Some(Ok(_)) = out.revocation {
                    world.ledger.counts.logged_out += 1;
                }
                for host in &mut world.hosts {
                    host.at_hand.remove(&key);
                }
            }
            End::Restored(_, Err(_))
            | End::Answered(_, Err(_))
            | End::LoggedOut(_, Err(_))
            | End::Shared(_) => {}
        }
    }
}

/// The process that got a session keeps it at hand. (Which process it was does not matter: each of them
/// may have an older one.)
fn keep(world: &mut World, key: SessionKey, session: Arc<atproto_oauth_core::Session>) {
    let host = world.random.below(world.hosts.len());
    world.hosts[host].at_hand.insert(key, session);
}

fn check_owner(world: &mut World, key: &SessionKey, did: &str) {
    if key.did().as_str() != did {
        world.ledger.violated(format!("a call for {key} was made with a token of {did}"));
    }
}

/// Ends the faults, and looks whether every session is usable or has ended for a reason.
fn finish(world: &mut World, logins: &mut Logins) -> Result<Counts, String> {
    world.is_faulty = false;
    let end = world.now() + Duration::from_secs(15 * 60);
    world.plan(Duration::from_secs(15 * 60), 0);
    while world.now() < end && world.step().is_some() {
        settle(world, logins);
    }
    for key in world.keys() {
        let host = world.random.below(world.hosts.len());
        let begun = world.now();
        let restore = world.sessions.restore(&key).renew(Renew::Always);
        let at = world.begin(
            host,
            task(restore, {
                let key = key.clone();
                move |result| End::Restored(key, result)
            }),
        );
        let result = loop {
            let found = world.ended.iter().position(|(ended, _)| *ended == at);
            if let Some(index) = found {
                break match world.ended.swap_remove(index).1 {
                    End::Restored(_, result) => result,
                    _ => unreachable!("the machine restores a session"),
                };
            }
            let is_stuck = world.now().since(begun) > Duration::from_secs(300);
            if is_stuck || world.step().is_none() {
                return Err(format!("{key} made no progress within 300 s without faults"));
            }
        };
        judge(world, &key, result.map_err(|error| error.error))?;
    }
    match world.ledger.violation.take() {
        Some(violation) => Err(violation),
        None => Ok(world.ledger.counts),
    }
}

/// Whether the end of a session is explained.
fn judge(
    world: &mut World,
    key: &SessionKey,
    result: Result<Arc<atproto_oauth_core::Session>, Error>,
) -> Result<(), String> {
    let track = world.ledger.tracks.remove(key).unwrap_or_default();
    let has = |excuse| track.excuses.contains(&excuse);
    let is_live = world.is_current(&track.latest);
    if track.revoked == Some(true) && is_live && !has(Excuse::HolderDied) && !has(Excuse::ReplyLost)
    {
        return Err(format!("{key} was logged out, and lives on at the server"));
    }
    match result {
        Ok(_) if track.revoked.is_some() => Err(format!("{key} was logged out, and came back")),
        Ok(session) => {
            let token = session.refresh_token().map(|token| token.expose().to_owned());
            match world.is_current(&token.unwrap_or_default()) {
                true => {
                    world.ledger.counts.usable += 1;
                    Ok(())
                }
                false => {
                    Err(format!("{key} is said to be usable, and the server knows nothing of it"))
                }
            }
        }
        Err(Error::Session(SessionError::NeedsReauth(_))) if has(Excuse::Migrated) => Ok(()),
        Err(Error::Session(SessionError::NotFound)) if has(Excuse::LoginFailed) => Ok(()),
        // The plan may have asked for a logout that did not get through, and the sweep is to come.
        Err(Error::Session(SessionError::LoggedOut | SessionError::NotFound))
            if track.logged_out =>
        {
            Ok(())
        }
        // A process that ended after the deletion could not tell it.
        Err(Error::Session(SessionError::NotFound))
            if track.ended.is_some() || !track.excuses.is_empty() =>
        {
            Ok(())
        }
        // `Ledger::told` has checked the cause.
        Err(Error::Session(SessionError::Ended(_))) => Ok(()),
        Err(error) => Err(format!("{key} is not usable: {error}; {track:?}")),
    }
}
