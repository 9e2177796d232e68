//! Look-ups of the host, and threads, for requests over one kept connection of the blocking adapter.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atproto_oauth_ureq::{Driver, StatelessClient, System};

use crate::keys::DEFAULT_KEYS;
use crate::server::Server;
use crate::session;
use crate::table::{Goal, Report};

const REQUESTS: usize = 60;

pub(crate) fn measure(server: &Server, report: &mut Report) {
    let lookups = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lookups);
    let driver = Driver::builder(System::new(DEFAULT_KEYS)).development().resolve_with(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    let app = StatelessClient::with_driver(session::client(), driver.build());
    let session = session::at(&server.origin());
    let mut threads = Vec::new();
    for _ in 0..REQUESTS {
        app.request(&session, session::request()).unwrap();
        threads.push(std::fs::read_dir("/proc/self/task").unwrap().count());
    }
    let name = format!("host look-ups of {REQUESTS} requests over a kept connection, ureq adapter");
    report.add(&name, lookups.load(Ordering::Relaxed) as f64, "", Goal::AtMost(1.0));
    // The first request looks the host up, in a thread that is kept for other look-ups.
    let more = threads.iter().max().unwrap() - threads[0];
    let name = "threads that all but the first of them start";
    report.add(name, more as f64, "", Goal::AtMost(0.0));
}
