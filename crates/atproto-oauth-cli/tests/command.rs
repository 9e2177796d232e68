//! Tests of `login` and `call` with the built command, in a sandbox on loopback ports.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::path::PathBuf;

use atproto_oauth_sandbox::{Fault, Habits, NonceOnSuccess};
use atproto_oauth_tests::flows::command::{self, Command};
use atproto_oauth_tests::flows::{OnSockets, Sandboxed, imported, php};

fn run(flow: fn(&Command<'_>)) {
    run_at(Habits::reference(), flow);
}

/// Runs a flow with a server of these habits.
fn run_at(habits: Habits, flow: fn(&Command<'_>)) {
    let stage = OnSockets::blocking();
    let alice = stage.sandbox().server_of("alice.test").unwrap();
    stage.sandbox().set_habits(alice, habits);
    run_in(&stage, flow);
}

fn run_in<T>(stage: &OnSockets, flow: fn(&Command<'_>) -> T) -> T {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_atproto-oauth"));
    flow(&Command { stage, nameserver: stage.nameserver(), binary })
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
fn a_server_without_loopback_clients_is_told_with_the_way_out() {
    run_at(Habits::pegasus(), command::a_server_without_loopback_clients_is_told_with_the_way_out);
}

#[test]
fn a_request_that_a_server_calls_invalid_is_no_mistake_of_the_user() {
    run_at(
        Habits::cirrus(),
        command::a_request_that_a_server_calls_invalid_is_no_mistake_of_the_user,
    );
}

#[cfg(unix)]
#[test]
fn the_store_is_opened_before_anything_is_sent() {
    run(command::the_store_is_opened_before_anything_is_sent);
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
fn a_session_with_a_key_of_secp256k1_is_used() {
    run(imported::a_session_with_a_key_of_secp256k1_is_used);
}

#[test]
fn files_of_the_php_library_are_imported() {
    run(php::files_of_the_php_library_are_imported);
}

#[test]
fn rows_of_the_php_library_are_imported() {
    run(php::rows_of_the_php_library_are_imported);
}

#[test]
fn a_mistake_at_an_import_logs_no_php_user_out() {
    run(php::a_mistake_at_an_import_logs_no_php_user_out);
}

#[test]
fn a_trace_shows_each_request_and_no_secret() {
    run(command::a_trace_shows_each_request_and_no_secret);
}

#[test]
fn results_of_sessions_are_json() {
    run(command::results_of_sessions_are_json);
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_is_not_printed_leaves_no_session_behind() {
    run(command::a_result_that_is_not_printed_leaves_no_session_behind);
}

#[test]
fn a_file_is_uploaded() {
    run(command::a_file_is_uploaded);
}

#[test]
fn a_pasted_url_finishes_the_login() {
    run(command::a_pasted_url_finishes_the_login);
}

#[test]
fn the_browser_may_answer_while_the_prompt_reads() {
    run(command::the_browser_may_answer_while_the_prompt_reads);
}

#[test]
fn a_login_times_out() {
    run(command::a_login_times_out);
}

#[test]
fn a_login_ends_with_its_authorization_request() {
    let stage = OnSockets::blocking();
    let short = serde_json::json!({"expires_in": 1});
    stage.sandbox().fault(Fault::merge(short).path("/oauth/par").always());
    run_in(&stage, command::a_login_ends_with_its_authorization_request);
}

#[test]
fn an_earlier_session_is_told_and_stays() {
    run(command::an_earlier_session_is_told_and_stays);
}

#[test]
fn a_login_may_replace_the_earlier_ones() {
    run(command::a_login_may_replace_the_earlier_ones);
}

#[test]
fn a_session_of_another_key_is_an_error_and_stays() {
    run(command::a_session_of_another_key_is_an_error_and_stays);
}

#[test]
fn a_login_spends_nothing_if_the_store_breaks_meanwhile() {
    run(command::a_login_spends_nothing_if_the_store_breaks_meanwhile);
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

#[test]
fn a_revocation_that_failed_reaches_the_user() {
    for is_revoked in [true, false] {
        let stage = OnSockets::blocking();
        let other = serde_json::json!({"sub": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"});
        stage.sandbox().fault(Fault::merge(other).path("/oauth/token"));
        if !is_revoked {
            let down = Fault::status(http::StatusCode::BAD_GATEWAY).path("/oauth/revoke");
            stage.sandbox().fault(down.always());
        }
        let told = run_in(&stage, command::rejected_tokens);
        let text = "the issued tokens stay valid until they expire, because revoking them failed";
        assert_eq!(told.contains(text), !is_revoked, "{told}");
    }
}

#[test]
fn a_revocation_that_failed_is_told_once() {
    let stage = OnSockets::blocking();
    let down = Fault::status(http::StatusCode::BAD_GATEWAY).path("/oauth/revoke");
    stage.sandbox().fault(down.always());
    run_in(&stage, command::a_revocation_that_failed_is_told_once);
}

#[test]
fn a_request_that_fails_is_named() {
    run(command::a_request_that_fails_is_named);
}

#[test]
fn a_pasted_profile_page_is_answered_with_its_handle() {
    let mut login = command::isolated(env!("CARGO_BIN_EXE_atproto-oauth"));
    let page = "https://bsky.app/profile/alice.bsky.social";
    let output = login.args(["login", "--no-browser", page]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("give only alice.bsky.social"), "{told}");
}
