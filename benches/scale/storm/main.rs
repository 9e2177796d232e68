//! Many askers whose access tokens have expired: thousands for one session, and one for each of a thousand
//! sessions. Over both adapters.
//!
//! ```text
//! cargo bench -p atproto-oauth-benches --bench storm
//! ```
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for developers"
)]

mod many_sessions;
mod one_session;

use std::time::Duration;

use atproto_oauth_benches::processor;
use atproto_oauth_sandbox::Served;

fn main() {
    println!("{} cores", processor::cores());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    many_sessions::measure(&runtime);
    one_session::measure(&runtime);
}

/// Lifetime of access tokens that are renewed before they are used.
const SHORT: Duration = Duration::from_secs(1);

/// Lifetime of access tokens that last until the end.
const LONG: Duration = Duration::from_secs(60 * 60);

fn set_token_lifetime(served: &Served, lifetime: Duration) {
    let mut sandbox = served.sandbox();
    let pds = sandbox.find_server(&sandbox.names().pds).unwrap();
    sandbox.set_access_token_lifetime(pds, lifetime);
}
