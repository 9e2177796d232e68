//! Every flow in virtual time, with concurrent calls.

atproto_oauth_tests::flows!(atproto_oauth_tests::flows::InMemory::together());
