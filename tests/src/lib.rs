//! The tests of the whole client: transcripts that are replayed, and flows over every stage.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests may")]
#![allow(clippy::exhaustive_enums, reason = "nobody depends on tests")]

pub mod flows;
#[doc = "The transport in the README of atproto-sansio: 60 lines of code, over which every flow runs."]
pub mod plain_transport;
pub mod replayer;

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_of_the_engine_shows_the_transport_that_is_tested() {
        let readme = include_str!("../../crates/atproto-sansio/README.md");
        let transport = include_str!("plain_transport.rs");
        let place = "crates/atproto-sansio/README.md";
        assert!(readme.contains(transport), "copy tests/src/plain_transport.rs into {place}");
        let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        assert!(transport.lines().filter(code).count() <= 60);
    }
}
