//! The tests of the whole client: transcripts that are replayed, and flows over every stage.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests may")]
#![allow(clippy::exhaustive_enums, reason = "nobody depends on tests")]

pub mod flows;
#[doc = "The transport that the README shows: 60 lines of code, over which every procedure runs."]
pub mod plain_transport;
pub mod replayer;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_shows_the_transport_that_is_tested() {
        let shown = include_str!("../../README.md").contains(include_str!("plain_transport.rs"));
        assert!(shown, "copy tests/src/plain_transport.rs into README.md");
        let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        assert!(include_str!("plain_transport.rs").lines().filter(code).count() <= 60);
    }
}
