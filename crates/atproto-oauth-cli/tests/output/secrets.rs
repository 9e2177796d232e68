//! The secrets of a test, and the search for them in outputs.

use std::collections::BTreeSet;
use std::path::Path;

use atproto_oauth_sandbox::Exchange;
use url::{Url, form_urlencoded};

/// Secrets of a test with their names. A name is that of a parameter or member; `pem` is a line of a private
/// key.
#[derive(Debug, Default)]
pub(crate) struct Secrets(BTreeSet<(&'static str, String)>);

/// Members of JSON, and fields of a form or URL, whose values are secrets.
const NAMES: [&str; 8] = [
    "access_token",
    "refresh_token",
    "token",
    "code",
    "code_verifier",
    "state",
    "client_assertion",
    "d",
];

/// Fewest bytes of a secret: the tests use some short texts in its place.
const LEAST: usize = 20;

impl Secrets {
    fn add(&mut self, name: &'static str, value: &str) {
        if value.len() >= LEAST {
            // A revocation has a token of either kind.
            let is_known = name == "token" && self.0.iter().any(|(_, known)| known == value);
            if !is_known {
                self.0.insert((name, value.to_owned()));
            }
        }
    }

    /// Adds the secret members of JSON, also of JSON within a text.
    pub(crate) fn of_text(&mut self, text: &str) {
        let text = text.replace('\\', "");
        for name in NAMES {
            for part in text.split(&format!("\"{name}\":")).skip(1) {
                let value = part.trim_start().strip_prefix('"').unwrap_or_default();
                self.add(name, value.split('"').next().unwrap_or_default());
            }
        }
        for name in ["ATPROTO_OAUTH_REFRESH_TOKEN='", "ATPROTO_OAUTH_REFRESH_TOKEN\": \""] {
            for part in text.split(name).skip(1) {
                self.add("refresh_token", part.split(['\'', '"']).next().unwrap_or_default());
            }
        }
        for pem in text.split("PRIVATE KEY-----\n").skip(1).step_by(2) {
            pem.lines().filter(|line| !line.contains("---")).for_each(|line| self.add("pem", line));
        }
    }

    /// Adds the secrets of a file of the command.
    pub(crate) fn of_file(&mut self, path: &Path, text: &str) {
        self.of_text(text);
        if path.extension().is_some_and(|extension| extension == "key") {
            self.add("the key of the sessions", text.trim());
        }
    }

    /// Adds the secrets of a callback URL.
    pub(crate) fn of_url(&mut self, url: &str) {
        let url: Url = url.parse().unwrap();
        self.of_form(url.query().unwrap_or_default());
    }

    fn of_form(&mut self, form: &str) {
        for (field, value) in form_urlencoded::parse(form.as_bytes()) {
            if let Some(name) = NAMES.into_iter().find(|name| *name == field) {
                self.add(name, &value);
            }
        }
    }

    /// Adds the secrets of a request and its response.
    pub(crate) fn of_exchange(&mut self, exchange: &Exchange) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.of_text(&text(&exchange.answer_body));
        self.of_form(&text(&exchange.body));
        let header = |name: &str| exchange.headers.get(name).and_then(|value| value.to_str().ok());
        self.add("proof", header("dpop").unwrap_or_default());
        let credentials = header("authorization").and_then(|value| value.split_once(' '));
        self.add("token", credentials.map_or("", |(_, token)| token));
    }

    /// The names of the secrets that a text has.
    pub(crate) fn found_in(&self, text: &str) -> Vec<&'static str> {
        let found = self.0.iter().filter(|(_, secret)| text.contains(secret.as_str()));
        found.map(|(name, _)| *name).collect()
    }

    /// The names of all secrets.
    pub(crate) fn names(&self) -> BTreeSet<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    /// Replaces secrets by their names.
    pub(crate) fn masked(&self, text: &str) -> String {
        let secrets = self.0.iter();
        secrets.fold(text.to_owned(), |text, (name, secret)| {
            text.replace(secret, &name.to_ascii_uppercase())
        })
    }
}

/// Part of a text that looks like a secret, although it is not known: a JWS, a private key, or a token or
/// code of the sandbox.
pub(crate) fn look_of_a_secret(text: &str) -> Option<&str> {
    let is_of_word = |char: char| char.is_ascii_alphanumeric() || "_-.".contains(char);
    let mut words = text.split(|char| !is_of_word(char)).map(|word| word.trim_end_matches('.'));
    let is_jws = |word: &str| {
        let parts: Vec<_> = word.split('.').collect();
        word.starts_with("eyJ") && parts.len() == 3 && parts.iter().all(|part| part.len() > 8)
    };
    let is_token = |word: &str| {
        let is_named = ["acc-", "ref-", "cod-"].iter().any(|prefix| word.starts_with(prefix));
        is_named && word.len() == 47
    };
    let is_key = |text: &str| {
        let mut words = text.split(|char| !is_of_word(char)).filter(|word| !word.is_empty());
        words.next().is_some_and(|word| word.len() == 43)
    };
    let members = ["\"d\":", "\"d\\\":"].into_iter();
    let member =
        members.filter(|key| text.split(key).skip(1).any(is_key)).map(|_| "a private key").next();
    let word = words.find(|word| is_jws(word) || is_token(word));
    word.or(member).or_else(|| text.contains("PRIVATE KEY-----").then_some("a PEM"))
}

#[test]
fn texts_that_look_like_secrets_are_found() {
    // Rule L-26
    let (part, key) = ("a".repeat(20), "k".repeat(43));
    for text in [
        format!("proof=eyJ{part}.{part}.{part}, "),
        format!("token ref-{key}."),
        format!("{{\"x\":1,\"d\":\"{key}\"}}"),
        format!("{{\"d\": \"{key}\"}}"),
        format!("\"{{\\\"d\\\":\\\"{key}\\\"}}\""),
        "-----BEGIN EC PRIVATE KEY-----".to_owned(),
    ] {
        assert!(look_of_a_secret(&text).is_some(), "{text}");
    }
    assert_eq!(look_of_a_secret("https://pds.example.com eyJ, ref-1, \"d\":\"D\""), None);
}

#[test]
fn no_snapshot_has_a_text_like_a_secret() {
    // Rule L-26
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(look_of_a_secret(&text), None, "{}", path.display());
        count += 1;
    }
    assert!(count > 20, "{count}");
}
