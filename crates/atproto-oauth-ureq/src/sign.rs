//! Keys that live elsewhere: in hardware, or with a service.

use std::fmt;
use std::sync::Arc;

use atproto_sansio::{Phase, Reply, SignCall, TransportError};

type Sign = dyn Fn(&str, &[u8]) -> Result<[u8; 64], String> + Send + Sync;

/// What signs with them, if there are any.
#[derive(Clone, Default)]
pub(crate) struct Elsewhere(Option<Arc<Sign>>);

impl Elsewhere {
    pub(crate) fn new(
        sign: impl Fn(&str, &[u8]) -> Result<[u8; 64], String> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(sign)))
    }

    pub(crate) fn perform(&self, call: SignCall) -> Reply {
        let SignCall { key_id, message, respond } = call;
        respond.with(match &self.0 {
            Some(sign) => sign(&key_id, &message)
                .map_err(|why| TransportError::new(Phase::NotSent, format!("no signature: {why}"))),
            None => Err(TransportError::new(
                Phase::Unsupported,
                "this driver was built without what signs elsewhere",
            )),
        })
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Elsewhere" } else { "Nowhere" })
    }
}
