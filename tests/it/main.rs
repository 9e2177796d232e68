//! Everything that is tested through the public interface.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests may")]
#![allow(missing_docs, reason = "tests have names")]

mod confidential;
mod conformance;
mod ends;
mod malformed;
mod one_dependency;
mod replayer;
mod sandbox;
mod secrets;
mod served;
mod stored;
mod streams;
mod transcripts;
mod web_backend;
