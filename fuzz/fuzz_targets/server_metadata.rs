//! The target `server_metadata` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    atproto_oauth_fuzz::run("server_metadata", data);
});
