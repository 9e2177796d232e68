//! Measures this library beside other libraries and beside the least cost of the same work, in one run.
//!
//! `bench/compare/run` starts it and writes the results into the README of the project. README.md explains
//! the method.

mod allocations;
mod async_requests;
mod blocking_requests;
mod distance;
mod engine;
mod headers;
mod keys;
mod lookups;
#[cfg(feature = "peers")]
mod peers;
#[cfg(not(feature = "peers"))]
#[path = "no_peers.rs"]
mod peers;
mod processor;
mod proofs;
mod readme;
mod requests;
mod rounds;
mod server;
mod session;
mod table;
mod typescript;
mod weight;

use crate::server::Server;
use crate::table::Report;

/// Adds results to the report. The server is there for subjects that send requests.
type Subject = fn(&Server, &mut Report);

/// All subjects in their order.
const SUBJECTS: [(&str, Subject); 8] = [
    ("lookups", lookups::measure),
    ("proofs", |_, report| proofs::measure(report)),
    ("session", |_, report| session::measure(report)),
    ("requests", requests::measure),
    ("allocations", allocations::measure),
    ("distance", |_, report| distance::measure(report)),
    ("typescript", |_, report| typescript::measure(report)),
    ("weight", |_, report| weight::measure(report)),
];

/// Subjects that build or install other programs.
const SLOW: [&str; 3] = ["distance", "typescript", WEIGHT];

/// The subject that takes longest, and has a place of its own in the README.
const WEIGHT: &str = "weight";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let is_meant = |subject| match arguments.as_slice() {
        [] => subject != WEIGHT,
        ["--quick"] => !SLOW.contains(&subject),
        ["--weight"] => subject == WEIGHT,
        named => named.contains(&subject),
    };
    if arguments == [server::SERVE] {
        return server::serve();
    }
    let server = Server::start();
    let mut report = Report::default();
    for (_, measure) in SUBJECTS.iter().filter(|(name, _)| is_meant(name)) {
        measure(&server, &mut report);
    }
    let figures = report.to_markdown();
    println!("{figures}");
    match arguments.as_slice() {
        [] => readme::write("times", &figures),
        ["--weight"] => readme::write(WEIGHT, &figures),
        _ => {}
    }
}
