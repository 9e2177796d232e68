//! Tests of `login` and `call` with the built command, in a sandbox on loopback ports.

use std::path::PathBuf;

use atproto_oauth_tests::flows::OnSockets;
use atproto_oauth_tests::flows::command::{self, Command};

fn run(flow: fn(&Command<'_>)) {
    let stage = OnSockets::blocking();
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_atproto-oauth"));
    flow(&Command { stage: &stage, nameserver: stage.nameserver(), binary });
}

#[test]
fn the_command_logs_in_and_calls() {
    run(command::the_command_logs_in_and_calls);
}

#[test]
fn a_token_that_has_expired_is_refreshed_and_kept() {
    run(command::a_token_that_has_expired_is_refreshed_and_kept);
}

#[test]
fn a_denied_login_has_its_own_exit_code() {
    run(command::a_denied_login_has_its_own_exit_code);
}
