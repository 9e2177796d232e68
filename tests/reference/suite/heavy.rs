//! Large bodies, many calls at once, and the transport of the README.

use atproto_oauth_tests::flows::{Over, Plain, Stage, large, many, matrix};

use crate::stage::Reference;

#[test]
fn a_large_blob_goes_up_and_comes_down() {
    let stage = Reference::blocking();
    let client = stage.ureq((&stage as &dyn Stage).loopback());
    large::a_large_blob_goes_up_and_comes_down(&stage, &client);
}

#[test]
fn a_large_blob_goes_up_and_comes_down_in_pieces() {
    let stage = Reference::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    large::a_large_blob_goes_up_and_comes_down(&stage, &client);
}

#[test]
fn ten_thousand_calls_share_a_session() {
    let stage = Reference::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    let grown = many::calls_share_a_session(&stage, &client, 10_000);
    // What so many requests in flight hold, and nothing that stays behind each of them.
    eprintln!("{grown} MiB more");
    assert!(grown < 512, "{grown} MiB more");
}

#[test]
fn the_transport_of_the_readme_logs_in() {
    let stage = Reference::blocking();
    let client = (&stage as &dyn Stage).loopback();
    matrix::a_session_without_dns(&stage, &Over { transport: Plain::new(), client });
}
