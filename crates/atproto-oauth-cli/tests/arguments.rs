//! Mistakes in the arguments of the built command: the advice has only what is of use.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use atproto_oauth_tests::flows::command::isolated;

#[test]
fn the_advice_for_wrong_arguments_names_what_to_correct() {
    // Rules L-22, L-25
    let method = ["call", "com.atproto.repo.createRecord"];
    for (given, message, help) in [
        (
            &["--content-type", "image/png", "--proxy", "did:web:a.client.dev#b"][..],
            "were not provided: --data <JSON|@FILE>",
            "give what is missing; --help tells more",
        ),
        (
            &["--query", "--procedure"],
            "cannot be used with",
            "leave one of them out; --help tells more",
        ),
        (
            &["--data", "{}", "--content-type", ""],
            "a media type such as image/png is needed",
            "--help tells more",
        ),
        (
            &["--data", "@"],
            "--data @ names no file",
            "write @FILE for the contents of a file, or @- for standard input",
        ),
    ] {
        let mut command = isolated(env!("CARGO_BIN_EXE_atproto-oauth"));
        let output = command.args(method).args(given).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let (error, advice) = told.split_once('\n').unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(error.contains(message), "{told}");
        assert_eq!(advice, format!("help: {help}\n"), "{told}");
    }
}
