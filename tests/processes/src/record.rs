//! The parts of a session record that the test looks at.

use std::time::Duration;

use atproto_oauth_store::SecretBytes;
use atproto_sansio::UnixTime;
use serde::Deserialize;

/// A session record.
#[derive(Deserialize)]
pub(crate) struct Record {
    session: Session,
    pub(crate) lease: Option<Lease>,
}

#[derive(Deserialize)]
struct Session {
    refresh_token: String,
}

/// The lease in a record.
#[derive(Deserialize)]
pub(crate) struct Lease {
    pub(crate) id: String,
    /// End of the lease, in Unix seconds.
    until: u64,
}

impl Record {
    /// Reads a stored value; `None` if it is no session record.
    pub(crate) fn read(value: &SecretBytes) -> Option<Self> {
        serde_json::from_slice(&value.0).ok()
    }

    pub(crate) fn refresh_token(&self) -> &str {
        &self.session.refresh_token
    }
}

impl Lease {
    pub(crate) fn until(&self) -> UnixTime {
        UnixTime::from_epoch(Duration::from_secs(self.until))
    }
}
