//! Remote signers.

use std::time::Duration;

use tokio::time::sleep;

use crate::adapter::{Tested, builder};

atproto_sansio_conformance::signing_tests!(signing);

/// A driver whose remote signer takes `time`.
fn signing(time: Duration) -> Tested {
    let sign = move |_, _| async move {
        sleep(time).await;
        Ok([7; 64])
    };
    Tested(builder().sign_with(sign).build())
}
