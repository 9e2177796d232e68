//! Tests of the whole client: a replayer of transcripts, and flows that run on every stage.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]
#![allow(clippy::exhaustive_enums, reason = "no published crate depends on tests")]

pub mod flows;
#[doc = "The transport in the README of atproto-sansio: blocking, at most 60 lines of code."]
pub mod plain_transport;
pub mod replayer;

/// Compiles the examples in the README of the workspace.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Compiles the examples in the page about other libraries.
#[cfg(doctest)]
#[doc = include_str!("../../docs/migration.md")]
pub struct Migration;

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
