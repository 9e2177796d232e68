//! Tests of the client, the transports and the sandbox through their public interfaces.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]
#![allow(missing_docs, reason = "the names of tests describe them")]

mod client_check;
mod confidential;
mod conformance;
mod corpus;
mod ends;
mod golden;
mod logs;
mod malformed;
mod managed;
mod one_dependency;
mod options;
mod permissions;
mod replayer;
mod response_mode;
mod sandbox;
mod secrets;
mod served;
mod sessions;
mod stored;
mod streams;
mod subjects;
mod transcripts;
mod web_backend;
