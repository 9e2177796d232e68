//! `call`, `whoami` and `upload-blob`.

use crate::both;
use crate::network::{approve, in_network};
use crate::snapshot::Snapshot;

const RECORD: &str = r#"record:={"$type":"com.example.note","text":"a note"}"#;

fn logged_in(snapshot: &mut Snapshot) {
    snapshot.log_in(&["login", "--no-browser", "alice.test"], approve("alice.test"));
}

#[test]
fn queries_and_procedures() {
    // Rules L-22, L-25, L-26
    in_network("calls", |snapshot| {
        logged_in(snapshot);
        both(snapshot, &["whoami"]);
        both(snapshot, &["call", "com.atproto.server.getSession"]);
        both(snapshot, &["call", "com.atproto.repo.describeRepo", "repo=alice.test"]);
        let create = ["call", "com.atproto.repo.createRecord"];
        let note = ["repo=alice.test", "collection=com.example.note", RECORD];
        both(snapshot, &[&create[..], &note].concat());
        let input = r#"{"repo":"alice.test","collection":"com.example.note","record":{"$type":"com.example.note"}}"#;
        both(snapshot, &[&create[..], &["--data", input]].concat());
        snapshot.write("input.json", input);
        snapshot.run(&[&create[..], &["--data", "@input.json"]].concat());
        snapshot.run_with_input(&[&create[..], &["--data", "@-"]].concat(), input);
        snapshot.write("note.txt", "a note");
        both(snapshot, &["upload-blob", "note.txt", "--content-type", "text/plain"]);
    });
}

#[test]
fn calls_that_fail() {
    // Rules L-22, L-25, L-26
    in_network("calls_refused", |snapshot| {
        logged_in(snapshot);
        for call in [
            &["com.atproto.repo.getRecord"][..],
            &["com.atproto.server.getSession", "repo=x", "repo=y"],
            &[
                "com.atproto.repo.createRecord",
                "repo=carol.test",
                "collection=com.example.note",
                RECORD,
            ],
            &["com.atproto.server.getSession", "--procedure"],
            &["app.example.getFeed", "--proxy", "did:web:api.example.com#api"],
            &["app.example.getFeed", "--proxy", "api.example.com"],
            &["app.example.getFeed", "--account", "carol.test"],
        ] {
            both(snapshot, &[&["call"], call].concat());
        }
        both(snapshot, &["upload-blob", "none.txt"]);
        both(snapshot, &["upload-blob", ".", "--content-type", "text/plain"]);
    });
}
