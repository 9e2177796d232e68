//! Verdict on a failed attempt to spend a refresh token: what it means for the record.

use atproto_sansio::UnixTime;

use crate::error::{Error, ReauthCause};
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
    let record = SessionRecord { session, ..record.clone() };
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
            let changes = match record.needs_reauth {
                Some(_) => vec![failed],
                None => vec![failed, SessionChange::NeedsReauth(cause)],
            };
            let (needs_reauth, not_before) = (Some(cause), Some(now + REAUTH_PAUSE));
            let record = SessionRecord { lease: None, needs_reauth, not_before, ..record };
            Verdict::NeedsReauth { record: Box::new(record), changes, cause }
        }
        SessionEffect::Dead if error.oauth_error_code() == Some("invalid_grant") => Verdict::Spent,
        SessionEffect::Dead => Verdict::Rejected,
    }
}
