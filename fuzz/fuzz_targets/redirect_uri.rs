//! The target `redirect_uri` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    atproto_oauth_fuzz::run("redirect_uri", data);
});
