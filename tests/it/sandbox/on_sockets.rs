//! Every flow on sockets with both adapters, and large or many requests.

use atproto_oauth_tests::flows::{OnSockets, Over, Plain, Stage, large, many, matrix, odd};

mod ureq {
    atproto_oauth_tests::flows!(atproto_oauth_tests::flows::OnSockets::blocking());
    atproto_oauth_tests::flows!(sandboxed atproto_oauth_tests::flows::OnSockets::blocking());
}

mod reqwest {
    atproto_oauth_tests::flows!(atproto_oauth_tests::flows::OnSockets::asynchronous());
    atproto_oauth_tests::flows!(sandboxed atproto_oauth_tests::flows::OnSockets::asynchronous());
}

#[test]
fn a_large_blob_is_uploaded_and_downloaded() {
    let stage = OnSockets::blocking();
    let client = stage.ureq((&stage as &dyn Stage).loopback());
    large::a_large_blob_is_uploaded_and_downloaded(&stage, &client);
}

#[test]
fn a_large_blob_is_uploaded_and_downloaded_in_chunks() {
    let stage = OnSockets::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    large::a_large_blob_is_uploaded_and_downloaded(&stage, &client);
}

#[test]
fn a_refused_upload_keeps_its_body() {
    let stage = OnSockets::blocking();
    let client = stage.ureq((&stage as &dyn Stage).loopback());
    odd::a_refused_upload_keeps_its_body(&stage, &client);
    let stage = OnSockets::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    odd::a_refused_upload_keeps_its_body(&stage, &client);
}

#[test]
fn a_fast_host_does_not_decide_before_slow_dns() {
    odd::a_fast_host_does_not_decide_before_slow_dns(&OnSockets::blocking());
    odd::a_fast_host_does_not_decide_before_slow_dns(&OnSockets::asynchronous());
}

#[test]
fn slow_hosts_do_not_age_the_proof_of_a_code() {
    odd::slow_hosts_do_not_age_the_proof_of_a_code(&OnSockets::blocking());
    odd::slow_hosts_do_not_age_the_proof_of_a_code(&OnSockets::asynchronous());
}

#[test]
fn a_thousand_calls_share_a_session() {
    let stage = OnSockets::asynchronous();
    let client = stage.reqwest((&stage as &dyn Stage).loopback());
    many::calls_share_a_session(&stage, &client, 1000);
}

#[test]
fn the_transport_of_the_readme_logs_in() {
    let stage = OnSockets::blocking();
    let client = (&stage as &dyn Stage).loopback();
    matrix::a_session_without_dns(&stage, &Over { transport: Plain::new(), client });
}
