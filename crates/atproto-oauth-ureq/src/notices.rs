//! Notices of machines, handed to the program's handler.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use atproto_sansio::{Notice, NotifyCall, Reply};

use crate::events;

/// The function given to [`DriverBuilder::on_notice`](crate::DriverBuilder::on_notice), if any.
#[derive(Clone, Default)]
pub(crate) struct Notices(Option<Arc<Handler>>);

type Handler = dyn Fn(&Notice) + Send + Sync;

impl Notices {
    pub(crate) fn new(handler: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(handler)))
    }

    /// Hands the notice over. A panic of the handler ends here: it must not end a run whose tokens
    /// are not saved yet.
    pub(crate) fn perform(&self, call: NotifyCall) -> Reply {
        let NotifyCall { notice, respond } = call;
        events::log_notice(&notice);
        if let Some(handler) = &self.0 {
            let _ = catch_unwind(AssertUnwindSafe(|| handler(&notice)));
        }
        respond.with(Ok(()))
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notices").field(&self.0.is_some()).finish()
    }
}
