//! The target `well_known` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    atproto_oauth_fuzz::run("well_known", data);
});
