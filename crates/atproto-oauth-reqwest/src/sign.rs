//! Remote signer: signatures by keys outside of this process, such as in a hardware module.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use atproto_sansio::{Phase, TransportError};
use tokio::time::timeout;

type Signature = Pin<Box<dyn Future<Output = Result<[u8; 64], String>> + Send>>;
type Sign = dyn Fn(String, Vec<u8>) -> Signature + Send + Sync;

/// The function given to [`DriverBuilder::sign_with`](crate::DriverBuilder::sign_with), if any.
#[derive(Clone, Default)]
pub(crate) struct RemoteSigner(Option<Arc<Sign>>);

impl RemoteSigner {
    pub(crate) fn new<F>(sign: impl Fn(String, Vec<u8>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<[u8; 64], String>> + Send + 'static,
    {
        Self(Some(Arc::new(move |key_id, message| Box::pin(sign(key_id, message)))))
    }

    pub(crate) fn sign(
        &self,
        key_id: String,
        message: Vec<u8>,
        time: Duration,
    ) -> impl Future<Output = Result<[u8; 64], TransportError>> + Send + 'static + use<> {
        let signature = self.0.as_ref().map(|sign| sign(key_id, message));
        async move {
            match signature {
                Some(signature) => {
                    let signature = timeout(time, signature).await.map_err(|_| {
                        let reason = format!("the remote signer did not answer within {time:?}");
                        TransportError::new(Phase::TimedOut, reason)
                    })?;
                    signature.map_err(|reason| {
                        let reason = format!("the remote signer failed: {reason}");
                        TransportError::new(Phase::NotSent, reason)
                    })
                }
                None => Err(TransportError::new(
                    Phase::Unsupported,
                    "this driver has no remote signer: set one with `DriverBuilder::sign_with`",
                )),
            }
        }
    }
}

impl fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteSigner").field(&self.0.is_some()).finish()
    }
}
