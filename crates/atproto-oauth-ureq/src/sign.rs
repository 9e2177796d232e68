//! Remote signer: signatures by keys outside of this process, such as in a hardware module.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{Phase, Reply, SignCall, TransportError};

use crate::workers::{NoResult, Workers};

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

    pub(crate) fn perform(&self, call: SignCall, workers: &Workers) -> Reply {
        let SignCall { key_id, message, timeout, respond } = call;
        respond.with(match self.0.clone() {
            Some(sign) => {
                let signed = workers.within(timeout, move || sign(&key_id, &message));
                signed.map_or_else(|error| Err(no_answer(error, timeout)), answered)
            }
            None => Err(TransportError::new(
                Phase::Unsupported,
                "this driver has no remote signer: set one with `DriverBuilder::sign_with`",
            )),
        })
    }
}

fn answered(signed: Result<[u8; 64], String>) -> Result<[u8; 64], TransportError> {
    signed.map_err(|reason| {
        TransportError::new(Phase::NotSent, format!("the remote signer failed: {reason}"))
    })
}

fn no_answer(error: NoResult, timeout: Duration) -> TransportError {
    match error {
        NoResult::NoThread(error) => {
            TransportError::new(Phase::NotSent, format!("no thread for the remote signer: {error}"))
        }
        NoResult::TimedOut => TransportError::new(
            Phase::TimedOut,
            format!("the remote signer did not answer within {timeout:?}"),
        ),
        NoResult::Panicked => TransportError::new(Phase::MaybeSent, "the remote signer panicked"),
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteSigner").field(&self.0.is_some()).finish()
    }
}
