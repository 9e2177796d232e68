//! Tests of large request bodies, of many concurrent calls, and of the transport in the README.

use atproto_oauth_tests::flows::{Over, Plain, Stage, large, many, matrix};

use crate::stage::Reference;

#[test]
fn a_large_blob_is_uploaded_and_downloaded() {
    let stage = Reference::blocking();
    let client = stage.ureq((&stage as &dyn Stage).loopback());
    large::a_large_blob_is_uploaded_and_downloaded(&stage, &client);
}

#[test]
fn a_large_blob_is_uploaded_and_downloaded_in_chunks() {
    let stage = Reference::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    large::a_large_blob_is_uploaded_and_downloaded(&stage, &client);
}

#[test]
fn ten_thousand_calls_share_a_session() {
    let stage = Reference::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    let grown = many::calls_share_a_session(&stage, &client, 10_000);
    // The limit allows the memory of 10,000 requests in flight, but no leak for each request.
    eprintln!("the memory of the process grew by {grown} MiB");
    assert!(grown < 512, "the memory of the process grew by {grown} MiB");
}

#[test]
fn the_transport_of_the_readme_logs_in() {
    let stage = Reference::blocking();
    let client = (&stage as &dyn Stage).loopback();
    matrix::a_session_without_dns(&stage, &Over { transport: Plain::new(), client });
}
