//! Tests: stores that an earlier version wrote are read by this one. `tests/golden` has a file store and a
//! SQLite database with the same records, sealed: sessions in each state, and a login.
//!
//! `cargo test -p atproto-oauth-tests --test it golden -- --ignored` writes new ones, for a new version of
//! the format; those of earlier versions stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atproto_oauth_core::{
    Binding, CallbackParams, CallbackProblem, Client, Error, Renew, Scopes, Session, SessionError,
    SessionKey, StoredSession,
};
use atproto_oauth_store::{
    Expect, FileStore, Sealed, SealingKey, SealingKeys, SecretBytes, SqliteStore, Store,
};
use atproto_oauth_ureq::OAuthClient;
use serde_json::{Value, json};

use crate::sessions::{ALICE, Managed};

/// The key of the golden stores: it protects nothing.
const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE";

/// Members that a record has in the states of its life.
const STATES: [(&str, &str); 5] = [
    ("at rest", "{}"),
    ("being renewed", r#"{"lease":{"id":"run","until":1767229200,"took_over":true}}"#),
    ("failed", r#"{"not_before":1767229200,"ambiguous_since":1767229100}"#),
    ("needs a login", r#"{"needs_reauth":"account_migrated","restored":true}"#),
    ("logged out", r#"{"closed":true}"#),
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/1")
}

fn sealed<S: Store>(store: S) -> Sealed<S> {
    Sealed::new(store, SealingKeys::new(SealingKey::from_text(KEY).unwrap()))
}

/// Records of a login in the sandbox, in each state, with a name for each: session ids are part of the key.
fn records() -> Vec<(String, SecretBytes)> {
    let mut managed = Managed::new();
    let mut records = Vec::new();
    for (_, state) in STATES {
        let key = format!("session/{}", managed.log_in(ALICE));
        let record = managed.sandbox.records()[&key].clone();
        let mut value: Value = serde_json::from_slice(&record.value.0).unwrap();
        let state: Value = serde_json::from_str(state).unwrap();
        value.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        records.push((key, SecretBytes(value.to_string().into())));
    }
    managed.begin(ALICE);
    let all = managed.sandbox.records();
    let logins = all.iter().filter(|(key, _)| key.starts_with("state/"));
    records.extend(logins.map(|(key, record)| (key.clone(), record.value.clone())));
    records
}

#[test]
#[ignore = "writes the golden stores of this version"]
fn write_the_golden_stores() {
    let golden = golden();
    fs::create_dir_all(&golden).unwrap();
    let stores: [Box<dyn Store>; 2] = [
        Box::new(sealed(FileStore::open(golden.join("files")).unwrap())),
        Box::new(sealed(SqliteStore::open(golden.join("sessions.db")).unwrap())),
    ];
    let records = records();
    for store in stores {
        for (key, value) in &records {
            store.save(key, value, Expect::Absent, None).unwrap();
        }
    }
    let mut expected = serde_json::Map::new();
    for ((name, _), (key, value)) in STATES.iter().zip(&records) {
        let value: Value = serde_json::from_slice(&value.0).unwrap();
        expected.insert((*name).to_owned(), json!({"key": key, "session": value["session"]}));
    }
    expected.insert("login".to_owned(), json!({"key": records.last().unwrap().0}));
    fs::write(golden.join("expected.json"), format!("{:#}\n", Value::from(expected))).unwrap();
}

/// Copies a folder for its owner only, as a store demands.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    #[cfg(unix)]
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
}

/// Checks all records through the interface of managed sessions.
fn check(store: impl Store + 'static, expected: &Value) {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let client = Client::loopback(scopes).redirect_path("/callback").build().unwrap();
    let app = OAuthClient::builder(client).store(store).build().unwrap();
    let text = |state: &str, member: &str| expected[state][member].as_str().unwrap().to_owned();
    let key = |state: &str| -> SessionKey {
        text(state, "key").strip_prefix("session/").unwrap().parse().unwrap()
    };
    let list = app.list(key("at rest").did()).unwrap();
    let find = |state: &str| list.iter().find(|stored| stored.key == key(state)).cloned();
    for state in ["at rest", "being renewed", "failed", "needs a login"] {
        let StoredSession { session, needs_reauth, .. } = find(state).unwrap();
        let session: Arc<Session> = session.unwrap();
        let stored: Value = serde_json::from_str(session.to_json().unwrap().expose()).unwrap();
        assert_eq!(stored, expected[state]["session"], "{state}");
        assert_eq!(needs_reauth.is_some(), state == "needs a login");
        let restored = app.restore_with(&key(state), Renew::Never).unwrap();
        assert_eq!(restored.at_hand().access_token().expose(), session.access_token().expose());
    }
    assert!(find("logged out").is_none());
    let closed = app.restore(&key("logged out")).unwrap_err();
    assert_eq!(closed.error, Error::from(SessionError::LoggedOut));

    // The login is found: a callback of another browser is refused.
    let state = text("login", "key").strip_prefix("state/").unwrap().to_owned();
    let back =
        format!("http://127.0.0.1/callback?state={state}&code=x&iss=https://pds.example.com");
    let other = app.callback(CallbackParams::parse(&back).unwrap(), Binding::cookie("x"));
    let other = other.unwrap_err().error;
    assert_eq!(other, Error::from(CallbackProblem::OtherBrowser), "{other}");
}

#[test]
fn stores_of_each_version_are_read() {
    // Rule K-04
    let versions = golden().parent().unwrap().read_dir().unwrap();
    for version in versions.map(|version| version.unwrap().path()) {
        let copied = tempfile::tempdir().unwrap();
        copy(&version, copied.path());
        let expected = fs::read_to_string(version.join("expected.json")).unwrap();
        let expected = serde_json::from_str(&expected).unwrap();
        check(sealed(FileStore::open(copied.path().join("files")).unwrap()), &expected);
        check(sealed(SqliteStore::open(copied.path().join("sessions.db")).unwrap()), &expected);
    }
}
