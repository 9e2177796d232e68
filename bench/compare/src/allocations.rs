//! Allocations of a request with a session beyond those of the same request with two constant headers, and of the
//! engine alone. Everything runs in one thread, whose allocations are counted.

use crate::async_requests as reqwest;
use crate::blocking_requests as ureq;
use crate::engine;
use crate::keys::DEFAULT_KEYS;
use crate::rounds::Work;
use crate::server::Server;
use crate::table::{Goal, Report};

pub(crate) fn measure(server: &Server, report: &mut Report) {
    let reqwest = over(reqwest::with_session(server, DEFAULT_KEYS), reqwest::with_headers(server));
    let ureq = over(ureq::with_session(server, DEFAULT_KEYS), ureq::with_headers(server));
    for (library, more) in [("reqwest", reqwest), ("ureq", ureq)] {
        let name = format!(
            "{library}: allocations of a request with a session, over one with two constant headers"
        );
        report.add(&name, more, "", Goal::AtMost(20.0));
    }
    report.add(
        "allocations of the engine alone",
        engine::allocations() as f64,
        "",
        Goal::AtMost(12.0),
    );
}

fn over(session: impl FnMut(), constant: impl FnMut()) -> f64 {
    let [session, constant] =
        [Work::new("", session).allocations(), Work::new("", constant).allocations()];
    session as f64 - constant as f64
}
