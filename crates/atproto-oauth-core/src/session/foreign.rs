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
use zeroize::Zeroize;

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
    /// A session is encrypted: [`Credentials::from_foreign_encrypted`] takes a function that decrypts it.
    #[error("the session of {} is encrypted", named(.did.as_ref()))]
    Encrypted {
        /// The account, if it could be read.
        did: Option<Did>,
    },
    /// A member of an encrypted session can't be decrypted.
    #[error("`{member}` of the session of {did} can't be decrypted: its passphrase is another one")]
    Undecryptable {
        /// The account.
        did: Did,
        /// The member.
        member: &'static str,
    },
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

impl ForeignError {
    /// The account of the session, if it could be read.
    pub fn did(&self) -> Option<&Did> {
        match self {
            Self::Json | Self::Unknown => None,
            Self::Encrypted { did } | Self::Member { did, .. } => did.as_ref(),
            Self::Undecryptable { did, .. } | Self::Key { did, .. } => Some(did),
        }
    }
}

/// Decrypts the value of a member; `None` if its key is another one.
pub type Decrypt<'a> = &'a dyn Fn(&str) -> Option<SecretString>;

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
        read_all(json, &Reader { keys, decrypt: None })
    }

    /// Like [`from_foreign`](Self::from_foreign), for sessions of `atproto-php` that a passphrase protects.
    /// `decrypt` gets each encrypted member. Sessions that are not encrypted are read, too.
    ///
    /// # Errors
    ///
    /// As for [`from_foreign`](Self::from_foreign). A session that `decrypt` does not decrypt is an error in its
    /// place.
    pub fn from_foreign_encrypted(
        json: &str,
        keys: &dyn Keys,
        decrypt: Decrypt<'_>,
    ) -> Result<Vec<Result<Self, ForeignError>>, ForeignError> {
        read_all(json, &Reader { keys, decrypt: Some(decrypt) })
    }
}

/// The functions that reading a session needs.
struct Reader<'a> {
    keys: &'a dyn Keys,
    decrypt: Option<Decrypt<'a>>,
}

fn read_all(
    json: &str,
    reader: &Reader<'_>,
) -> Result<Vec<Result<Credentials, ForeignError>>, ForeignError> {
    let value: Value = serde_json::from_str(json).map_err(|_| ForeignError::Json)?;
    let mut found = Vec::new();
    collect(value, reader, DEPTH, &mut found);
    if found.is_empty() { Err(ForeignError::Unknown) } else { Ok(found) }
}

/// Levels of lists and maps around a session.
const DEPTH: u8 = 8;

/// Collects the sessions in `value`, and wipes its texts, which are secrets.
fn collect(
    value: Value,
    reader: &Reader<'_>,
    depth: u8,
    found: &mut Vec<Result<Credentials, ForeignError>>,
) {
    let Some(depth) = depth.checked_sub(1) else { return wipe(value) };
    match value {
        Value::String(mut text) => {
            match serde_json::from_str::<Value>(&text) {
                Ok(inner) if inner.is_object() || inner.is_array() => {
                    collect(inner, reader, depth, found);
                }
                _ => {}
            }
            text.zeroize();
        }
        Value::Array(values) => {
            values.into_iter().for_each(|value| collect(value, reader, depth, found));
        }
        Value::Object(object) => match library_of(&object) {
            Some(library) => {
                found.push(read(&object, library, reader));
                wipe(Value::Object(object));
            }
            None => object.into_iter().for_each(|(_, value)| collect(value, reader, depth, found)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn wipe(value: Value) {
    match value {
        Value::String(mut text) => text.zeroize(),
        Value::Array(values) => values.into_iter().for_each(wipe),
        Value::Object(object) => object.into_iter().for_each(|(_, value)| wipe(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
    reader: &Reader<'_>,
) -> Result<Credentials, ForeignError> {
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
    let decrypt = match (is_encrypted(object), reader.decrypt) {
        (false, _) => None,
        (true, None) => return Err(ForeignError::Encrypted { did }),
        (true, decrypt) => decrypt,
    };
    let did = did.ok_or_else(|| missing(None, paths.did))?;
    let missing = |path| missing(Some(&did), path);
    let pds = string(paths.pds).and_then(origin).ok_or_else(|| missing(paths.pds))?;
    let refresh_token = string(paths.refresh_token).filter(|token| !token.is_empty());
    let refresh_token = refresh_token.ok_or_else(|| missing(paths.refresh_token))?;
    let opened = |text: &str, path: &'static [&'static str]| match decrypt {
        None => Ok(SecretString::new(text)),
        Some(decrypt) => decrypt(text).ok_or_else(|| ForeignError::Undecryptable {
            did: did.clone(),
            member: path.last().copied().unwrap_or_default(),
        }),
    };
    let key = match text(paths.key).ok_or_else(|| missing(paths.key))? {
        Value::String(text) => opened(text, paths.key)?,
        jwk => text_of(jwk),
    };
    let refresh_token = opened(refresh_token, paths.refresh_token)?;
    match import(key.expose(), reader.keys) {
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

/// The text of a JWK. Its buffer does not grow, because that would leave a copy of the private key behind.
fn text_of(jwk: &Value) -> SecretString {
    let mut text = Vec::with_capacity(1024);
    let written = serde_json::to_writer(&mut text, jwk);
    SecretString::new(written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default())
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
    Ok(DpopKey::new(keys.import(&scalar, None)?))
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
mod tests;
