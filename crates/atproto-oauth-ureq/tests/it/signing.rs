//! Remote signers.

use std::thread::sleep;
use std::time::Duration;

use crate::adapter::{Tested, builder};

atproto_sansio_conformance::signing_tests!(signing);

/// A driver whose remote signer takes `time`.
fn signing(time: Duration) -> Tested {
    let sign = move |_: &str, _: &[u8]| {
        sleep(time);
        Ok([7; 64])
    };
    Tested(builder().sign_with(sign).build())
}
