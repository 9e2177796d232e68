//! What may be used once.

use std::collections::BTreeMap;
use std::time::Duration;

use atproto_sansio::UnixTime;

/// Names that were used, for as long as they could be used again.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    used: BTreeMap<String, UnixTime>,
    swept: UnixTime,
}

impl Replay {
    /// Marks `name` as used until `until`; false if it was used already.
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
