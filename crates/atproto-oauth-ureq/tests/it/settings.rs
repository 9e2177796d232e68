//! A driver with other settings than the default.

use atproto_oauth_ureq::{BadCertificate, P256Keys};
use atproto_sansio::System;
use atproto_sansio_conformance::{Driving, NewKey};

use crate::adapter::{Tested, builder, tested};

atproto_sansio_conformance::settings_tests!(tested);
atproto_sansio_conformance::tls_tests!(tested);

#[test]
fn bytes_that_are_no_certificate_are_refused() {
    for bytes in
        [&b""[..], b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let error: BadCertificate = builder().root_certificate(bytes).unwrap_err();
        assert!(error.to_string().contains("certificate"));
    }
}

#[test]
fn a_builder_takes_another_system() {
    // The keys that `builder` begins with generate none.
    let driver = builder().system(System::new(P256Keys)).build();
    let Ok(point) = Tested(driver).run(NewKey);
    assert_ne!(point, [0; 64]);
}
