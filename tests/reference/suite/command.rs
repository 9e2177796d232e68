//! Tests of the command `atproto-oauth`, whose binary is in the parent folder of this test program.

use atproto_oauth_tests::flows::command::{self, Command};
use atproto_oauth_tests::flows::two_phase;

use crate::stage::Reference;

pub(crate) fn run(flow: impl FnOnce(&Command<'_>)) {
    let stage = Reference::blocking();
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().unwrap().parent().unwrap().join("atproto-oauth");
    let nameserver = stage.network.text("/dns").parse().unwrap();
    flow(&Command { stage: &stage, nameserver, binary });
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

#[test]
fn several_accounts_are_kept_and_logged_out() {
    run(command::several_accounts_are_kept_and_logged_out);
}

#[test]
fn sessions_are_shown_renewed_and_moved() {
    run(command::sessions_are_shown_renewed_and_moved);
}

#[test]
fn an_import_ends_when_the_store_fails() {
    run(command::an_import_ends_when_the_store_fails);
}

#[test]
fn sessions_of_other_libraries_are_imported() {
    run(command::sessions_of_other_libraries_are_imported);
}

#[test]
fn a_trace_shows_each_request_and_no_secret() {
    run(command::a_trace_shows_each_request_and_no_secret);
}

#[test]
fn a_file_is_uploaded() {
    run(command::a_file_is_uploaded);
}

#[test]
fn a_login_in_two_processes_is_used_by_others() {
    run(two_phase::a_login_in_two_processes_is_used_by_others);
}

#[test]
fn the_credentials_may_be_in_the_environment() {
    run(two_phase::the_credentials_may_be_in_the_environment);
}

#[test]
fn a_denied_login_is_forgotten() {
    run(two_phase::a_denied_login_is_forgotten);
}

#[test]
fn a_tested_login_leaves_no_tokens() {
    run(two_phase::a_tested_login_leaves_no_tokens);
}
