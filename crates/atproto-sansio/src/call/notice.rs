//! Notices: what a machine tells the program while it runs, whoever waits for its result.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::call::Respond;

/// A notice that the driver hands to the program's handler, if it has one, before it replies.
///
/// A shared machine may run on when nobody waits for its result any more. Its notices arrive all the
/// same. A driver without a handler replies `Ok`. If the handler panics, the driver replies `Ok`,
/// too: a notice never changes the course of a machine.
pub struct NotifyCall {
    /// The notice.
    pub notice: Notice,
    /// The right to answer this call.
    pub respond: Respond<()>,
}

/// A value of a type that the machine documents. Clones share it.
#[derive(Clone)]
pub struct Notice(Arc<dyn Any + Send + Sync>);

impl Notice {
    /// A notice with this value.
    pub fn new(value: impl Any + Send + Sync) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if it is a `T`.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for NotifyCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyCall").field("respond", &self.respond).finish_non_exhaustive()
    }
}

/// Prints no value, because the value may hold a session.
impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notice(..)")
    }
}
