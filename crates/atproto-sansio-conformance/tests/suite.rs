//! Tests of the suite itself: broken adapters fail its scenarios.

use std::panic::{AssertUnwindSafe, catch_unwind};

use atproto_sansio::{Call, Phase, Reply, TransportError};
use atproto_sansio_conformance::{Adapter, all, scenarios};
use http::Response;

/// An adapter that reports success for every HTTP call and sends nothing.
struct AlwaysSucceeds;

impl Adapter for AlwaysSucceeds {
    fn perform(&self, call: Call) -> Reply {
        let Call::Http(call) = call else { return call.unsupported() };
        call.respond.with(Ok(Response::default()))
    }
}

/// An adapter that fails every call with `NotSent`.
struct NeverSends;

impl Adapter for NeverSends {
    fn perform(&self, call: Call) -> Reply {
        call.fail(TransportError::new(Phase::NotSent, "this adapter never sends a request"))
    }
}

/// Names of the scenarios that `adapter` passes.
fn passed<A: Adapter>(adapter: &A) -> Vec<&'static str> {
    let passes = |run: fn(&A)| catch_unwind(AssertUnwindSafe(|| run(adapter))).is_ok();
    scenarios().into_iter().filter(|s| passes(s.run)).map(|s| s.name).collect()
}

#[test]
fn an_adapter_that_always_reports_success_passes_no_scenario() {
    assert_eq!(passed(&AlwaysSucceeds), [""; 0]);
}

#[test]
fn an_adapter_that_never_sends_passes_only_the_scenarios_of_unsent_requests() {
    let unsent = ["a_refused_connection_was_not_sent", "an_unknown_name_was_not_sent"];
    assert_eq!(passed(&NeverSends), unsent.map(|name| format!("failures::{name}")));
}

#[test]
#[should_panic(expected = "failures::an_unknown_name_was_not_sent\nfailures::a_connection_that")]
fn the_panic_of_all_names_the_failed_scenarios() {
    all(&|call: Call| call.unsupported());
}
