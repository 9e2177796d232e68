//! Leases that a killed worker has left in the store.

use atproto_oauth_store::Store;
use atproto_sansio::UnixTime;

use super::told::Told;
use crate::Outcome;
use crate::network::{Answer, Spend, hash};
use crate::record::Record;

/// A lease whose holder is dead.
pub(super) struct Held {
    pub(super) session: String,
    /// [`hash`] of the refresh token that the holder was about to spend.
    pub(super) token: String,
    /// End of the lease.
    pub(super) until: UnixTime,
    /// Whether the store had confirmed to the holder that the new tokens are saved.
    pub(super) was_saved: bool,
}

/// Reads the leases of a killed worker from the store. If the last words of the worker have asked for a
/// lease that reaches the store only later, it is not found: its holder has spent nothing.
pub(super) fn find(store: &dyn Store, worker: usize, told: &Told) -> Outcome<Vec<Held>> {
    let mut found = Vec::new();
    for (session, id, was_saved) in told.leases_of(worker) {
        let Some(record) = store.load(&format!("session/{session}"))? else { continue };
        let record = Record::read(&record.value).ok_or("a session record is readable")?;
        let token = hash(record.refresh_token());
        if let Some(lease) = record.lease.filter(|lease| lease.id == id) {
            let session = session.to_owned();
            found.push(Held { session, token, until: lease.until(), was_saved });
        }
    }
    Ok(found)
}

impl Held {
    /// Whether the holder may have spent the refresh token: whoever takes over comes after the lease.
    pub(super) fn has_spent(&self, spends: &[Spend]) -> bool {
        let is_by_holder = |spend: &Spend| spend.token == self.token && spend.at < self.until;
        spends.iter().any(|spend| is_by_holder(spend) && spend.answer != Answer::Refused)
    }
}
