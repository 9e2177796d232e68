//! Remote signer: signatures by keys outside of this process, such as in a hardware module.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

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
        let SignCall { key_id, message, timeout, respond } = call;
        respond.with(match &self.0 {
            Some(sign) => sign_within(timeout, Arc::clone(sign), key_id, message),
            None => Err(TransportError::new(
                Phase::Unsupported,
                "this driver has no remote signer: set one with `DriverBuilder::sign_with`",
            )),
        })
    }
}

/// Calls `sign` in a thread of its own, because a function can't be interrupted. If it takes longer
/// than `timeout`, the thread is left alone.
fn sign_within(
    timeout: Duration,
    sign: Arc<Sign>,
    key_id: String,
    message: Vec<u8>,
) -> Result<[u8; 64], TransportError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = move || drop(sender.try_send(sign(&key_id, &message)));
    thread::Builder::new().name("remote signer".to_owned()).spawn(work).map_err(|error| {
        TransportError::new(Phase::NotSent, format!("no thread for the remote signer: {error}"))
    })?;
    match receiver.recv_timeout(timeout) {
        Ok(signature) => signature.map_err(|reason| {
            TransportError::new(Phase::NotSent, format!("the remote signer failed: {reason}"))
        }),
        Err(RecvTimeoutError::Timeout) => Err(TransportError::new(
            Phase::TimedOut,
            format!("the remote signer did not answer within {timeout:?}"),
        )),
        Err(RecvTimeoutError::Disconnected) => {
            Err(TransportError::new(Phase::MaybeSent, "the remote signer panicked"))
        }
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteSigner").field(&self.0.is_some()).finish()
    }
}
