//! Sessions of the PHP library `atproto-php`, with which the command goes on.
//!
//! They are stored byte for byte as the library stores them: a file for each account, named by the hash of the
//! DID, or rows of a table. With a passphrase, both tokens and the key are encrypted. The library has
//! confidential clients only, whose key is a PEM.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use atproto_dpop::{P256Keys, PrivateKey};
use atproto_oauth_core::{Client, ClientKey, Scopes, Session};
use atproto_sansio::{Entropy, SystemEntropy};
use base64ct::{Base64, Encoding};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use crate::flows::command::Command;
use crate::flows::stage::WEB_CALLBACK;
use crate::flows::two_phase::WHO;
use crate::flows::{Account, Adapter};

const CLIENT_ID: &str = "https://app.client.dev/php.json";
const PASSPHRASE: &str = "correct horse battery staple";

pub fn files_of_the_php_library_are_imported(command: &Command<'_>) {
    let site = Site::new(command);
    let options = ["--passphrase", site.passphrase.to_str().unwrap()];
    // The third file is older than the passphrase of the site. A program may keep a file as a text in JSON.
    for (name, is_sealed, is_text) in [
        ("alice", true, false),
        ("rita", true, false),
        ("alice", false, false),
        ("rita", true, true),
    ] {
        let account = command.stage.account(name);
        let file = site.save_file(&site.log_in(&account, name, is_sealed), is_sealed);
        if is_text {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, json!({ &account.did: text }).to_string()).unwrap();
        }
        let sessions = site.folder.path().join(format!("{name} {is_sealed} {is_text}"));
        site.import(&sessions, &file, &options, &[&account]);
        site.go_on(&sessions, &account);
    }
}

pub fn rows_of_the_php_library_are_imported(command: &Command<'_>) {
    let site = Site::new(command);
    let accounts = ["alice", "carol", "rita"].map(|name| (name, command.stage.account(name)));
    let rows = accounts.each_ref().map(|(name, account)| site.log_in(account, name, true));
    let file = site.export(&site.save_rows(&rows));
    let sessions = site.folder.path().join("sessions");
    let options = ["--passphrase", site.passphrase.to_str().unwrap()];
    let accounts = accounts.each_ref().map(|(_, account)| account);
    site.import(&sessions, &file, &options, &accounts);
    for account in accounts {
        site.go_on(&sessions, account);
    }
}

/// An import without the passphrase, the key or the right one of them spends no refresh token, so that the
/// next import succeeds.
pub fn a_mistake_at_an_import_logs_no_php_user_out(command: &Command<'_>) {
    let site = Site::new(command);
    let alice = command.stage.account("alice");
    let row = site.log_in(&alice, "alice", true);
    let file = site.export(&site.save_rows(std::slice::from_ref(&row)));
    let sessions = site.folder.path().join("sessions");
    let path = |name: &str| site.folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("other passphrase"), "incorrect horse").unwrap();
    let other = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
    fs::write(path("other.pem"), other.to_pkcs8_pem().unwrap().expose()).unwrap();
    let import = |options: &[&str]| {
        let arguments = ["sessions", "import", file.to_str().unwrap(), "--client-id", CLIENT_ID];
        command.stage.clear_log();
        let told = command.run(&sessions, &[&arguments, options].concat());
        let log = command.stage.log(&alice.issuer);
        let sent: Vec<_> = log.into_iter().filter(|seen| seen.path == "/oauth/token").collect();
        (told, sent)
    };
    // Too many sessions at once.
    let large = path("large");
    fs::File::create(&large).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    let (code, told) = command.run(&sessions, &["sessions", "import", &large]);
    assert!(code == Some(2) && told.contains("import fewer sessions at a time"), "{code:?} {told}");
    let (key, passphrase) = (site.key_file.to_str().unwrap(), site.passphrase.to_str().unwrap());
    for (options, hint) in [
        (&["--client-key", key][..], "name its passphrase with --passphrase"),
        (&["--client-key", key, "--passphrase", &path("other passphrase")], "is another one"),
    ] {
        let ((code, told), sent) = import(options);
        assert!(code == Some(3) && told.contains(hint) && sent.is_empty(), "{told} {sent:?}");
        let ((_, told), _) = import(&[options, &["--json"]].concat());
        assert!(told.contains(&format!(r#""did": "{}""#, alice.did)), "{told}");
    }
    for options in [
        &["--passphrase", passphrase][..],
        &["--passphrase", passphrase, "--client-key", &path("other.pem")],
    ] {
        let ((code, told), sent) = import(options);
        assert!(code != Some(0) && told.contains("was not spent"), "{code:?} {told}");
        assert!(sent.iter().all(|seen| seen.status != Some(200)), "{sent:?}");
    }
    let options = ["--passphrase", passphrase];
    site.import(&sessions, &file, &options, &[&alice]);
    site.go_on(&sessions, &alice);
}

/// A web site that runs on the PHP library: its confidential client, and its files.
struct Site<'a> {
    command: &'a Command<'a>,
    client: Box<dyn Adapter + 'a>,
    folder: TempDir,
    kid: String,
    key_file: PathBuf,
    passphrase: PathBuf,
}

/// The members of a stored session, in the order of the library.
type Members = Vec<(&'static str, Value)>;

impl<'a> Site<'a> {
    fn new(command: &'a Command<'a>) -> Self {
        let key = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
        let (kid, pem) = (key.kid().to_owned(), key.to_pkcs8_pem().unwrap());
        let client = Client::web(CLIENT_ID, Scopes::parse("atproto transition:generic").unwrap());
        let client = client.redirect_uri(WEB_CALLBACK).key(key);
        let client = command.stage.configure(client).build().unwrap();
        command.stage.publish(&client);
        let folder = tempfile::tempdir().unwrap();
        let [key_file, passphrase] =
            ["client-key.pem", "passphrase"].map(|name| folder.path().join(name));
        fs::write(&key_file, pem.expose()).unwrap();
        fs::write(&passphrase, format!("{PASSPHRASE}\n")).unwrap();
        Self { command, client: command.stage.run(client), folder, kid, key_file, passphrase }
    }

    fn log_in(&self, account: &Account, name: &str, is_sealed: bool) -> Members {
        let session = self.command.stage.log_in(&*self.client, name);
        let mut members = members(account, &session);
        for (name, value) in members.iter_mut().filter(|_| is_sealed) {
            if matches!(*name, "access_token" | "refresh_token" | "dpop_private_key_pem") {
                *value = sealed(value.as_str().unwrap()).into();
            }
        }
        members
    }

    /// Writes a file of the library.
    fn save_file(&self, session: &Members, is_sealed: bool) -> PathBuf {
        let mut members = session.clone();
        members.extend(is_sealed.then(|| ("encrypted", true.into())));
        // PHP escapes each slash.
        let line = |(name, value): &(&str, Value)| {
            format!("    \"{name}\": {}", value.to_string().replace('/', r"\/"))
        };
        let lines: Vec<_> = members.iter().map(line).collect();
        let hash: [u8; 32] = Sha256::digest(value_of(session, "did")).into();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.path().join(format!("{hash}.json"));
        fs::write(&path, format!("{{\n{}\n}}", lines.join(",\n"))).unwrap();
        path
    }

    /// Writes a database of the library.
    fn save_rows(&self, rows: &[Members]) -> PathBuf {
        let path = self.folder.path().join("app.db");
        let database = Connection::open(&path).unwrap();
        database.execute_batch(TABLE).unwrap();
        for row in rows {
            let names: Vec<_> = row.iter().map(|(name, _)| *name).collect();
            let places = vec!["?"; row.len()].join(", ");
            let insert =
                format!("INSERT INTO atproto_sessions ({}) VALUES ({places})", names.join(", "));
            // `expires_at` becomes an integer by the type of its column.
            let values = row.iter().map(|(_, value)| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            database.execute(&insert, params_from_iter(values)).unwrap();
        }
        path
    }

    /// Writes the rows of a database as a list of JSON objects, as `sqlite3 -json` does.
    fn export(&self, database: &Path) -> PathBuf {
        let database = Connection::open(database).unwrap();
        let mut select = database.prepare("SELECT * FROM atproto_sessions").unwrap();
        let names: Vec<String> = select.column_names().map(str::to_owned).collect();
        let rows = select.query_map([], |row| {
            let value = |at| match row.get_ref(at).unwrap() {
                ValueRef::Integer(number) => Value::from(number),
                ValueRef::Text(text) => Value::from(str::from_utf8(text).unwrap()),
                other => panic!("{other:?}"),
            };
            let columns = names.iter().enumerate();
            Ok(columns.map(|(at, name)| (name.clone(), value(at))).collect::<Map<_, _>>())
        });
        let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
        let path = self.folder.path().join("sessions.json");
        fs::write(&path, json!(rows).to_string()).unwrap();
        path
    }

    /// Imports the sessions of `accounts`, each with one token request of the client's key.
    fn import(&self, sessions: &Path, file: &Path, options: &[&str], accounts: &[&Account]) {
        let import = ["sessions", "import", file.to_str().unwrap(), "--client-id", CLIENT_ID];
        self.command.stage.clear_log();
        let (code, told) = self.run(sessions, &[&import, options].concat());
        let mut stored = accounts.iter().map(|account| &account.did);
        let is_stored = |did: &String| told.contains(&format!("The session of {did} is stored.\n"));
        assert!(code == Some(0) && stored.all(is_stored), "{code:?} {told}");
        let issuers: BTreeSet<_> = accounts.iter().map(|account| &account.issuer).collect();
        let answered = issuers.iter().map(|issuer| self.answered(issuer, "/oauth/token"));
        assert_eq!(answered.sum::<usize>(), accounts.len());
    }

    /// Uses, refreshes and revokes the imported session of `account`.
    fn go_on(&self, sessions: &Path, account: &Account) {
        let is_theirs = || {
            let (code, told) = self.run(sessions, &["call", WHO, "--account", &account.did]);
            let answer: Value = serde_json::from_str(&told).unwrap_or_default();
            assert!(code == Some(0) && answer["did"] == account.did.as_str(), "{told}");
        };
        is_theirs();
        let show = ["sessions", "show", &account.did, "--json"];
        let (_, shown) = self.command.run_offline(sessions, &show);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["kid"], &shown["client_id"]), (&json!(self.kid), &json!(CLIENT_ID)));

        self.command.stage.clear_log();
        let (code, told) = self.run(sessions, &["sessions", "refresh", &account.did]);
        assert!(code == Some(0) && told.contains("valid for"), "{told}");
        assert_eq!(self.answered(&account.issuer, "/oauth/token"), 1);
        is_theirs();

        let (code, told) = self.run(sessions, &["sessions", "revoke", &account.did]);
        assert!(code == Some(0) && told.starts_with("Logged out of "), "{told}");
        assert!(self.answered(&account.issuer, "/oauth/revoke") > 0);
    }

    fn run(&self, sessions: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let key = ["--client-key", self.key_file.to_str().unwrap()];
        self.command.run(sessions, &[arguments, &key].concat())
    }

    /// The number of requests with this path that a server has answered with success. Each request carries an
    /// assertion of the client's key.
    fn answered(&self, server: &str, path: &str) -> usize {
        let log = self.command.stage.log(server);
        let requests: Vec<_> = log.iter().filter(|seen| seen.path == path).collect();
        for request in &requests {
            let assertion = request.assertion.as_ref().unwrap();
            assert_eq!(assertion.header["kid"], self.kid.as_str());
            assert_eq!(request.field("client_id"), Some(CLIENT_ID));
        }
        requests.iter().filter(|seen| seen.status == Some(200)).count()
    }
}

/// The columns of the library's table in SQLite.
const TABLE: &str = "
    CREATE TABLE atproto_sessions (
        did TEXT NOT NULL PRIMARY KEY, handle TEXT NOT NULL,
        pds_url TEXT NOT NULL, auth_server_issuer TEXT NOT NULL, token_endpoint TEXT NOT NULL,
        access_token TEXT NOT NULL, refresh_token TEXT NOT NULL, dpop_private_key_pem TEXT NOT NULL,
        expires_at INTEGER NOT NULL, scope TEXT NOT NULL,
        created_at TEXT DEFAULT (datetime('now')), updated_at TEXT DEFAULT (datetime('now'))
    )";

fn members(account: &Account, session: &Session) -> Members {
    let key = session.dpop_key().to_jwk().unwrap();
    let key = PrivateKey::parse(key.expose()).unwrap().to_pkcs8_pem().unwrap();
    vec![
        ("did", json!(account.did)),
        ("handle", json!(account.handle)),
        ("pds_url", json!(account.pds)),
        ("auth_server_issuer", json!(account.issuer)),
        ("token_endpoint", json!(format!("{}/oauth/token", account.issuer))),
        ("access_token", json!(session.access_token().expose())),
        ("refresh_token", json!(session.refresh_token().unwrap().expose())),
        ("dpop_private_key_pem", json!(key.expose())),
        ("expires_at", json!(session.expires_at().unwrap().as_secs())),
        ("scope", json!(session.scopes())),
    ]
}

fn value_of<'a>(members: &'a Members, name: &str) -> &'a str {
    members.iter().find(|(found, _)| *found == name).unwrap().1.as_str().unwrap()
}

/// Encrypts like libsodium: a NaCl secretbox, whose key is the hash of the passphrase, after its nonce.
fn sealed(text: &str) -> String {
    let mut nonce = [0; 24];
    SystemEntropy.fill(&mut nonce);
    let cipher = XSalsa20Poly1305::new_from_slice(&Blake2b::<U32>::digest(PASSPHRASE)).unwrap();
    let sealed = cipher.encrypt((&nonce).into(), text.as_bytes()).unwrap();
    Base64::encode_string(&[&nonce[..], &sealed].concat())
}
