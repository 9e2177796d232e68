//! Verbs that need no network, and mistakes that end a verb before its first request.

use serde_json::Value;

use crate::both;
use crate::snapshot::Snapshot;

#[test]
fn scopes() {
    // Rules L-24, L-25
    let mut snapshot = Snapshot::new();
    let list = "atproto repo:app.example.post?action=create blob:image/*";
    both(&mut snapshot, &["scope", "parse", list]);
    both(&mut snapshot, &["scope", "normalize", list]);
    both(&mut snapshot, &["scope", "check", list, "--allows", "blob:image/png"]);
    both(&mut snapshot, &["scope", "check", list, "--allows", "blob:video/mp4"]);
    both(&mut snapshot, &["scope", "normalize", "repo:app.example.post"]);
    both(&mut snapshot, &["scope", "check", "atproto", "--allows", "rpc:*?aud=did:web:a.dev#b"]);
    snapshot.compare("scopes");
}

#[test]
fn documents_of_a_client() {
    // Rules L-10, L-11, L-25
    let mut snapshot = Snapshot::new();
    both(&mut snapshot, &["generate-metadata"]);
    let printed = snapshot.run(&["keygen", "--output", "key.pem", "--json"]);
    let key: Value = serde_json::from_str(&printed).unwrap();
    for (value, name) in
        [(&key["kid"], "KID"), (&key["public_jwk"]["x"], "X"), (&key["public_jwk"]["y"], "Y")]
    {
        let value = value.as_str().unwrap();
        snapshot.mask(value, name);
    }
    both(&mut snapshot, &["keygen", "--output", "key.pem"]);
    both(&mut snapshot, &["keygen", "--output", "-", "--format", "der"]);
    snapshot.run(&["keygen", "--output", "-", "--json"]);
    snapshot.write(
        "client.toml",
        "client_id = \"https://app.client.dev/client-metadata.json\"\n\
         redirect_uri = \"https://app.client.dev/callback\"\n\
         scope = \"atproto\"\nclient_name = \"An app\"\nprivate_key_path = \"key.pem\"\n",
    );
    both(&mut snapshot, &["generate-metadata", "--config", "client.toml"]);
    snapshot.write("bad.toml", "client_id = \"http://localhost\"\ntyp = \"a\\u001b[2Jb\"\n");
    both(&mut snapshot, &["generate-metadata", "--config", "bad.toml"]);
    let check = ["check-metadata", "https://app.client.dev/client-metadata.json"];
    let files = ["--document", "public/client-metadata.json", "--jwks", "public/jwks.json"];
    both(&mut snapshot, &[&check[..], &files].concat());
    both(&mut snapshot, &[&check[..], &["--document", "none.json"]].concat());
    snapshot.compare("documents");
}

#[test]
fn files_for_a_login_in_two_processes() {
    // Rules L-02, L-03, L-04, L-25
    let mut snapshot = Snapshot::new();
    both(&mut snapshot, &["templates", "--domain", "app.client.dev"]);
    let new = ["templates", "--domain", "app.client.dev", "--output", "new", "--json"];
    snapshot.run(&new);
    both(&mut snapshot, &["templates", "--domain", "https://app.client.dev"]);
    both(&mut snapshot, &["init", "alice.bsky.social"]);
    let client = ["--client-id", "http://localhost", "--redirect-uri", "http://127.0.0.1/"];
    both(&mut snapshot, &[&["init", "alice"][..], &client].concat());
    both(&mut snapshot, &["complete", "https://app.client.dev/callback"]);
    let url = "https://app.client.dev/callback?code=a&state=b&iss=https%3A%2F%2Fa.client.dev";
    both(&mut snapshot, &["complete", url]);
    both(&mut snapshot, &["complete", url, "--format", "none", "--output", "x"]);
    both(&mut snapshot, &["credentials", "refresh"]);
    both(&mut snapshot, &["credentials", "call", "com.atproto.server.getSession"]);
    snapshot.write("credentials.env", "ATPROTO_OAUTH_REFRESH_TOKEN='open\n");
    both(&mut snapshot, &["credentials", "refresh", "--file", "credentials.env"]);
    snapshot.compare("two_phase");
}

#[test]
fn sessions_of_an_empty_folder() {
    // Rules L-21, L-25
    let mut snapshot = Snapshot::new();
    snapshot.set("ATPROTO_OAUTH_SESSIONS", snapshot.folder().join("sessions"));
    snapshot.write("empty.json", "");
    snapshot.write("list.json", "[]");
    for arguments in [
        &["sessions", "list"][..],
        &["sessions", "show"],
        &["sessions", "refresh", "alice.test"],
        &["sessions", "revoke"],
        &["sessions", "export", "--output", "session.json"],
        &["sessions", "import", "empty.json"],
        &["sessions", "import", "list.json"],
        &["sessions", "import", "none.json"],
        &["logout", "--all"],
        &["whoami"],
        &["call", "com.atproto.server.getSession"],
        &["call", "getSession"],
        &["call", "com.atproto.server.getSession", "--data", "@none.json"],
        &["call", "com.atproto.repo.createRecord", "--data", "{"],
        &["call", "com.atproto.repo.createRecord", "record:={"],
        &["upload-blob", "."],
        &["upload-blob", "list.json"],
    ] {
        both(&mut snapshot, arguments);
    }
    snapshot.run(&["sessions", "export", "--output", "-", "--json"]);
    snapshot.compare("sessions");
}

#[test]
fn mistakes_in_the_arguments() {
    // Rule L-25
    let mut snapshot = Snapshot::new();
    for arguments in [
        &["login", "--scoop", "a"][..],
        &["log"],
        &["keygen"],
        &["login", "alice\u{1b}[2J"],
        &["login", "--timeout", "0"],
        &["login", "alice.test", "--no-browser"],
        &["call", "com.atproto.server.getSession", "--query", "--data", "{}"],
        &["resolve", "https://bsky.app/profile/alice.bsky.social"],
        &["check-server", "bsky.social"],
        &["doctor", "alice"],
        &["init", "alice.bsky.social", "--client-id", "x", "--redirect-uri", "x"],
        &["sandbox", "--port", "0"],
        &["demo"],
    ] {
        match arguments {
            ["demo"] => drop(snapshot.run(&["demo", "--json"])),
            arguments => both(&mut snapshot, arguments),
        }
    }
    // Behind `--`, it is no option.
    snapshot.run(&["scope", "normalize", "--", "--json"]);
    snapshot.compare("usage");
}

#[test]
fn a_configuration_file_that_cannot_be_used() {
    // Rule L-25
    let mut snapshot = Snapshot::new();
    snapshot.set("ATPROTO_OAUTH_CONFIG", snapshot.folder().join("config.toml"));
    both(&mut snapshot, &["whoami"]);
    snapshot.write("config.toml", "session = \"x\"\n");
    both(&mut snapshot, &["whoami"]);
    both(&mut snapshot, &["init", "alice.bsky.social"]);
    both(&mut snapshot, &["login", "--scoop"]);
    // These verbs use no value of the file.
    both(&mut snapshot, &["scope", "normalize", "atproto"]);
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "login"],
        &["login", "--help"],
        &["sessions", "list", "--help"],
        &["man"],
        &["completions", "bash"],
    ] {
        let mut other = Snapshot::new();
        other.set("ATPROTO_OAUTH_CONFIG", snapshot.folder().join("config.toml"));
        let printed = other.run(arguments);
        assert!(printed.contains("atproto-oauth"), "{arguments:?}: {printed}");
    }
    snapshot.compare("configuration");
}
