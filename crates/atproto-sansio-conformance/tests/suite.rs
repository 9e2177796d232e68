//! Each scenario can fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use atproto_sansio::{Call, Phase, Reply, TransportError};
use atproto_sansio_conformance::{Adapter, all, scenarios};
use http::Response;

struct Careless;

/// Says that all went well.
impl Adapter for Careless {
    fn perform(&self, call: Call) -> Reply {
        let Call::Http(call) = call else { return call.unsupported() };
        call.respond.with(Ok(Response::default()))
    }
}

struct Timid;

/// Never sends anything.
impl Adapter for Timid {
    fn perform(&self, call: Call) -> Reply {
        call.fail(TransportError::new(Phase::NotSent, "never"))
    }
}

fn passed<A: Adapter>(adapter: &A) -> Vec<&'static str> {
    let passes = |run: fn(&A)| catch_unwind(AssertUnwindSafe(|| run(adapter))).is_ok();
    scenarios().into_iter().filter(|s| passes(s.run)).map(|s| s.name).collect()
}

#[test]
fn who_says_that_all_went_well_passes_nothing() {
    assert_eq!(passed(&Careless), [""; 0]);
}

#[test]
fn who_sends_nothing_passes_what_is_never_sent() {
    let unsent = ["a_refused_connection_was_not_sent", "an_unknown_name_was_not_sent"];
    assert_eq!(passed(&Timid), unsent.map(|name| format!("failures::{name}")));
}

#[test]
#[should_panic(expected = "failures::an_unknown_name_was_not_sent\nfailures::a_connection_that")]
fn what_failed_is_named() {
    all(&|call: Call| call.unsupported());
}
