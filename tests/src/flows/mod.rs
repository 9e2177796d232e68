//! Whole procedures from end to end, written once and played on several stages: the reference servers,
//! the sandbox in memory, the sandbox on sockets; each with every adapter that can reach it.
#![allow(missing_docs, reason = "flows have names")]

mod adapter;
mod in_memory;
mod on_sockets;
mod over;
mod sandboxed;
mod seen;
mod stage;
mod wire;

pub mod command;
pub mod denied;
pub mod large;
pub mod login;
pub mod many;
pub mod matrix;
pub mod modes;
pub mod nonces;
pub mod resolving;
pub mod round_trips;
pub mod somebody_else;

pub use adapter::{Adapter, Asynchronous, Streaming};
pub use in_memory::InMemory;
pub use on_sockets::OnSockets;
pub use over::{Over, Plain, Transport};
pub use sandboxed::Sandboxed;
pub use seen::{Jws, Seen};
pub use stage::{Account, CALLBACK, REMOTE_KEY, REMOTE_KEY_ID, Stage, sign_remotely, who_am_i};
pub use wire::Wire;

/// Makes a `#[test]` of each flow, on a stage that the expression makes anew for each.
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
    ($stage:expr) => {
        $crate::flows! { @tests $stage;
            denied {
                a_denied_consent_is_told_with_what_the_application_kept
            }
            login {
                alice_logs_in_writes_refreshes_and_logs_out
                what_was_pushed_is_what_is_exchanged
                an_account_is_found_by_did_and_by_server_too
            }
            matrix {
                every_account_logs_in_with_every_client
                a_login_may_begin_at_every_server
                each_attempt_carries_an_assertion_of_its_own
            }
            modes {
                the_answer_comes_in_the_query_the_fragment_or_a_form
                the_server_asks_what_it_is_asked_to_ask
                a_silent_login_fails_where_nobody_is_signed_in
            }
            nonces {
                the_nonce_may_change_before_any_request
                a_request_is_proved_with_the_nonce_of_the_answer_before
            }
            resolving {
                a_handle_is_found_by_every_method
                a_directory_that_is_down_is_passed_over
            }
            round_trips {
                each_procedure_costs_what_it_must
                an_entryway_costs_no_more_at_the_issuer
                the_longest_chain_is_as_long_as_it_must_be
            }
            somebody_else {
                the_tokens_of_somebody_else_are_revoked_and_not_handed_out
            }
        }
    };
}
