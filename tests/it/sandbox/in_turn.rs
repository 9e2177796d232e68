//! Every flow over the simplest driver: one call after another, in real time.

atproto_oauth_tests::flows!(atproto_oauth_tests::flows::InMemory::in_turn());
atproto_oauth_tests::flows!(sandboxed atproto_oauth_tests::flows::InMemory::in_turn());
