//! Tests of `keygen` and `generate-metadata` with the built command.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use atproto_dpop::P256Keys;
use atproto_oauth_core::ClientKey;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs the command in `folder`.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atproto-oauth"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// Exit code, standard output and standard error.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn key_in(folder: &Path, file: &str) -> ClientKey {
    ClientKey::parse(&fs::read_to_string(folder.join(file)).unwrap(), &P256Keys).unwrap()
}

/// A folder with the key `key.pem`.
fn folder_with_key() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), &["keygen", "--output", "key.pem"]).status.success());
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_key_is_written_in_each_format() {
    // Rules F-12, L-11
    for (format, begin) in [
        ("pem", "-----BEGIN PRIVATE KEY-----\n"),
        ("sec1", "-----BEGIN EC PRIVATE KEY-----\n"),
        ("jwk", "{\"kid\":"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), &["keygen", "--output", "key", "--format", format]);
        let text = fs::read_to_string(folder.path().join("key")).unwrap();
        assert!(text.starts_with(begin) && text.ends_with('\n'), "{format}");
        let key = key_in(folder.path(), "key");
        assert_eq!(key.kid(), key.jwk().thumbprint());
        let public = key.public_jwk();
        let expected = format!("Wrote: key\nkid: {}\nPublic JWK: {public}\n", key.kid());
        assert_eq!(told(&output), (Some(0), expected, String::new()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = folder.path().join("key").metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn a_key_is_described_as_json() {
    // Rules L-11, L-25
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["keygen", "--output", "key.pem", "--json"]);
    let key = key_in(folder.path(), "key.pem");
    let public: Value = serde_json::from_str(&key.public_jwk()).unwrap();
    assert_eq!((&public["use"], &public["alg"]), (&json!("sig"), &json!("ES256")));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!({"file": "key.pem", "kid": key.kid(), "public_jwk": public}));
}

#[test]
fn a_private_key_is_printed_only_if_the_user_asks_for_it() {
    // Rules L-11, L-26
    let folder = tempfile::tempdir().unwrap();
    let (code, private, public) = told(&run(folder.path(), &["keygen", "--output", "-"]));
    assert_eq!(code, Some(0), "{public}");
    let key = ClientKey::parse(&private, &P256Keys).unwrap();
    let expected = format!("kid: {}\nPublic JWK: {}\n", key.kid(), key.public_jwk());
    assert_eq!(public, expected);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn no_key_is_overwritten() {
    // Rules L-11, L-25
    let folder = folder_with_key();
    let before = fs::read(folder.path().join("key.pem")).unwrap();
    for (arguments, code, message) in [
        (&["--output", "key.pem"][..], 3, "key.pem exists already, and no key is overwritten"),
        (&["--output", "none/key.pem"], 3, "create its folder first"),
        (&["--output", "-", "--json"], 2, "leave out --json"),
        (&["--output", "new.pem", "--format", "der"], 2, "[possible values: pem, sec1, jwk]"),
        (&[], 2, "--output <FILE|->"),
    ] {
        let arguments: Vec<_> = ["keygen"].iter().chain(arguments).copied().collect();
        let (found, printed, told) = told(&run(folder.path(), &arguments));
        assert_eq!((found, printed.as_str()), (Some(code), ""), "{told}");
        assert!(told.contains(message), "{told}");
    }
    assert_eq!(fs::read(folder.path().join("key.pem")).unwrap(), before);
    assert_eq!(names(folder.path()), ["key.pem"]);
}

#[test]
fn the_documents_of_a_client_are_written_and_replaced() {
    // Rule L-10
    let folder = folder_with_key();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    fs::write(
        config.join("client.toml"),
        r#"client_id = "https://app.example.com/oauth-client-metadata.json"
redirect_uri = ["https://app.example.com/cb", "https://app.example.com/link", "https://app.example.com/cb"]
scope = "atproto transition:generic"
client_name = "An app"
client_uri = "https://app.example.com/"
logo_uri = "https://cdn.example.com/logo.png"
tos_uri = "https://app.example.com/terms"
policy_uri = "https://app.example.com/privacy"
contacts = ["ops@example.com"]
private_key_path = "../key.pem"
"#,
    )
    .unwrap();
    let (code, printed, problem) = told(&run(folder.path(), &["generate-metadata"]));
    assert_eq!((code, problem.as_str()), (Some(0), ""));
    let [metadata, jwks] = ["client-metadata.json", "jwks.json"]
        .map(|name| Path::new("public").join(name).display().to_string());
    assert_eq!(printed, format!("Wrote: {metadata}\nWrote: {jwks}\n"));

    let key = key_in(folder.path(), "key.pem");
    let public: Value = serde_json::from_str(&key.public_jwk()).unwrap();
    let [metadata, jwks] =
        [metadata, jwks].map(|file| fs::read_to_string(folder.path().join(file)).unwrap());
    let written: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(
        written,
        json!({
            "client_id": "https://app.example.com/oauth-client-metadata.json",
            "application_type": "web",
            "client_name": "An app",
            "client_uri": "https://app.example.com/",
            "logo_uri": "https://cdn.example.com/logo.png",
            "tos_uri": "https://app.example.com/terms",
            "policy_uri": "https://app.example.com/privacy",
            "contacts": ["ops@example.com"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "redirect_uris": ["https://app.example.com/cb", "https://app.example.com/link"],
            "scope": "atproto transition:generic",
            "dpop_bound_access_tokens": true,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [public]},
        })
    );
    assert_eq!(metadata, format!("{written:#}\n"));
    assert_eq!(jwks, format!("{:#}\n", json!({"keys": [public]})));

    // Another key: both documents are replaced, and no temporary file stays.
    fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(run(folder.path(), &["keygen", "--output", "key.pem"]).status.success());
    assert!(run(folder.path(), &["generate-metadata"]).status.success());
    let other = key_in(folder.path(), "key.pem");
    for name in ["client-metadata.json", "jwks.json"] {
        let text = fs::read_to_string(folder.path().join("public").join(name)).unwrap();
        assert!(text.contains(other.kid()) && !text.contains(key.kid()), "{name}");
    }
    assert_eq!(names(&folder.path().join("public")), ["client-metadata.json", "jwks.json"]);
}

#[test]
fn a_configuration_may_be_json_and_have_further_keys() {
    // Rules F-07, L-10, L-25
    let folder = folder_with_key();
    for (name, format) in [("old.sec1", "sec1"), ("old.jwk", "jwk")] {
        let arguments = ["keygen", "--output", name, "--format", format];
        assert!(run(folder.path(), &arguments).status.success());
    }
    let config = json!({
        "client_id": "https://app.example.com/client.json",
        "redirect_uri": "https://app.example.com/cb",
        "scope": "atproto",
        "client_name": "An app",
        "private_key_path": "key.pem",
        "private_key_paths": ["old.sec1", "old.jwk"],
        "jwks_uri": "https://app.example.com/jwks.json",
    });
    fs::write(folder.path().join("c.json"), config.to_string()).unwrap();
    let arguments = ["generate-metadata", "--config", "c.json", "--output", "a/b", "--json"];
    let (code, printed, told) = told(&run(folder.path(), &arguments));
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let read = |name: &str| {
        let file = Path::new("a/b").join(name);
        let text = fs::read_to_string(folder.path().join(&file)).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        json!({"name": name, "file": file.display().to_string(), "document": document})
    };
    let wrote = [read("client-metadata.json"), read("jwks.json")];
    assert_eq!(printed, json!({ "wrote": wrote }));
    assert_eq!(wrote[0]["document"]["jwks"], Value::Null);
    let kids = ["key.pem", "old.sec1", "old.jwk"].map(|file| key_in(folder.path(), file));
    let kids: Vec<_> = kids.iter().map(ClientKey::kid).collect();
    let published = wrote[1]["document"]["keys"].as_array().unwrap();
    let published: Vec<_> = published.iter().map(|jwk| jwk["kid"].as_str().unwrap()).collect();
    assert_eq!(published, kids);
}

#[test]
fn a_client_without_a_key_publishes_its_metadata_alone() {
    // Rules C-21, L-10
    let folder = tempfile::tempdir().unwrap();
    for (kind, redirect_uri, application_type) in [
        ("public", "https://app.example.com/cb", "web"),
        ("native", "com.example.app:/cb", "native"),
    ] {
        let config = format!(
            "kind = \"{kind}\"\nclient_id = \"https://app.example.com/client.json\"\n\
             redirect_uri = \"{redirect_uri}\"\nscope = \"atproto\"\nclient_name = \"An app\"\n"
        );
        fs::write(folder.path().join("client.toml"), config).unwrap();
        let arguments = ["generate-metadata", "--config", ".", "--output", kind, "--json"];
        let (code, printed, told) = told(&run(folder.path(), &arguments));
        assert_eq!(code, Some(0), "{told}");
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let document = &printed["wrote"][0]["document"];
        assert_eq!(document["application_type"], application_type);
        assert_eq!(document["token_endpoint_auth_method"], "none");
        assert_eq!(names(&folder.path().join(kind)), ["client-metadata.json"]);
    }
}

/// Lines of the configuration that the tests of problems change.
const GOOD: [(&str, &str); 5] = [
    ("client_id", "\"https://app.example.com/client.json\""),
    ("redirect_uri", "\"https://app.example.com/cb\""),
    ("scope", "\"atproto\""),
    ("client_name", "\"An app\""),
    ("private_key_path", "\"key.pem\""),
];

/// Problems of the configuration with these changes; an empty value removes a key.
fn problems(folder: &Path, changes: &[(&str, &str)]) -> String {
    let mut lines: Vec<_> = GOOD.to_vec();
    lines.retain(|(key, _)| changes.iter().all(|(changed, _)| changed != key));
    lines.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let config: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    fs::write(folder.join("client.toml"), config).unwrap();
    let arguments = ["generate-metadata", "--config", "client.toml"];
    let (code, printed, told) = told(&run(folder, &arguments));
    assert_eq!((code, printed.as_str()), (Some(3), ""), "{changes:?}: {told}");
    assert!(!folder.join("public").exists());
    told
}

#[test]
fn each_problem_of_a_configuration_names_its_key_and_the_way_out() {
    // Rules F-14, L-10, M-07
    let folder = folder_with_key();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("empty.pem", "");
    write("rsa.pem", "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n");
    write("binary.pem", "");
    fs::write(folder.path().join("binary.pem"), [0xff, 0xfe]).unwrap();
    let jwk = key_in(folder.path(), "key.pem").with_kid("").to_jwk().unwrap();
    write("nameless.jwk", jwk.expose());
    let long = "\"https://user:secret@app.example.com/c.json\"";
    for (change, line) in [
        (("client_id", ""), "client_id: it is missing; write the https URL at which"),
        (("client_id", "7"), "client_id: it is a number; write it as text in quotes"),
        (("client_id", "\" \""), "client_id: it is empty; write a value, or remove the key"),
        (
            ("client_id", "\"http://app.example.com/c\""),
            "client_id: http://app.example.com/c can't be",
        ),
        (("client_id", long), "client_id: https://…@app.example.com/c.json can't be a client_id"),
        (("redirect_uri", ""), "redirect_uri: it is missing; write the URL to which the browser"),
        (("redirect_uri", "[]"), "redirect_uri: it must be a text in quotes, or a list of them"),
        (("redirect_uri", "[7]"), "redirect_uri: it must be a text in quotes, or a list of them"),
        (("redirect_uri", "true"), "redirect_uri: it is a boolean; write it as text in quotes"),
        (
            ("redirect_uri", "\"x\""),
            "redirect_uri: x can't be a redirect URI of this client: it is",
        ),
        (("redirect_uri", "\"com.example.app:/cb\""), "only a native client may use a private-use"),
        (("scope", ""), "scope: it is missing; write the scopes that the client may request"),
        (("scope", "\"notatproto\""), "scope: `atproto` must be one of the scopes"),
        (("scope", "\"atproto  x\""), "scope: scopes must be separated by single spaces"),
        (("client_name", ""), "client_name: it is missing; write the name that the user sees"),
        (("client_name", "{}"), "client_name: it is a table; write it as text in quotes"),
        (("private_key_path", ""), "private_key_path: it is missing; name the file of the private"),
        (("private_key_path", "\"no.pem\""), "run `atproto-oauth keygen --output no.pem`"),
        (
            ("private_key_path", "\"rsa.pem\""),
            "private_key_path: rsa.pem can't be used: not a P-256",
        ),
        (("private_key_path", "\"empty.pem\""), "private_key_path: empty.pem can't be used: not a"),
        (("private_key_path", "\"binary.pem\""), "private_key_path: binary.pem can't be read"),
        (("private_key_path", "\"nameless.jwk\""), "nameless.jwk has an empty kid; remove it"),
        (("private_key_path", "\"-----BEGIN PRIVATE KEY-----\""), "private_key_path: it is a key;"),
        (("private_key_paths", "[\"key.pem\"]"), "private_key_paths: key.pem and key.pem have the"),
        (
            ("client_uri", "\"https://b.example.com/\""),
            "client_uri: the `client_uri` https://b.exa",
        ),
        (
            ("logo_uri", "\"http://app.example.com/l\""),
            "logo_uri: the `logo_uri` http://app.exampl",
        ),
        (
            ("tos_uri", "\"terms\""),
            "tos_uri: it is not a URL (relative URL without a base); correct",
        ),
        (("policy_uri", "\"https://10.0.0.1/\""), "policy_uri: the `policy_uri` https://10.0.0.1/"),
        (("contacts", "\"ops\""), "contacts: `contacts[0]` can't be published in the client"),
        (
            ("jwks_uri", "\"http://app.example.com/j\""),
            "jwks_uri: the `jwks_uri` http://app.exampl",
        ),
        (("kind", "\"desktop\""), "kind: write confidential (the default), public or native"),
        (
            ("kind", "\"public\""),
            "private_key_path: a client of the kind public has no key; remove",
        ),
        (("redirect_uris", "\"x\""), "redirect_uris: there is no such key; write redirect_uri"),
        (
            ("grant_types", "\"x\""),
            "grant_types: there is no such key; remove it (the keys are kind,",
        ),
    ] {
        let told = problems(folder.path(), &[change]);
        let (first, rest) = told.split_once('\n').unwrap();
        assert_eq!(first, "error: the configuration client.toml has a problem:", "{told}");
        let key = if change == ("kind", "\"public\"") { "private_key_path" } else { change.0 };
        assert!(rest.starts_with(&format!("  {key}: ")) && rest.contains(line), "{told}");
        assert_eq!(rest.lines().count(), 2, "{told}");
        assert!(rest.contains("\nhelp: correct the file"), "{told}");
        assert!(!rest.contains("Client::") && !rest.contains("secret"), "{told}");
    }
}

#[test]
fn all_problems_of_a_configuration_are_reported_at_once() {
    // Rules L-10, M-05
    let folder = folder_with_key();
    let told = problems(
        folder.path(),
        &[
            ("client_id", "\"https://localhost/client.json\""),
            ("redirect_uri", "[\"http://app.example.com/cb\", \"https://app.example.com/cb#x\"]"),
            ("scope", ""),
            ("client_name", ""),
            ("private_key_path", "\"none.pem\""),
            ("private_key_paths", "[\"key.pem\", \"nor.pem\"]"),
            ("logo_uri", "\"logo.png\""),
            ("cliet_name", "\"An app\""),
        ],
    );
    assert_eq!(
        told,
        "error: the configuration client.toml has 9 problems:
  client_id: https://localhost/client.json can't be a client_id: its host is a local or reserved name, which no authorization server can reach: use a public name, or a loopback client (which has no metadata) for development
  redirect_uri: http://app.example.com/cb can't be a redirect URI of this client: in a web client it must be an https URL; for development, use a loopback client (which has no metadata)
  redirect_uri: https://app.example.com/cb#x can't be a redirect URI of this client: it must not have a fragment
  scope: it is missing; write the scopes that the client may request, such as \"atproto transition:generic\"
  client_name: it is missing; write the name that the user sees when they log in
  logo_uri: it is not a URL (relative URL without a base); correct it
  private_key_path: there is no file none.pem; correct the path, or run `atproto-oauth keygen --output none.pem`
  private_key_paths: there is no file nor.pem; correct the path, or run `atproto-oauth keygen --output nor.pem`
  cliet_name: there is no such key; write client_name
help: correct the file, and run the command again; --help has all keys
"
    );
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    // Rules L-10, L-25
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refused = |config: &str, message: &str| {
        let (code, printed, told) = told(&run(path, &["generate-metadata", "--config", config]));
        assert_eq!((code, printed.as_str()), (Some(3), ""), "{told}");
        assert!(told.contains(message) && told.lines().count() == 2, "{told}");
        assert!(!told.contains("secret"), "{told}");
    };
    refused("none.toml", "can't access the configuration none.toml: ");
    refused(".", "the folder . has no client.toml or client.json\nhelp: write one");
    fs::write(path.join("client.toml"), "a = 1\nkey = \"secret\nb = 2").unwrap();
    refused(".", "the configuration ./client.toml: line 2 is not TOML: ");
    fs::write(path.join("client.json"), "{\"a\": 1,\n\"key\": \"secret").unwrap();
    refused(
        ".",
        "the folder . has client.toml and client.json\nhelp: name one of them with --config",
    );
    refused("client.json", "the configuration client.json: line 2 is not JSON: ");
    fs::write(path.join("client.json"), "[\"secret\"]").unwrap();
    refused("client.json", "the configuration client.json: it must be a JSON object, not a list");
    fs::write(path.join("client.yaml"), "").unwrap();
    refused("client.yaml", "the configuration client.yaml: its name must end in .toml or .json");
}

#[test]
fn documents_that_cannot_be_written_leave_the_older_ones() {
    // Rules L-10, L-25
    let folder = folder_with_key();
    let path = folder.path();
    let config: String = GOOD.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    fs::write(path.join("client.toml"), config).unwrap();
    fs::write(path.join("file"), "").unwrap();
    let generate = |output: &str| {
        told(&run(path, &["generate-metadata", "--config", "client.toml", "--output", output]))
    };
    let (code, printed, told) = generate("file");
    assert_eq!((code, printed.as_str()), (Some(3), ""), "{told}");
    assert!(told.contains("can't access the document file/client-metadata.json: "), "{told}");

    fs::create_dir_all(path.join("public/client-metadata.json")).unwrap();
    fs::write(path.join("public/jwks.json"), "older").unwrap();
    let (code, _, told) = generate("public");
    assert_eq!(code, Some(3), "{told}");
    assert_eq!(names(&path.join("public")), ["client-metadata.json", "jwks.json"]);
    assert_eq!(fs::read_to_string(path.join("public/jwks.json")).unwrap(), "older");
}
