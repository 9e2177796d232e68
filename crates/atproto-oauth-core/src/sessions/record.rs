//! The record of a session in a store: the session and the state of its refresh.

use atproto_sansio::{Record, SecretBytes, UnixTime, Version as RecordVersion};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, InputError, ReauthCause, SessionError};
use crate::session::Session;
use crate::sessions::key::SessionKey;
use crate::sessions::refresh::lease::Lease;
use crate::stored::{self, Version};

/// The record of one session.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct SessionRecord {
    pub(crate) version: Version<1>,
    pub(crate) session: Session,
    /// The run that may spend the refresh token now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<Lease>,
    /// Earliest time of the next refresh, after one that failed.
    #[serde(default, with = "stored::optional_unix_time", skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<UnixTime>,
    /// Time since which the refresh token may be spent, because a response was lost.
    #[serde(default, with = "stored::optional_unix_time", skip_serializing_if = "Option::is_none")]
    pub(crate) ambiguous_since: Option<UnixTime>,
    /// Why the user has to log in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) needs_reauth: Option<ReauthCause>,
    /// Whether the session is logged out: its tokens are kept only to be revoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) closed: bool,
    /// Whether the record comes from a backup, so that its refresh token may be spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restored: bool,
    /// Members that a later version of this crate added, kept so that storing loses none.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A record and the version that it was loaded with.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) record: SessionRecord,
    pub(crate) version: RecordVersion,
}

/// Bytes that are wiped when the last clone is dropped.
struct Wiped(atproto_sansio::SecretString);

impl SessionRecord {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            version: Version,
            session,
            lease: None,
            not_before: None,
            ambiguous_since: None,
            needs_reauth: None,
            closed: false,
            restored: false,
            unknown: Map::new(),
        }
    }

    /// The record with the tokens of a refresh, which ends everything that the old ones left.
    pub(crate) fn renewed(&self, session: Session) -> Self {
        Self { unknown: self.unknown.clone(), ..Self::new(session) }
    }

    /// The value to store.
    pub(crate) fn to_value(&self) -> Result<SecretBytes, InputError> {
        to_value("session record", self)
    }
}

impl Loaded {
    /// Reads the record that was loaded for `key` by the client `client_id`.
    ///
    /// # Errors
    ///
    /// Fails if the record can't be read, or if it is of another session or client.
    pub(crate) fn read(record: &Record, key: &SessionKey, client_id: &str) -> Result<Self, Error> {
        let loaded = Self::read_any(record, key)?;
        match loaded.record.session.client_id() == client_id {
            true => Ok(loaded),
            false => Err(SessionError::OtherClient.into()),
        }
    }

    /// Reads the record that was loaded for `key`, of any client.
    ///
    /// # Errors
    ///
    /// Fails if the record can't be read, or if it is of another session.
    pub(crate) fn read_any(record: &Record, key: &SessionKey) -> Result<Self, Error> {
        let loaded = Self { record: read("session record", record)?, version: record.version };
        match SessionKey::of(&loaded.record.session) == *key {
            true => Ok(loaded),
            false => Err(SessionError::OtherSession.into()),
        }
    }
}

/// Serializes a record; the bytes are wiped when the store has dropped them.
pub(crate) fn to_value<T: Serialize>(
    what: &'static str,
    record: &T,
) -> Result<SecretBytes, InputError> {
    let json = stored::to_json(what, record)?;
    Ok(SecretBytes(Bytes::from_owner(Wiped(json))))
}

/// Reads a record of format version 1.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    what: &'static str,
    record: &Record,
) -> Result<T, InputError> {
    let json = std::str::from_utf8(&record.value.0).map_err(|_| InputError::Stored {
        what,
        why: "it is no text; if the store is sealed, open it with its keys".to_owned(),
    })?;
    stored::from_json::<_, 1>(what, json)
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A stored session whose DPoP key is of secp256k1: the public key is the generator of the curve.
    fn with_secp256k1() -> Value {
        json!({"version": 1, "session": {
            "version": 1, "session_id": "s", "did": "did:plc:z72i7hdynmk6r22z27h6tvur",
            "client_id": "http://localhost", "auth": {"method": "none"}, "issuer": "https://auth.example.com",
            "pds": "https://pds.example.com", "scopes": "atproto", "access_token": "acc-1",
            "refresh_token": "ref-1", "created_at": 1, "updated_at": 1, "last_verified_at": 1,
            "dpop_key": {
                "crv": "secp256k1", "kty": "EC",
                "x": "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g",
                "y": "SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg",
                "d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",
            },
        }})
    }

    fn read_json(json: &Value) -> Result<SessionRecord, InputError> {
        let value = SecretBytes(Bytes::from(json.to_string()));
        read("session record", &Record { value, version: RecordVersion(1), expires_at: None })
    }

    #[cfg(feature = "es256k")]
    #[test]
    fn a_key_of_secp256k1_is_stored_with_its_curve() {
        let stored = with_secp256k1();
        let written = read_json(&stored).unwrap().to_value().unwrap();
        let written: Value = serde_json::from_slice(&written.0).unwrap();
        assert_eq!(written["session"]["dpop_key"], stored["session"]["dpop_key"]);
    }

    #[cfg(not(feature = "es256k"))]
    #[test]
    fn without_the_feature_es256k_a_stored_key_of_secp256k1_is_an_error_of_its_own() {
        // Rule K-09
        let mut stored = with_secp256k1();
        let error = read_json(&stored).map(drop).unwrap_err();
        assert_eq!(error, InputError::Es256kDisabled { what: "session record" });
        assert_eq!(
            Session::from_json(&stored["session"].to_string()).map(drop),
            Err(InputError::Es256kDisabled { what: "session" })
        );
        let told = error.to_string();
        assert!(told.contains("feature `es256k`") && !told.contains("AAAA"), "{told}");
        // A text of the record does not pass for this error.
        stored["session"]["dpop_key"]["crv"] = error.to_string().into();
        let error = read_json(&stored).map(drop).unwrap_err();
        assert!(matches!(error, InputError::Stored { .. }), "{error:?}");
    }
}
