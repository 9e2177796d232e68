//! Tests of the verbs that use no network and no session: `scope`, `completions`, `man`.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::process::Command;

use serde_json::{Value, json};

/// Runs the command. Returns its exit code, its output, and its diagnostics.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_atproto-oauth")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn run_json(arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, text, _) = run(&[arguments, &["--json"]].concat());
    (code, serde_json::from_str(&text).unwrap())
}

#[test]
fn scopes_are_explained() {
    let (code, text, _) = run(&[
        "scope",
        "parse",
        "atproto",
        "repo?collection=app.example.post",
        "rpc:app.example.getFeed?aud=did:web:api.client.dev%23feed",
        "x:y",
    ]);
    assert_eq!(code, Some(0));
    assert_eq!(
        text,
        "atproto\n    the account's DID\n\
         repo?collection=app.example.post\n    create, update, delete records in app.example.post\n\
         rpc:app.example.getFeed?aud=did:web:api.client.dev%23feed\n    \
         call app.example.getFeed of did:web:api.client.dev#feed\n\
         x:y\n    unknown permission\n\
         warning: the canonical form of `repo?collection=app.example.post` is `repo:app.example.post`\n\
         warning: `x:y` is no known permission: the resources are repo, rpc, blob, account, identity \
         and include\n"
    );
    let (code, json) = run_json(&["scope", "parse", "atproto repo:app.bsky.*"]);
    assert_eq!(code, Some(1));
    let why = "`app.bsky.*` is no value of `collection`: only all can be meant by `*`, so name each NSID, \
               or use `*` alone";
    assert_eq!(
        json,
        json!({
            "scopes": [
                {"scope": "atproto", "canonical": "atproto", "meaning": "the account's DID"},
                {"scope": "repo:app.bsky.*", "canonical": null, "meaning": format!("invalid: {why}")},
            ],
            "findings": [{
                "code": "scope_partial_wildcard",
                "severity": "error",
                "scope": "repo:app.bsky.*",
                "message": why,
            }],
        })
    );
}

#[test]
fn scopes_are_normalized() {
    let list = "repo?collection=a.b.d&collection=a.b.c atproto x:y";
    let (code, text, _) = run(&["scope", "normalize", list]);
    let normalized = "atproto repo?collection=a.b.c&collection=a.b.d x:y";
    assert_eq!((code, text), (Some(0), format!("{normalized}\n")));
    let (code, json) = run_json(&["scope", "normalize", list]);
    assert_eq!((code, json), (Some(0), json!({"scope": normalized})));
    let (code, text, told) = run(&["scope", "normalize", "atproto atproto"]);
    assert_eq!((code, &text[..]), (Some(1), ""));
    assert!(told.contains("`atproto` occurs twice"), "{told}");
}

#[test]
fn scopes_are_checked() {
    let (code, text, _) = run(&["scope", "check", "atproto", "repo:app.example.post"]);
    assert_eq!((code, &text[..]), (Some(0), "There are no findings.\n"));
    let asked = ["--allows", "repo:app.example.post?action=create", "--allows", "blob:image/png"];
    let check = ["scope", "check", "atproto", "repo:app.example.post"];
    let (code, text, told) = run(&[&check[..], &asked].concat());
    assert_eq!(code, Some(1));
    assert_eq!(text, "repo:app.example.post?action=create: yes\nblob:image/png: no\n");
    assert!(told.contains("help: add blob:image/png to them"), "{told}");
    let (code, json) = run_json(&[&check[..], &asked].concat());
    assert_eq!(code, Some(1));
    assert_eq!(
        json,
        json!({
            "findings": [],
            "allows": [
                {"permission": "repo:app.example.post?action=create", "allowed": "yes"},
                {"permission": "blob:image/png", "allowed": "no"},
            ],
        })
    );
    // Wrong usage
    for wrong in [&["scope", "check"][..], &["scope", "check", "atproto", "--allows", "x:y"]] {
        assert_eq!(run(wrong).0, Some(2), "{wrong:?}");
    }
    let (code, _, told) = run(&["scope", "check", "atproto", "--allows", "repo:*"]);
    assert!(code == Some(2) && told.contains("name collections"), "{told}");
}

#[test]
fn the_manual_and_the_completions_have_all_verbs() {
    let (code, page, _) = run(&["man"]);
    assert_eq!(code, Some(0));
    let (_, help, _) = run(&["--help"]);
    let verbs = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let verbs: Vec<_> = verbs.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 8, "{verbs:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, _) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        for verb in verbs.iter().filter(|verb| **verb != "help") {
            assert!(script.contains(verb), "{shell}: {verb}");
            let heading = format!(".SH \"ATPROTO-OAUTH {}\"", verb.to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
    }
    assert!(page.contains("ATPROTO-OAUTH SESSIONS EXPORT"));
}
