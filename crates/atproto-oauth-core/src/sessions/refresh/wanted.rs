//! The needs of one asker: when a session is good enough for it.

use std::time::Duration;

use atproto_dpop::AccessToken;
use atproto_sansio::Cx;

use crate::session::Session;

/// The needs of one asker.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The access token that a server has just refused.
    pub(crate) refused: Option<AccessToken>,
    /// Least lifetime of the access token.
    pub(crate) leeway: Duration,
}

impl Wanted {
    /// Whether the session is good enough to need no refresh.
    pub(crate) fn is_met_by(&self, session: &Session, cx: &Cx<'_>) -> bool {
        let is_fresh = session.expires_at().is_none_or(|at| at > cx.now() + self.leeway);
        is_fresh && !self.refuses(session)
    }

    /// Whether the access token can be used until it expires.
    pub(crate) fn can_use(&self, session: &Session, cx: &Cx<'_>) -> bool {
        !session.is_expired(cx.now()) && !self.refuses(session)
    }

    pub(crate) fn refuses(&self, session: &Session) -> bool {
        self.refused.as_ref().is_some_and(|token| token.expose() == session.access_token.expose())
    }
}
