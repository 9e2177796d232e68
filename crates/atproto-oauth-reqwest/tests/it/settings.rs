//! A driver with other settings than the default.

use atproto_oauth_reqwest::BadCertificate;

use crate::adapter::{builder, tested};

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
