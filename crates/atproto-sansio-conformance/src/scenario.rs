//! The list of all scenarios, and macros that make a test of each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::adapter::Adapter;

/// One scenario: a behaviour that every transport must have.
pub struct Scenario<A> {
    /// Module and function, such as `limits::an_endless_head_is_refused`.
    pub name: &'static str,
    /// Runs the scenario. Panics if the adapter does not have the behaviour.
    pub run: fn(&A),
}

/// Runs all scenarios except those of settings, TLS and TXT lookups, one after another.
///
/// # Panics
///
/// Panics with the names of the failed scenarios, after each of them has printed its own panic
/// message.
pub fn all<A: Adapter>(adapter: &A) {
    let failed: Vec<_> = scenarios()
        .into_iter()
        .filter(|scenario| catch_unwind(AssertUnwindSafe(|| (scenario.run)(adapter))).is_err())
        .map(|scenario: Scenario<A>| scenario.name)
        .collect();
    assert!(failed.is_empty(), "these scenarios failed:\n{}", failed.join("\n"));
}

/// Returns the scenarios that [`all`] runs, for a caller that runs them in another way.
pub fn scenarios<A: Adapter>() -> Vec<Scenario<A>> {
    crate::__scenarios!(list, ())
}

impl<A> fmt::Debug for Scenario<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Makes a `#[test]` of each scenario of [`scenarios`]. The expression creates
/// the adapter, once for each test.
#[macro_export]
macro_rules! tests {
    ($adapter:expr) => {
        $crate::__scenarios!(tests, $adapter);
    };
}

/// Makes a `#[test]` of each scenario of [`lookups`](crate::lookups). The expression is a function
/// that takes the address of a nameserver, and returns an adapter that queries it.
#[cfg(feature = "dns")]
#[macro_export]
macro_rules! lookup_tests {
    ($asking:expr) => {
        $crate::__each! { lookups, $asking;
            an_absolute_name_is_asked_once
            strings_of_a_record_are_joined_and_records_are_not
            aliases_are_followed_and_strangers_ignored
            a_circle_of_aliases_leads_nowhere
            no_name_and_no_record_are_empty_answers
            a_refusal_is_an_error
            a_truncated_answer_is_asked_for_over_tcp
            answers_to_other_questions_are_ignored
            a_malformed_answer_is_an_error
            a_silent_server_is_asked_again
            silence_ends_with_the_time_of_the_call
            silence_over_tcp_ends_with_the_time_of_the_call
            a_name_that_dns_can_not_hold_is_not_asked
        }
    };
}

/// Makes a `#[test]` of each scenario that a transport over a plain HTTP library may lack: limits
/// beyond those of head and body, and early answers. The expression creates the adapter, once for
/// each test.
#[macro_export]
macro_rules! strict_tests {
    ($adapter:expr) => {
        $crate::__each! { limits, &$adapter;
            a_large_head_is_refused
            endless_headers_are_refused
            a_head_of_too_many_headers_is_too_large
            endless_trailers_are_too_large
        }
        $crate::__each! { early, &$adapter;
            an_answer_before_the_end_of_the_request_is_not_lost
            a_server_that_answers_early_and_reads_no_further_is_heard
        }
    };
}

/// Makes a `#[test]` of each scenario of [`settings`](crate::settings), [`addresses`](crate::addresses) and
/// [`queue`](crate::queue). The expression is a function that takes [`Settings`](crate::Settings), and returns
/// an adapter with these settings.
#[macro_export]
macro_rules! settings_tests {
    ($adapter:expr) => {
        $crate::__each! { settings, $adapter;
            an_override_is_for_private_calls_only
            a_public_call_to_a_host_that_is_set_to_a_private_address_is_blocked
            an_address_that_does_not_answer_leaves_time_for_the_next
            a_development_transport_performs_development_calls
        }
        $crate::__each! { addresses, $adapter;
            requests_to_one_host_share_a_lookup
            each_host_has_its_own_lookup
            a_new_connection_soon_after_another_needs_no_lookup
            addresses_are_used_for_a_limited_time
            addresses_that_can_not_be_connected_to_are_forgotten
            a_failed_lookup_is_not_remembered
            a_host_that_moves_to_a_private_address_is_blocked
            addresses_of_another_reach_are_not_used
            a_resolver_that_hangs_ends_with_the_time_of_the_call
        }
        $crate::__each! { queue, $adapter;
            requests_above_the_limit_wait
            the_queue_of_a_server_keeps_its_order
            a_busy_server_delays_no_request_to_another
            a_request_that_times_out_in_the_queue_was_not_sent
            a_request_that_became_late_in_the_queue_is_not_sent
        }

        #[test]
        fn proxies_of_the_environment_are_ignored() {
            $crate::settings::proxies_of_the_environment_are_ignored(
                $adapter,
                concat!(module_path!(), "::proxies_of_the_environment_are_ignored"),
            );
        }
    };
}

/// Makes a `#[test]` of each scenario of [`shared`](crate::shared). The expression makes a
/// [`Driving`](crate::Driving), once for each test.
#[macro_export]
macro_rules! shared_tests {
    ($driver:expr) => {
        $crate::__each! { shared, &$driver;
            all_who_ask_get_the_result_of_one_run
            machines_of_different_types_do_not_share_a_run
            a_run_that_asks_for_itself_is_refused
            runs_that_ask_for_each_other_come_to_an_end
            a_flow_waits_for_a_run_no_longer_than_its_own_time
        }
    };
}

/// Makes a `#[test]` of each scenario of [`signing`](crate::signing). The expression is a function
/// that takes the time of a remote signer, and returns a [`Driving`](crate::Driving) with that
/// signer. Each signature is 64 bytes of value 7.
#[macro_export]
macro_rules! signing_tests {
    ($driver:expr) => {
        $crate::__each! { signing, $driver;
            a_signature_in_time_is_handed_over
            a_signer_that_hangs_ends_with_the_time_of_the_procedure
        }
    };
}

/// Makes a `#[test]` of each scenario of [`tls`](crate::tls). The expression is a function that
/// takes [`Settings`](crate::Settings), and returns an adapter with these settings.
#[cfg(feature = "tls")]
#[macro_export]
macro_rules! tls_tests {
    ($adapter:expr) => {
        $crate::__each! { tls, $adapter;
            a_private_authority_can_be_trusted
            a_failed_handshake_was_not_sent
            a_handshake_that_stalls_was_not_sent
            a_request_after_the_handshake_may_have_been_sent
            a_body_without_close_notify_is_truncated
            an_early_answer_is_heard_over_tls
            a_slow_reader_gets_the_whole_request
            a_request_that_became_late_during_the_handshake_is_not_sent
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each {
    ($module:ident, $with:expr; $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::$module::$name($with);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __scenarios {
    (@tests $adapter:expr; $($module:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                $crate::$module::$name(&$adapter);
            }
        )*)*
    };
    (@list $nothing:expr; $($module:ident { $($name:ident)* })*) => {
        vec![$($(
            $crate::Scenario {
                name: concat!(stringify!($module), "::", stringify!($name)),
                run: |adapter| $crate::$module::$name(adapter),
            },
        )*)*]
    };
    ($for:ident, $with:expr) => {
        $crate::__scenarios! { @$for $with;
            exchange {
                every_header_of_a_request_is_sent
                every_header_of_a_reply_is_handed_back
                any_status_is_a_reply_and_no_redirect_is_followed
                any_method_may_carry_a_body
                a_reply_to_head_has_no_body
                a_body_without_a_length_ends_with_the_connection
            }
            limits {
                a_body_is_limited_by_its_declared_length
                a_body_is_limited_while_it_streams
                a_body_may_be_as_large_as_the_limit
                a_large_reply_that_is_not_2xx_is_cut
                an_endless_head_is_refused
                a_slow_drip_ends_with_the_time_of_the_call
                a_call_that_comes_too_late_is_not_sent
            }
            failures {
                a_refused_connection_was_not_sent
                an_unknown_name_was_not_sent
                a_connection_that_closes_without_an_answer_may_have_been_sent
                a_body_that_breaks_off_is_truncated
            }
            connections {
                a_request_on_a_connection_that_dies_is_sent_once
                a_connection_that_was_closed_while_idle_is_not_used
                a_request_is_sent_once_at_whatever_moment_its_connection_ends
                a_reply_without_a_request_is_not_that_of_the_next
            }
            reach {
                a_development_call_is_blocked
                a_public_call_to_a_name_of_this_machine_is_blocked
                a_public_call_to_an_address_of_this_machine_is_blocked
                an_idle_connection_of_another_reach_is_not_used
            }
        }
    };
}
