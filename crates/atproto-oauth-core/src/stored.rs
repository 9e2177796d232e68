//! JSON format of stored sessions and pending logins: a `version` number, and the members of the
//! value. Unknown members, which a later release may have added, are kept.

use std::fmt;
use std::time::Duration;

use atproto_dpop::{AccessToken, DpopError};
use atproto_sansio::{SecretString, UnixTime, json_text};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::InputError;

/// The `version` member of a stored value: serializes as `N`, and rejects every other number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Version<const N: u64>;

/// A whole number that a store may have written with a zero fraction.
struct Whole(u64);

/// Parses a stored value of version `N`; `what` names the kind of value in errors.
pub(crate) fn from_json<T: DeserializeOwned, const N: u64>(
    what: &'static str,
    json: &str,
) -> Result<T, InputError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: Whole,
    }

    let json = json_text(json.as_bytes()).map_err(|why| InputError::Stored { what, why })?;

    // The error text of serde_json is not used, because it quotes strings, which may be secrets.
    let unreadable = |error: serde_json::Error| match is_es256k_disabled(&error) {
        true => InputError::Es256kDisabled { what },
        false => InputError::Stored {
            what,
            why: format!("it is malformed at line {}, column {}", error.line(), error.column()),
        },
    };
    let Versioned { version: Whole(version) } = serde_json::from_str(json).map_err(unreadable)?;
    if version != N {
        return Err(InputError::UnsupportedVersion { what, version });
    }
    serde_json::from_str(json).map_err(unreadable)
}

/// Whether the DPoP key was refused because of its curve. serde keeps only the text of the error.
fn is_es256k_disabled(error: &serde_json::Error) -> bool {
    error.is_data() && error.to_string().starts_with(&DpopError::Es256kDisabled.to_string())
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

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeVisitor)
    }
}

struct WholeVisitor;

impl de::Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        let whole = Duration::try_from_secs_f64(number).ok().filter(|_| number.fract() == 0.0);
        whole
            .map(|seconds| Whole(seconds.as_secs()))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
    }
}

impl<const N: u64> Serialize for Version<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(N)
    }
}

impl<'de, const N: u64> Deserialize<'de> for Version<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Whole::deserialize(deserializer)?.0 {
            version if version == N => Ok(Self),
            version => {
                Err(de::Error::custom(format!("version {version} is not supported, only {N} is")))
            }
        }
    }
}

/// Serializes a time as whole seconds since the Unix epoch.
pub(crate) mod unix_time {
    use super::{Deserialize, Deserializer, Serializer, UnixTime, Whole};

    pub(crate) fn serialize<S: Serializer>(time: &UnixTime, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(time.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<UnixTime, D::Error> {
        Whole::deserialize(d).map(|Whole(seconds)| UnixTime::from_secs(seconds))
    }
}

/// Serializes an optional time as whole seconds since the Unix epoch, or `null`.
pub(crate) mod optional_unix_time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, UnixTime, Whole};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<UnixTime>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(UnixTime::as_secs).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<UnixTime>, D::Error> {
        Ok(Option::deserialize(d)?.map(|Whole(seconds)| UnixTime::from_secs(seconds)))
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
