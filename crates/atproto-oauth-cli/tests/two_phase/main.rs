//! Tests of `init`, `complete`, `credentials` and `templates` with the built command, in a sandbox on
//! loopback ports.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails")]

mod credentials;
mod login;
mod templates;

use std::path::PathBuf;

use atproto_oauth_tests::flows::OnSockets;
use atproto_oauth_tests::flows::command::Command;

fn run(flow: fn(&Command<'_>)) {
    run_in(|_, command| flow(command));
}

fn run_in(flow: impl FnOnce(&OnSockets, &Command<'_>)) {
    let stage = OnSockets::blocking();
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_atproto-oauth"));
    flow(&stage, &Command { stage: &stage, nameserver: stage.nameserver(), binary });
}
