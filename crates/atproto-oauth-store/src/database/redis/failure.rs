//! The meaning of the errors of Redis. Their texts may quote keys, so that only their codes are shown.

use atproto_sansio::{StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError};

use crate::database::deadline::Effect;
use crate::database::{misconfigured, unavailable};

/// The error of the first request on a connection, which writes nothing.
pub(super) fn connect_failure(error: &RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::AuthenticationFailed => refused("the password or the user"),
        ErrorKind::InvalidClientConfig => {
            misconfigured("the settings of the connection to Redis are not usable; check its URL")
        }
        _ => failure(error, Effect::Reads),
    }
}

pub(super) fn failure(error: &RedisError, effect: Effect) -> StoreError {
    let Some(code) = error.code() else {
        if error.kind() == ErrorKind::AuthenticationFailed {
            return refused("the password or the user");
        }
        if error.is_connection_refusal() {
            return unavailable(
                "Redis refuses the connection; check that it runs, and its address",
            );
        }
        return effect.unanswered("the connection to Redis failed".to_owned());
    };
    // The server checks these before the script begins.
    let not_applied = StoreErrorKind::Unavailable;
    let (kind, detail) = match code {
        "NOAUTH" | "WRONGPASS" => return refused("the password or the user"),
        "NOPERM" => return refused("one of the commands, by its access rules"),
        "WRONGTYPE" => (
            StoreErrorKind::Misconfigured,
            "the keys of the namespace are used by another program; choose another with \
             `DatabaseOptions::namespace`"
                .to_owned(),
        ),
        "MOVED" | "ASK" | "CROSSSLOT" => (
            StoreErrorKind::Misconfigured,
            "the server is a node of a cluster; use a server that has all keys".to_owned(),
        ),
        "OOM" => (not_applied, "Redis is out of memory; raise its `maxmemory`".to_owned()),
        "READONLY" => {
            (not_applied, "Redis is a read-only replica; connect to the primary".to_owned())
        }
        "MISCONF" => (not_applied, "Redis can't write to its disk; read its log".to_owned()),
        "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "NOREPLICAS" => {
            (not_applied, format!("Redis is not ready: {code}"))
        }
        _ => return effect.unanswered("Redis answered with an error".to_owned()),
    };
    StoreError::new(kind, detail)
}

fn refused(subject: &str) -> StoreError {
    misconfigured(format!("Redis refuses {subject}; check its URL and its user"))
}
