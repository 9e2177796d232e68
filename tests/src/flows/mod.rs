//! Flows: end-to-end tests that run on each [`Stage`]: the reference network, the sandbox in
//! memory, and the sandbox on sockets, with each adapter that can reach the network.
#![allow(missing_docs, reason = "the names of flows describe them")]

mod adapter;
mod in_memory;
mod on_sockets;
mod over;
mod sandboxed;
mod seen;
mod stage;
mod wire;

pub mod adopted;
pub mod another_account;
pub mod command;
pub mod denied;
pub mod habits;
pub mod imported;
pub mod large;
pub mod login;
pub mod many;
pub mod matrix;
pub mod modes;
pub mod nonces;
pub mod odd;
pub mod php;
pub mod resolving;
pub mod rotation;
pub mod round_trips;
pub mod two_phase;

pub use adapter::{Adapter, Asynchronous, Streaming};
pub use in_memory::InMemory;
pub use on_sockets::OnSockets;
pub use over::{Over, Plain, Transport};
pub use sandboxed::Sandboxed;
pub use seen::{Jws, Seen};
pub use stage::{Account, CALLBACK, REMOTE_KEY, REMOTE_KEY_ID, Stage, sign_remotely, who_am_i};
pub use wire::Wire;

/// Makes a `#[test]` of each flow; each test evaluates the expression to get a new stage. With the
/// word `sandboxed`, the flows are those that only a stage with a sandbox can run.
#[macro_export]
macro_rules! flows {
    (@tests $stage:expr; $($module:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                $crate::flows::$module::$name(&$stage);
            }
        )*)*
    };
    (sandboxed $stage:expr) => {
        $crate::flows! { @tests $stage;
            habits {
                a_session_at_tranquil
                a_session_at_cirrus
                a_session_at_ezpds
                a_session_at_cocoon
                a_session_at_pegasus
                a_clock_that_is_some_seconds_off_is_tolerated_by_each_server
                an_expired_access_token_is_recognized_at_each_server
                a_dead_refresh_token_ends_the_session_only_with_a_standard_error
            }
            odd {
                the_nonce_of_an_old_login_is_not_sent
                an_undefined_refusal_does_not_keep_a_session_for_ever
                a_login_by_did_or_server_brings_the_verified_handle
            }
        }
    };
    ($stage:expr) => {
        $crate::flows! { @tests $stage;
            adopted {
                a_session_is_adopted_from_four_values
            }
            denied {
                a_denied_consent_is_reported_with_the_app_state
            }
            login {
                alice_logs_in_writes_refreshes_and_logs_out
                the_code_exchange_repeats_the_pushed_client_id_redirect_uri_and_key
                a_login_may_begin_with_a_did_or_a_server
            }
            matrix {
                every_account_logs_in_with_every_client
                a_login_may_begin_with_each_server
                each_attempt_carries_an_assertion_of_its_own
            }
            modes {
                the_answer_comes_in_the_query_the_fragment_or_a_form
                each_prompt_can_be_requested
                a_silent_login_fails_if_the_browser_is_not_signed_in
            }
            nonces {
                the_nonce_may_change_before_any_request
                each_proof_has_the_nonce_of_the_response_before
            }
            resolving {
                a_handle_is_found_by_every_method
                a_plc_directory_that_is_down_is_skipped
            }
            round_trips {
                each_procedure_sends_as_few_requests_as_possible
                a_login_behind_an_entryway_sends_three_requests_to_the_issuer
                the_longest_chain_of_requests_is_as_short_as_possible
            }
            rotation {
                a_session_keeps_its_client_key_until_the_key_is_revoked
                a_client_key_is_replaced_by_a_remote_one_at_the_jwks_uri
            }
            another_account {
                tokens_of_another_account_are_revoked_and_not_returned
            }
        }
    };
}
