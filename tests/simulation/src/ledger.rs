//! The true history of each session, and the rules that it must never break.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atproto_oauth_core::{DeletedCause, SessionChange, SessionEvent, SessionKey};
use atproto_sansio::{SecretBytes, UnixTime};
use serde_json::Value;

/// The sessions of a schedule, as an all-knowing observer sees them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) tracks: BTreeMap<SessionKey, Track>,
    /// The session of each refresh token, spent ones too.
    by_token: BTreeMap<String, SessionKey>,
    spent: BTreeSet<String>,
    /// New tokens that are not in the store yet, with the holder.
    unsaved: Vec<Unsaved>,
    /// Accounts whose sessions may end, those too that are being made, with the time and the reason.
    ended_accounts: Vec<(String, UnixTime, Excuse)>,
    /// The first breach of a rule.
    pub(crate) violation: Option<String>,
    pub(crate) counts: Counts,
}

/// One session.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// Reasons for which the session may end.
    pub(crate) excuses: BTreeSet<Excuse>,
    pub(crate) ended: Option<DeletedCause>,
    /// Whether the login was told to have succeeded.
    created: bool,
    /// Whether a logout was asked for.
    pub(crate) logged_out: bool,
    /// Whether a logout was told, and whether its revocation succeeded.
    pub(crate) revoked: Option<bool>,
    /// The refresh token that the server gave last.
    pub(crate) latest: String,
}

/// A reason for which a session may end without a fault of the client.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Excuse {
    /// The response with the only new tokens was lost.
    ReplyLost,
    /// The process that held them ended before it had saved them.
    HolderDied,
    /// The holder stood still past its lease.
    HolderPaused,
    /// The store failed until the lease had ended.
    StoreFailed,
    /// A backup was restored.
    Restored,
    /// The server ended the session.
    EndedByServer,
    /// The account moved to another server.
    Migrated,
    /// Its login could not be stored in time, so its tokens were revoked, and its user was told.
    LoginFailed,
}

/// Numbers of what happened, over all schedules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Token requests that gave new tokens.
    pub refreshes: u64,
    /// Spent refresh tokens that were sent again.
    pub replays: u64,
    /// Sessions that ended with a cause.
    pub ended: u64,
    /// Sessions that were usable at the end.
    pub usable: u64,
    /// Sessions that were logged out.
    pub logged_out: u64,
    /// Logins that were finished.
    pub logins: u64,
    /// Crashes of processes.
    pub crashes: u64,
}

#[derive(Debug)]
struct Unsaved {
    key: SessionKey,
    host: usize,
    token: String,
}

impl Ledger {
    pub(crate) fn violated(&mut self, rule: impl Into<String>) {
        self.violation.get_or_insert_with(|| rule.into());
    }

    pub(crate) fn excuse(&mut self, key: &SessionKey, excuse: Excuse) {
        if let Some(track) = self.tracks.get_mut(key) {
            track.excuses.insert(excuse);
        }
    }

    pub(crate) fn has(&self, key: &SessionKey, excuse: Excuse) -> bool {
        self.tracks.get(key).is_some_and(|track| track.excuses.contains(&excuse))
    }

    /// The sessions of an account may end from now on.
    pub(crate) fn excuse_account(&mut self, did: &str, now: UnixTime, excuse: Excuse) {
        let keys: Vec<_> = self.tracks.keys().filter(|key| key.did().as_str() == did).collect();
        for key in keys.into_iter().cloned().collect::<Vec<_>>() {
            self.excuse(&key, excuse);
        }
        self.ended_accounts.push((did.to_owned(), now, excuse));
    }

    /// The session whose refresh token this is.
    pub(crate) fn owner(&self, token: &str) -> Option<SessionKey> {
        self.by_token.get(token).cloned()
    }

    /// A refresh token arrives at the server, which answers with a new one or refuses.
    pub(crate) fn arrived(&mut self, token: &str, new: Option<&str>, host: usize) {
        let Some(key) = self.owner(token) else { return };
        if self.spent.contains(token) {
            self.counts.replays += 1;
            let is_excused = self.tracks.get(&key).is_some_and(|track| !track.excuses.is_empty());
            if !is_excused {
                self.violated(format!("a spent refresh token of {key} was sent again"));
            }
        }
        let Some(new) = new else { return };
        self.counts.refreshes += 1;
        self.spent.insert(token.to_owned());
        self.by_token.insert(new.to_owned(), key.clone());
        if let Some(track) = self.tracks.get_mut(&key) {
            track.latest = new.to_owned();
        }
        self.unsaved.push(Unsaved { key, host, token: new.to_owned() });
    }

    /// A process asks the server to revoke a token. If the session is known, was not created for its user,
    /// and nobody asked for its logout, its login has failed.
    pub(crate) fn revoked(&mut self, token: &str) {
        let Some(key) = self.owner(token) else { return };
        if self.tracks.get(&key).is_some_and(|track| !track.logged_out && !track.created) {
            self.excuse(&key, Excuse::LoginFailed);
        }
    }

    /// The holders among `hosts` can't save in time, for this reason.
    pub(crate) fn excuse_holders(&mut self, hosts: impl Fn(usize) -> bool, excuse: Excuse) {
        let held: Vec<_> = self.unsaved.iter().filter(|held| hosts(held.host)).collect();
        let keys: Vec<_> = held.iter().map(|held| held.key.clone()).collect();
        for key in keys {
            self.excuse(&key, excuse);
        }
    }

    /// The tokens that a process held are gone.
    pub(crate) fn drop_held_by(&mut self, host: usize) {
        self.unsaved.retain(|held| held.host != host);
    }

    /// The store keeps this value.
    pub(crate) fn stored(&mut self, key: &str, value: &SecretBytes, now: UnixTime) {
        let Some(key) = key.strip_prefix("session/").and_then(|key| key.parse().ok()) else {
            return;
        };
        let Ok(json) = serde_json::from_slice::<Value>(&value.0) else { return };
        let token = json.pointer("/session/refresh_token").and_then(Value::as_str);
        let Some(token) = token else { return };
        self.unsaved.retain(|held| held.token != token);
        self.by_token.entry(token.to_owned()).or_insert_with(|| SessionKey::clone(&key));
        let is_new = !self.tracks.contains_key(&key);
        let ended = self.ended_accounts.iter().filter(|(did, at, _)| {
            is_new && did == key.did().as_str() && now.since(*at) < LONGEST_LOGIN
        });
        let excuses: Vec<_> = ended.map(|(_, _, excuse)| *excuse).collect();
        let track = self.tracks.entry(key).or_default();
        track.excuses.extend(excuses);
        if track.latest.is_empty() {
            track.latest = token.to_owned();
        }
    }

    /// The program is told of a change.
    pub(crate) fn told(&mut self, event: &SessionEvent) {
        let key = &event.key;
        match &event.change {
            SessionChange::Created => {
                self.counts.logins += 1;
                self.tracks.entry(key.clone()).or_default().created = true;
            }
            SessionChange::LoggedOut(revocation) => {
                let is_revoked = revocation.is_ok();
                let track = self.tracks.entry(key.clone()).or_default();
                if track.revoked != Some(false) {
                    track.revoked = Some(is_revoked);
                }
                if !track.logged_out {
                    self.violated(format!("{key} was logged out, and nobody asked for it"));
                }
            }
            SessionChange::LateTokensRevoked(Err(_)) => {
                self.tracks.entry(key.clone()).or_default().revoked = Some(false);
            }
            SessionChange::Deleted(cause) => {
                self.counts.ended += 1;
                let track = self.tracks.entry(key.clone()).or_default();
                track.ended = Some(*cause);
                if !is_explained(*cause, track) {
                    let excuses = track.excuses.clone();
                    self.violated(format!("{key} ended with {cause:?}, but there was {excuses:?}"));
                }
            }
            _ => {}
        }
    }
}

/// Time from the first token of a login until its session is stored, by a process that stands still twice.
const LONGEST_LOGIN: Duration = Duration::from_secs(400);

/// Whether the session may have ended with this cause.
fn is_explained(cause: DeletedCause, track: &Track) -> bool {
    let has = |excuses: &[Excuse]| excuses.iter().any(|excuse| track.excuses.contains(excuse));
    match cause {
        DeletedCause::RotationResponseLost => {
            has(&[
                Excuse::ReplyLost,
                Excuse::HolderDied,
                Excuse::HolderPaused,
                Excuse::StoreFailed,
                // A run that took over a lease can't tell why the token is refused.
                Excuse::EndedByServer,
                Excuse::Restored,
            ]) || track.logged_out
        }
        DeletedCause::RestoredFromBackup => has(&[Excuse::Restored]),
        DeletedCause::Revoked => {
            has(&[Excuse::EndedByServer, Excuse::Restored, Excuse::LoginFailed]) || track.logged_out
        }
        _ => false,
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            refreshes: self.refreshes + other.refreshes,
            replays: self.replays + other.replays,
            ended: self.ended + other.ended,
            usable: self.usable + other.usable,
            logged_out: self.logged_out + other.logged_out,
            logins: self.logins + other.logins,
            crashes: self.crashes + other.crashes,
        }
    }
}
