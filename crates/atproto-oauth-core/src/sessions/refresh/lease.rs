//! The lease: the right of one run to spend the refresh token of a record.

use std::time::Duration;

use atproto_sansio::{Cx, Topic, UnixTime, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sessions::policy::LEASE;
use crate::stored;

/// The lease in a record.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Lease {
    /// Random id of the run that holds the lease.
    pub(crate) id: String,
    /// End of the lease on the wall clock of its holder.
    #[serde(with = "stored::unix_time")]
    pub(crate) until: UnixTime,
    /// Whether the holder took the lease of a run that had not ended it. That run may have spent the
    /// token.
    #[serde(default)]
    pub(crate) took_over: bool,
}

/// First sightings of leases by this process: version of the record, and monotonic time.
const SIGHTINGS: Topic = Topic::new("first sightings of leases", 10_000, 4 * 1024 * 1024);

impl Lease {
    /// Whether the holder has died: the lease is over even on a clock that is `skew` behind, or the
    /// record did not change for a whole lease on the monotonic clock of this process.
    pub(crate) fn is_dead(&self, key: &str, version: Version, skew: Duration, cx: &Cx<'_>) -> bool {
        cx.now() > self.until + skew || seen_for(key, version, cx) > LEASE
    }
}

/// Time since this process first saw this version of the record.
fn seen_for(key: &str, version: Version, cx: &Cx<'_>) -> Duration {
    let seen = cx.recall(SIGHTINGS, key).and_then(|seen| {
        let (seen, first) = seen.split_at_checked(8)?;
        let is_same = seen == version.0.to_be_bytes();
        let first = u64::from_be_bytes(first.try_into().ok()?);
        is_same.then(|| Duration::from_millis(first))
    });
    match seen {
        Some(first) => cx.elapsed().saturating_sub(first),
        None => {
            // Rounded up, so that the lease never seems older than it is.
            let first =
                u64::try_from(cx.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
            let seen = [version.0.to_be_bytes(), first.to_be_bytes()].concat();
            cx.remember(SIGHTINGS, key, Bytes::from(seen), 4 * LEASE);
            Duration::ZERO
        }
    }
}
