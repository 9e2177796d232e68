//! Sessions that other client libraries have stored, as [`Credentials`]: so that a program that changes its
//! library logs nobody out.
//!
//! | Library | Members that name its form |
//! |---|---|
//! | `@atproto/oauth-client-node` and `-browser` (TypeScript) | `dpopJwk`, `tokenSet` |
//! | `atrium-oauth` (Rust) | `dpop_key`, `token_set` |
//! | `jacquard-oauth` (Rust) | `account_did`, `host_url`, `dpop_data`, `token_set` |
//! | `atproto-php` | `pds_url`, `dpop_private_key_pem` |
//!
//! A session is bound to its DPoP key. On Node, the TypeScript client makes keys of secp256k1 (`ES256K`) if the
//! authorization server supports them. The feature `es256k` reads these sessions. Without it, they are refused
//! with [`DpopError::Es256kDisabled`].

use std::fmt;

use atproto_dpop::{DpopError, DpopKey, PrivateKey};
use atproto_identity::Did;
use atproto_sansio::{Keys, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::origin::Origin;
use crate::session::adopt::Credentials;

/// A client library whose stored sessions can be read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Library {
    /// The reference clients in TypeScript.
    TypeScript,
    /// `atrium-oauth`.
    Atrium,
    /// `jacquard-oauth`.
    Jacquard,
    /// `atproto-php`.
    Php,
}

/// The reason why stored sessions can't be read. It has no part of the text, which is secret.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ForeignError {
    /// The text is not JSON.
    #[error("the stored sessions are not JSON")]
    Json,
    /// No session in a known form is in the JSON.
    #[error(
        "the JSON has no session in a form that is known: that of the TypeScript clients, of \
         atrium-oauth, of jacquard-oauth or of atproto-php"
    )]
    Unknown,
    /// A session is encrypted. Decrypt its members first.
    #[error(
        "the session is encrypted: decrypt `access_token`, `refresh_token` and `dpop_private_key_pem`"
    )]
    Encrypted,
    /// A member is missing, or has another form.
    #[error("the session of {} from {library} has no usable `{member}`", named(.did.as_ref()))]
    Member {
        /// The account, if it could be read.
        did: Option<Did>,
        /// The library that has stored the session.
        library: Library,
        /// The member.
        member: &'static str,
    },
    /// The private key can't be imported.
    #[error("the DPoP key of the session of {did} from {library} can't be used: {error}")]
    Key {
        /// The account.
        did: Did,
        /// The library that has stored the session.
        library: Library,
        /// The reason.
        error: DpopError,
    },
}

impl Credentials {
    /// Reads the sessions that another client library has stored as JSON: one session, or a list or map of
    /// sessions, as JSON or as texts of JSON. Entries in an unknown form, such as pending logins, are left
    /// out. `keys` is the crypto backend that holds the DPoP keys.
    ///
    /// [`Client::adopt`](crate::Client::adopt) makes a session of each. It spends the refresh token, so the
    /// other library must not use it any more.
    ///
    /// # Errors
    ///
    /// A [`ForeignError`] if the text is not JSON or has no session. A session that lacks a member, or whose
    /// key can't be used, is an error in its place, so that the others are read all the same.
    pub fn from_foreign(
        json: &str,
        keys: &dyn Keys,
    ) -> Result<Vec<Result<Self, ForeignError>>, ForeignError> {
        let value: Value = serde_json::from_str(json).map_err(|_| ForeignError::Json)?;
        let mut found = Vec::new();
        collect(&value, keys, DEPTH, &mut found);
        if found.is_empty() { Err(ForeignError::Unknown) } else { Ok(found) }
    }
}

/// Levels of lists and maps around a session.
const DEPTH: u8 = 8;

fn collect(
    value: &Value,
    keys: &dyn Keys,
    depth: u8,
    found: &mut Vec<Result<Credentials, ForeignError>>,
) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner) if inner.is_object() || inner.is_array() => {
                collect(&inner, keys, depth, found);
            }
            _ => {}
        },
        Value::Array(values) => values.iter().for_each(|value| collect(value, keys, depth, found)),
        Value::Object(object) => match library_of(object) {
            Some(library) => found.push(read(object, library, keys)),
            None => object.values().for_each(|value| collect(value, keys, depth, found)),
        },
        _ => {}
    }
}

fn library_of(object: &Map<String, Value>) -> Option<Library> {
    let has = |names: &[&str]| names.iter().all(|name| object.contains_key(*name));
    if has(&["dpopJwk", "tokenSet"]) {
        Some(Library::TypeScript)
    } else if has(&["account_did", "dpop_data", "token_set"]) {
        Some(Library::Jacquard)
    } else if has(&["dpop_key", "token_set"]) {
        Some(Library::Atrium)
    } else if has(&["pds_url", "dpop_private_key_pem"]) {
        Some(Library::Php)
    } else {
        None
    }
}

fn read(
    object: &Map<String, Value>,
    library: Library,
    keys: &dyn Keys,
) -> Result<Credentials, ForeignError> {
    if is_encrypted(object) {
        return Err(ForeignError::Encrypted);
    }
    let paths = library.paths();
    let text = |path: &'static [&'static str]| {
        let found = path.iter().try_fold(None, |inner: Option<&Value>, name| {
            Some(Some(inner.map_or_else(|| object.get(*name), |value| value.get(*name))?))
        });
        found.flatten()
    };
    let string = |path| text(path).and_then(Value::as_str);
    let missing = |did: Option<&Did>, path: &'static [&'static str]| ForeignError::Member {
        did: did.cloned(),
        library,
        member: path.last().copied().unwrap_or_default(),
    };
    let did = string(paths.did).and_then(|did| Did::parse(did).ok());
    let did = did.ok_or_else(|| missing(None, paths.did))?;
    let missing = |path| missing(Some(&did), path);
    let pds = string(paths.pds).and_then(origin).ok_or_else(|| missing(paths.pds))?;
    let refresh_token = string(paths.refresh_token).filter(|token| !token.is_empty());
    let refresh_token = refresh_token.ok_or_else(|| missing(paths.refresh_token))?;
    let key = match text(paths.key).ok_or_else(|| missing(paths.key))? {
        Value::String(text) => SecretString::new(text.clone()),
        jwk => SecretString::new(jwk.to_string()),
    };
    let refresh_token = SecretString::new(refresh_token);
    match import(key.expose(), keys) {
        Ok(dpop_key) => Ok(Credentials { did, pds, refresh_token, dpop_key }),
        Err(error) => Err(ForeignError::Key { did, library, error }),
    }
}

/// Whether `atproto-php` has encrypted the session. Its files say so. A row of its table does not, but its
/// key is neither PEM nor JWK.
fn is_encrypted(object: &Map<String, Value>) -> bool {
    let is_told = object.get("encrypted").and_then(Value::as_bool) == Some(true);
    let key =
        object.get("dpop_private_key_pem").and_then(Value::as_str).map_or("", str::trim_start);
    is_told || !(key.is_empty() || key.contains("-----BEGIN ") || key.starts_with('{'))
}

fn named(did: Option<&Did>) -> &str {
    did.map_or("an unknown account", Did::as_str)
}

/// Imports a JWK or PEM.
fn import(text: &str, keys: &dyn Keys) -> Result<DpopKey, DpopError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('{') {
        return DpopKey::from_jwk(text, keys);
    }
    let PrivateKey { scalar, .. } = PrivateKey::parse(text)?;
    Ok(DpopKey::new(keys.import(&scalar)?))
}

/// The origin of a URL that may have a path.
fn origin(url: &str) -> Option<Origin> {
    let url = Url::parse(url).ok()?;
    // A client that is not built for development refuses such a server later.
    Origin::parse(&url.origin().ascii_serialization(), true).ok()
}

/// Places of the values in a stored session.
struct Paths {
    did: &'static [&'static str],
    pds: &'static [&'static str],
    refresh_token: &'static [&'static str],
    key: &'static [&'static str],
}

impl Library {
    fn paths(self) -> Paths {
        match self {
            Self::TypeScript => Paths {
                did: &["tokenSet", "sub"],
                pds: &["tokenSet", "aud"],
                refresh_token: &["tokenSet", "refresh_token"],
                key: &["dpopJwk"],
            },
            Self::Atrium => Paths {
                did: &["token_set", "sub"],
                pds: &["token_set", "aud"],
                refresh_token: &["token_set", "refresh_token"],
                key: &["dpop_key"],
            },
            Self::Jacquard => Paths {
                did: &["account_did"],
                pds: &["host_url"],
                refresh_token: &["token_set", "refresh_token"],
                key: &["dpop_data", "dpop_key"],
            },
            Self::Php => Paths {
                did: &["did"],
                pds: &["pds_url"],
                refresh_token: &["refresh_token"],
                key: &["dpop_private_key_pem"],
            },
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TypeScript => "the TypeScript client",
            Self::Atrium => "atrium-oauth",
            Self::Jacquard => "jacquard-oauth",
            Self::Php => "atproto-php",
        })
    }
}

#[cfg(test)]
mod tests {
    use atproto_dpop::P256Keys;
    use atproto_sansio::Entropy;
    use serde_json::json;

    use super::*;

    struct Fixed;

    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

    fn jwk() -> Value {
        let key = DpopKey::generate(&P256Keys, &mut Fixed);
        serde_json::from_str(key.to_jwk().unwrap().expose()).unwrap()
    }

    fn typescript() -> Value {
        json!({
            "dpopJwk": jwk(),
            "authMethod": {"method": "none"},
            "tokenSet": {
                "iss": "https://auth.example.com", "sub": DID, "aud": "https://pds.example.com/",
                "scope": "atproto", "refresh_token": "ref-1", "access_token": "acc-1",
                "token_type": "DPoP", "expires_at": "2026-01-01T00:00:00.000Z",
            },
        })
    }

    fn others() -> [Value; 3] {
        let token_set = json!({
            "iss": "https://auth.example.com", "sub": DID, "aud": "https://pds.example.com",
            "scope": "atproto", "refresh_token": "ref-1", "access_token": "acc-1", "token_type": "DPoP",
        });
        [
            json!({"dpop_key": jwk(), "token_set": token_set}),
            json!({
                "account_did": DID, "session_id": "s", "host_url": "https://pds.example.com",
                "authserver_url": "https://auth.example.com", "scopes": ["atproto"],
                "dpop_data": {"dpop_key": jwk(), "dpop_authserver_nonce": ""}, "token_set": token_set,
            }),
            json!({
                "did": DID, "handle": "alice.example.com", "pds_url": "https://pds.example.com",
                "auth_server_issuer": "https://auth.example.com", "access_token": "acc-1",
                "refresh_token": "ref-1", "dpop_private_key_pem": jwk().to_string(), "expires_at": 1,
                "scope": "atproto",
            }),
        ]
    }

    fn one(value: &Value) -> Credentials {
        let mut read = Credentials::from_foreign(&value.to_string(), &P256Keys).unwrap();
        assert_eq!(read.len(), 1);
        read.remove(0).unwrap()
    }

    #[test]
    fn sessions_of_other_libraries_are_read() {
        let expected = DpopKey::generate(&P256Keys, &mut Fixed);
        for stored in others().into_iter().chain([typescript()]) {
            let read = one(&stored);
            assert_eq!(read.did.as_str(), DID);
            assert_eq!(read.pds.as_str(), "https://pds.example.com");
            assert_eq!(read.refresh_token.expose(), "ref-1");
            assert_eq!(read.dpop_key.jwk(), expected.jwk());
        }
    }

    #[test]
    fn sessions_are_found_in_lists_maps_and_texts() {
        let session = typescript();
        for stored in [
            json!([session]),
            json!({ DID: session }),
            json!({ DID: session.to_string() }),
            json!({ "sessions": [{ "key": DID, "value": session.to_string() }] }),
            json!({ DID: session, "state": {"iss": "x", "verifier": "y"} }),
        ] {
            assert_eq!(one(&stored).did.as_str(), DID);
        }
        // A session whose key can't be used does not keep the others from being read.
        let mut broken = typescript();
        broken["dpopJwk"]["crv"] = json!("P-384");
        let all = json!([session, broken, others()[0]]).to_string();
        let all = Credentials::from_foreign(&all, &P256Keys).unwrap();
        assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    }

    /// The session with a key of secp256k1, in the form of the TypeScript client.
    fn with_secp256k1() -> Value {
        let mut session = typescript();
        // The generator of the curve is the public key of the private key one.
        session["dpopJwk"] = json!({
            "kty": "EC", "crv": "secp256k1",
            "x": "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g",
            "y": "SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg",
            "d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",
        });
        session
    }

    #[cfg(feature = "es256k")]
    #[test]
    fn a_session_with_the_preferred_key_of_the_typescript_client_is_read() {
        let stored = with_secp256k1();
        let read = one(&stored);
        let written = read.dpop_key.to_jwk().unwrap();
        assert_eq!(serde_json::from_str::<Value>(written.expose()).unwrap(), stored["dpopJwk"]);
    }

    #[cfg(not(feature = "es256k"))]
    #[test]
    fn without_the_feature_es256k_a_session_with_such_a_key_is_refused_with_the_way_out() {
        let stored = json!([with_secp256k1(), typescript()]).to_string();
        let read = Credentials::from_foreign(&stored, &P256Keys).unwrap();
        let Err(ForeignError::Key { error, .. }) = &read[0] else { panic!("{:?}", read[0]) };
        assert_eq!(*error, DpopError::Es256kDisabled);
        let told = read[0].as_ref().unwrap_err().to_string();
        assert!(told.contains("feature `es256k`") && !told.contains("AAAA"), "{told}");
        assert!(read[1].is_ok());
    }

    #[test]
    fn an_error_names_the_member_and_no_secret() {
        let read = |stored: &Value| Credentials::from_foreign(&stored.to_string(), &P256Keys);
        let error = |stored: &Value| read(stored).unwrap().remove(0).unwrap_err().to_string();
        let whole = |stored: &Value| read(stored).unwrap_err().to_string();
        let mut session = typescript();
        session["tokenSet"]["refresh_token"] = Value::Null;
        let told = format!(
            "the session of {DID} from the TypeScript client has no usable `refresh_token`"
        );
        assert_eq!(error(&session), told);
        session["tokenSet"]["sub"] = Value::Null;
        assert!(error(&session).contains("of an unknown account"));
        let mut session = typescript();
        session["dpopJwk"]["d"] = json!("hunter2");
        let told = error(&session);
        assert!(told.contains("DPoP key") && !told.contains("hunter2"), "{told}");
        let mut session = others()[2].clone();
        session["encrypted"] = json!(true);
        assert!(error(&session).contains("is encrypted"));
        // A row of the table is encrypted, too, although it does not say so.
        let mut row = others()[2].clone();
        row["dpop_private_key_pem"] = json!("AAAAhunter2");
        let told = error(&row);
        assert!(told.contains("is encrypted") && !told.contains("hunter2"), "{told}");
        assert!(whole(&json!({"a": [1, "x"]})).contains("in a form that is known"));
        assert!(Credentials::from_foreign("hunter2", &P256Keys).unwrap_err() == ForeignError::Json);
        // Nesting without end is no session.
        let mut deep = typescript();
        for _ in 0..20 {
            deep = json!([deep]);
        }
        assert!(whole(&deep).contains("in a form that is known"));
    }
}
