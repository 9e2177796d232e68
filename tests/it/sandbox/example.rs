//! The example `test_your_app` of the sandbox passes, and its test has at most twenty lines.

#[path = "../../../crates/atproto-oauth-sandbox/examples/test_your_app.rs"]
mod test_your_app;

#[test]
fn the_example_passes() {
    test_your_app::main().unwrap();
}

#[test]
fn the_test_of_an_app_has_twenty_lines() {
    let text = include_str!("../../../crates/atproto-oauth-sandbox/examples/test_your_app.rs");
    let (_, test) = text.split_once("\nfn people_log_in").unwrap();
    let (test, _) = test.split_once("\n}\n").unwrap();
    let lines = test.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "{lines}");
}
