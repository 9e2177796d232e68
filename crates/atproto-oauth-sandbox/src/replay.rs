//! Detection of replays: names, such as the `jti` of a DPoP proof, that may be used once.

use std::collections::BTreeMap;
use std::time::Duration;

use atproto_sansio::UnixTime;

/// Used names, each with the time until which a second use is a replay.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    used: BTreeMap<String, UnixTime>,
    /// Time of the last removal of expired names, at most once a minute.
    swept: UnixTime,
}

impl Replay {
    /// Marks `name` as used until `until`. Returns `false` if the name is in use already, which is
    /// a replay.
    pub(crate) fn is_first(&mut self, name: &str, now: UnixTime, until: UnixTime) -> bool {
        if now.since(self.swept) > Duration::from_secs(60) {
            self.used.retain(|_, until| *until >= now);
            self.swept = now;
        }
        match self.used.get(name) {
            Some(until) if *until >= now => false,
            _ => {
                self.used.insert(name.to_owned(), until);
                true
            }
        }
    }
}
