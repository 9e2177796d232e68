//! JSON format of stored sessions and pending logins: a `version` number, and the members of the
//! value. Unknown members, which a later release may have added, are kept.

use atproto_dpop::AccessToken;
use atproto_sansio::{SecretString, UnixTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::InputError;

/// The `version` member of a stored value: serializes as `N`, and rejects every other number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Version<const N: u64>;

/// Parses a stored value of version `N`; `what` names the kind of value in errors.
pub(crate) fn from_json<T: DeserializeOwned, const N: u64>(
    what: &'static str,
    json: &str,
) -> Result<T, InputError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }

    // The error text of serde_json is not used, because it quotes strings, which may be secrets.
    let unreadable = |error: serde_json::Error| InputError::Stored {
        what,
        why: format!("it is malformed at line {}, column {}", error.line(), error.column()),
    };
    let Versioned { version } = serde_json::from_str(json).map_err(unreadable)?;
    if version != N {
        return Err(InputError::UnsupportedVersion { what, version });
    }
    serde_json::from_str(json).map_err(unreadable)
}

/// Serializes a value for storage; fails if its private key can't be exported.
pub(crate) fn to_json<T: Serialize>(
    what: &'static str,
    value: &T,
) -> Result<SecretString, InputError> {
    serde_json::to_string(value).map(SecretString::new).map_err(|_| InputError::Stored {
        what,
        why: "its private key can't be exported from its crypto backend".to_owned(),
    })
}

impl<const N: u64> Serialize for Version<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(N)
    }
}

impl<'de, const N: u64> Deserialize<'de> for Version<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            version if version == N => Ok(Self),
            version => {
                Err(de::Error::custom(format!("version {version} is not supported, only {N} is")))
            }
        }
    }
}

/// Serializes a time as whole seconds since the Unix epoch.
pub(crate) mod unix_time {
    use super::{Deserialize, Deserializer, Serializer, UnixTime};

    pub(crate) fn serialize<S: Serializer>(time: &UnixTime, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(time.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<UnixTime, D::Error> {
        u64::deserialize(d).map(UnixTime::from_secs)
    }
}

/// Serializes an optional time as whole seconds since the Unix epoch, or `null`.
pub(crate) mod optional_unix_time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, UnixTime};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<UnixTime>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(UnixTime::as_secs).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<UnixTime>, D::Error> {
        Ok(Option::deserialize(d)?.map(UnixTime::from_secs))
    }
}

/// Serializes a secret in plain text.
pub(crate) mod secret {
    use super::{Deserialize, Deserializer, SecretString, Serializer};

    pub(crate) fn serialize<S: Serializer>(secret: &SecretString, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(secret.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<SecretString, D::Error> {
        String::deserialize(d).map(SecretString::new)
    }
}

/// Serializes an optional secret in plain text, or `null`.
pub(crate) mod optional_secret {
    use super::{Deserialize, Deserializer, SecretString, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        secret: &Option<SecretString>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(SecretString::expose).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(d)?.map(SecretString::new))
    }
}

/// Serializes an access token in plain text.
pub(crate) mod access_token {
    use super::{AccessToken, Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(token: &AccessToken, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(token.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<AccessToken, D::Error> {
        AccessToken::new(String::deserialize(d)?).map_err(de::Error::custom)
    }
}
