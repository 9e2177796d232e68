//! The transport in the README of `atproto-sansio` passes the conformance suite of transports.

use atproto_oauth_tests::plain_transport::perform;

atproto_sansio_conformance::tests!(|call| perform(call, false));
