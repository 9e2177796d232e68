//! The decision on a record that was just loaded: use its session, renew it, or wait.

use std::time::Duration;

use atproto_sansio::Cx;

use crate::error::SessionError;
use crate::sessions::key::SessionKey;
use crate::sessions::record::Loaded;
use crate::sessions::refresh::wanted::Wanted;

/// The next step with a loaded record.
pub(crate) enum Decision {
    /// The session is used as it is.
    Use,
    /// The session can't be used now.
    Fail(SessionError),
    /// The access token has expired, and there is no refresh token.
    Expired,
    /// Another run holds the lease, and the access token can't be used.
    Wait,
    /// This run may take the lease, and renew the session.
    Renew,
}

/// Decides for a run whose lease, if it has taken one, has the id `own`.
pub(crate) fn decide(
    loaded: &Loaded,
    key: &SessionKey,
    wanted: &Wanted,
    own: Option<&str>,
    skew: Duration,
    cx: &Cx<'_>,
) -> Decision {
    let Loaded { record, version } = loaded;
    let session = &record.session;
    if record.closed {
        return Decision::Fail(SessionError::LoggedOut);
    }
    if wanted.is_met_by(session, cx) {
        return Decision::Use;
    }
    let is_usable = wanted.can_use(session, cx);
    let use_or = |error| if is_usable { Decision::Use } else { Decision::Fail(error) };
    if !session.can_refresh() {
        return match session.is_expired(cx.now()) {
            true => Decision::Expired,
            false => use_or(SessionError::NoRefreshToken),
        };
    }
    let pause = record.not_before.map(|at| at.since(cx.now())).unwrap_or_default();
    if !pause.is_zero() && pause < LONGEST_PAUSE {
        return use_or(match record.needs_reauth {
            Some(cause) => SessionError::NeedsReauth(cause),
            None => SessionError::RetryLater { after: pause },
        });
    }
    let is_held = record.lease.as_ref().is_some_and(|lease| {
        own != Some(&lease.id) && !lease.is_dead(&key.record(), *version, skew, cx)
    });
    match (is_held, is_usable) {
        (true, true) => Decision::Use,
        (true, false) => Decision::Wait,
        (false, _) => Decision::Renew,
    }
}

/// Longest pause after a failure that a record can ask for. A later time comes from a wrong clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 60 * 60);
