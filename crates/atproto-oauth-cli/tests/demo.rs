//! Test of `demo`: the output shows a complete login, and the exit code is 0.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::process::Command;

#[test]
fn the_demo_shows_a_login_from_handle_to_revocation() {
    let output = Command::new(env!("CARGO_BIN_EXE_atproto-oauth")).arg("demo").output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&err));
    for (line, times) in [
        ("_atproto.alice.test", 1),
        ("/oauth/par                                 400  use_dpop_nonce", 1),
        ("/oauth/par                                 201", 1),
        ("/oauth/token                               200", 2),
        ("com.atproto.repo.createRecord        200", 1),
        ("/oauth/revoke                              200", 2),
        ("com.atproto.server.getSession        401  invalid_token", 1),
    ] {
        assert_eq!(out.matches(line).count(), times, "{line}\n{out}");
    }
    // The output is no terminal, so it has no colours. It never contains tokens.
    assert!(!out.contains('\u{1b}') && !out.contains("acc-") && !out.contains("ref-"), "{out}");
}
