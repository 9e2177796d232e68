//! Verdict on a refresh that has failed: its meaning for the record.

use std::time::Duration;

use atproto_sansio::UnixTime;

use crate::error::{DeletedCause, Error, ReauthCause};
use crate::session::refresh::{RefreshError, SessionEffect};
use crate::sessions::event::SessionChange;
use crate::sessions::policy::{PAUSE, REAUTH_PAUSE};
use crate::sessions::record::SessionRecord;
use crate::sessions::refresh::lease::Lease;

/// The fate of the record.
pub(crate) enum Verdict {
    /// The session stays, and another refresh may follow later.
    Kept { record: Box<SessionRecord>, changes: Vec<SessionChange>, error: Error },
    /// The session stays, and its user has to log in again.
    NeedsReauth { record: Box<SessionRecord>, changes: Vec<SessionChange>, cause: ReauthCause },
    /// The server calls the refresh token spent.
    Spent,
    /// The server issued tokens that must not be used; they are revoked.
    Rejected,
}

/// Decides by the error of an attempt under `lease`.
pub(crate) fn judge(
    failed: RefreshError,
    record: &SessionRecord,
    lease: &Lease,
    now: UnixTime,
) -> Verdict {
    let RefreshError { error, effect, session: noted, .. } = failed;
    let session = noted.map_or_else(|| record.session.clone(), |noted| *noted);
    // The holder before may have spent the token. The record says so even if this lease is given back.
    let took_over = lease.took_over.then_some(now);
    let ambiguous_since = record.ambiguous_since.or(took_over);
    let record = SessionRecord { session, ambiguous_since, ..record.clone() };
    let failed = SessionChange::RefreshFailed(error.clone());
    match effect {
        SessionEffect::Keep => {
            let pause = error.retry_after().unwrap_or(PAUSE);
            let not_before = Some(now + pause.min(REAUTH_PAUSE));
            let record = Box::new(SessionRecord { lease: None, not_before, ..record });
            Verdict::Kept { record, changes: vec![failed], error }
        }
        // The lease stays: until it has ended, nobody tries the token again.
        SessionEffect::Ambiguous => {
            let ambiguous_since = record.ambiguous_since.or(Some(now));
            let not_before = Some(lease.until);
            let record = Box::new(SessionRecord { ambiguous_since, not_before, ..record });
            Verdict::Kept { record, changes: vec![failed], error }
        }
        SessionEffect::NeedsReauth => {
            let cause = ReauthCause::Refused;
            let changes = changes_of_reauth(&record, failed, cause);
            let (needs_reauth, not_before) = (Some(cause), Some(now + REAUTH_PAUSE));
            let record = SessionRecord { lease: None, needs_reauth, not_before, ..record };
            Verdict::NeedsReauth { record: Box::new(record), changes, cause }
        }
        SessionEffect::Dead if error.oauth_error_code() == Some("invalid_grant") => Verdict::Spent,
        SessionEffect::Dead => Verdict::Rejected,
    }
}

/// The record of an account that has moved to another issuer, and the changes to tell.
pub(crate) fn migrated(
    record: SessionRecord,
    error: Error,
    now: UnixTime,
) -> (SessionRecord, Vec<SessionChange>) {
    let cause = ReauthCause::AccountMigrated;
    let changes = changes_of_reauth(&record, SessionChange::RefreshFailed(error), cause);
    let (needs_reauth, not_before) = (Some(cause), Some(now + MIGRATED_PAUSE));
    (SessionRecord { needs_reauth, not_before, ..record }, changes)
}

/// The cause of an end that the server has told with `invalid_grant`. `held` is the lease under which the
/// refresh token was spent.
pub(crate) fn cause_of_end(record: &SessionRecord, held: &Lease) -> DeletedCause {
    let took_over = held.took_over || record.lease.as_ref().is_some_and(|lease| lease.took_over);
    if record.restored {
        DeletedCause::RestoredFromBackup
    } else if took_over || record.ambiguous_since.is_some() {
        DeletedCause::RotationResponseLost
    } else {
        DeletedCause::Revoked
    }
}

/// A need for a new login is told once.
fn changes_of_reauth(
    record: &SessionRecord,
    failed: SessionChange,
    cause: ReauthCause,
) -> Vec<SessionChange> {
    match record.needs_reauth {
        Some(_) => vec![failed],
        None => vec![failed, SessionChange::NeedsReauth(cause)],
    }
}

/// Pause after which a migrated account is verified again.
const MIGRATED_PAUSE: Duration = Duration::from_secs(60);
