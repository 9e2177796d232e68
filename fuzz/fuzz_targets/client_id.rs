//! The target `client_id` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    atproto_oauth_fuzz::run("client_id", data);
});
