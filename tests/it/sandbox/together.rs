//! Every flow in virtual time, with concurrent calls.

atproto_oauth_tests::flows!(atproto_oauth_tests::flows::InMemory::together());
atproto_oauth_tests::flows!(sandboxed atproto_oauth_tests::flows::InMemory::together());
