//! Tests of `login` and `call` with the built command, in a sandbox on loopback ports.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::path::PathBuf;

use atproto_oauth_sandbox::{Habits, NonceOnSuccess};
use atproto_oauth_tests::flows::command::{self, Command};
use atproto_oauth_tests::flows::{OnSockets, Sandboxed};

fn run(flow: fn(&Command<'_>)) {
    run_at(Habits::reference(), flow);
}

/// Runs a flow with a server of these habits.
fn run_at(habits: Habits, flow: fn(&Command<'_>)) {
    let stage = OnSockets::blocking();
    {
        let mut sandbox = stage.sandbox();
        let alice = sandbox.server_of("alice.test").unwrap();
        sandbox.set_habits(alice, habits);
    }
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_atproto-oauth"));
    flow(&Command { stage: &stage, nameserver: stage.nameserver(), binary });
}

#[test]
fn the_command_logs_in_and_calls() {
    run(command::the_command_logs_in_and_calls);
}

#[test]
fn an_expired_token_is_refreshed_and_stored() {
    run(command::an_expired_token_is_refreshed_and_stored);
}

#[test]
fn a_denied_login_has_its_own_exit_code() {
    run(command::a_denied_login_has_its_own_exit_code);
}

#[cfg(unix)]
#[test]
fn a_session_file_is_tried_out_before_anything_is_sent() {
    run(command::a_session_file_is_tried_out_before_anything_is_sent);
}

#[test]
fn tokens_that_cannot_be_stored_are_revoked() {
    run(command::tokens_that_cannot_be_stored_are_revoked);
}

#[cfg(unix)]
#[test]
fn a_session_file_may_be_a_symbolic_link() {
    run(command::a_session_file_may_be_a_symbolic_link);
}

#[test]
fn a_server_that_leaves_out_nonces_is_accepted() {
    let mut habits = Habits::reference();
    habits.nonce_on_success = NonceOnSuccess::Never;
    run_at(habits, command::a_server_that_leaves_out_nonces_is_accepted);
}

#[test]
fn the_option_for_a_network_on_this_machine_is_named() {
    run(command::the_option_for_a_network_on_this_machine_is_named);
}
