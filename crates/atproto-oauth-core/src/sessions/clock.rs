//! The clock of a server: whether a request has shown that it differs from the local clock.

use atproto_dpop::{ClockOffset, clock_offset};
use atproto_sansio::Cx;

use crate::origin::Origin;
use crate::sessions::event::SessionChange;

/// The clock offset of a server before a request.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    server: Origin,
    before: ClockOffset,
}

impl Clock {
    pub(crate) fn before(server: &Origin, cx: &Cx<'_>) -> Self {
        Self { server: server.clone(), before: clock_offset(cx, server.as_str()) }
    }

    /// The change to tell if the request has brought another offset.
    pub(crate) fn change(&self, cx: &Cx<'_>) -> Option<SessionChange> {
        let offset = clock_offset(cx, self.server.as_str());
        let server = self.server.clone();
        (offset != self.before).then_some(SessionChange::ClockSkew { server, offset })
    }
}
