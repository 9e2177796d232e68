//! Requests of the engine alone, which are answered in memory.

use atproto_keys::RingKeys;
use atproto_oauth_benches::keys::Constant;
use atproto_oauth_benches::session::{client, make_request, stored};
use atproto_oauth_core::Session;
use atproto_sansio::{Keys, System};

use crate::{Made, in_threads};

/// Without the cost of signatures, so that locks would be seen.
pub(crate) fn constant() -> Made {
    run(Constant)
}

pub(crate) fn ring() -> Made {
    run(RingKeys)
}

fn run(keys: impl Keys + 'static) -> Made {
    let (system, client) = (System::new(keys), client());
    let session = Session::from_json(&stored("https://pds.example.com")).unwrap();
    let requests = in_threads(|| make_request(&system, &client, &session));
    Made { requests, connections: 0 }
}
