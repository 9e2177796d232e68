//! The target `session_record` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    atproto_oauth_fuzz::run("session_record", data);
});
