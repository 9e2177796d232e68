//! Every flow in virtual time, with all calls of a procedure outstanding together.

atproto_oauth_tests::flows!(atproto_oauth_tests::flows::InMemory::together());
