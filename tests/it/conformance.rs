//! The transport that a page shows does what every transport must.

use atproto_oauth_tests::plain_transport::perform;

atproto_sansio_conformance::tests!(|call| perform(call, false));
