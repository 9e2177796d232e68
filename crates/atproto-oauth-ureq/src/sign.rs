//! Remote signer: signatures by keys outside of this process, such as in a hardware module.

use std::fmt;
use std::sync::Arc;

use atproto_sansio::{Phase, Reply, SignCall, TransportError};

type Sign = dyn Fn(&str, &[u8]) -> Result<[u8; 64], String> + Send + Sync;

/// The function given to [`DriverBuilder::sign_with`](crate::DriverBuilder::sign_with), if any.
#[derive(Clone, Default)]
pub(crate) struct RemoteSigner(Option<Arc<Sign>>);

impl RemoteSigner {
    pub(crate) fn new(
        sign: impl Fn(&str, &[u8]) -> Result<[u8; 64], String> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(sign)))
    }

    pub(crate) fn perform(&self, call: SignCall) -> Reply {
        let SignCall { key_id, message, respond } = call;
        respond.with(match &self.0 {
            Some(sign) => sign(&key_id, &message).map_err(|reason| {
                TransportError::new(Phase::NotSent, format!("the remote signer failed: {reason}"))
            }),
            None => Err(TransportError::new(
                Phase::Unsupported,
                "this driver has no remote signer: set one with `DriverBuilder::sign_with`",
            )),
        })
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteSigner").field(&self.0.is_some()).finish()
    }
}
