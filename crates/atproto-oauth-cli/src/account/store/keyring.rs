//! Sealing keys in the keyring of the platform: Keychain on macOS, Credential Manager on Windows, and the
//! Secret Service of the desktop elsewhere.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use atproto_sansio::SecretString;
use keyring::{Entry, Error};

use crate::output;

/// Service of the entries. The user of an entry is the id of its key.
const SERVICE: &str = "atproto-oauth";

/// Time after which the user is told that the keyring has not answered.
const NOTICE: Duration = Duration::from_secs(2);

/// Time in which the user can unlock the keyring. If nobody is there, the command must end.
const LIMIT: Duration = Duration::from_secs(120);

/// The reason why the keyring can't be used, as a text for the user.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no keyring, or none that this process can reach.
    Absent(String),
    /// There is one, and it gives no access: it is locked, or has refused.
    Closed(String),
}

/// Adds a key.
pub(super) fn add(id: &str, key: &SecretString) -> Result<(), Trouble> {
    let (id, key) = (id.to_owned(), key.clone());
    wait(move || Entry::new(SERVICE, &id)?.set_password(key.expose())).map_err(Trouble::of)
}

/// Returns a key; `None` if the keyring has no such entry.
pub(super) fn load(id: &str) -> Result<Option<SecretString>, Trouble> {
    let id = id.to_owned();
    match wait(move || Entry::new(SERVICE, &id)?.get_password().map(SecretString::new)) {
        Ok(key) => Ok(Some(key)),
        Err(Some(Error::NoEntry)) => Ok(None),
        Err(error) => Err(Trouble::of(error)),
    }
}

/// Removes a key that is not used. A key that can't be removed does no harm.
pub(super) fn remove(id: &str) {
    let id = id.to_owned();
    let _ = wait(move || Entry::new(SERVICE, &id)?.delete_credential());
}

/// Waits for an answer of the keyring, which may ask the user to unlock it; the error is `None` if it has not
/// answered.
fn wait<T: Send + 'static>(
    ask: impl FnOnce() -> keyring::Result<T> + Send + 'static,
) -> Result<T, Option<Error>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(ask()));
    let answer = match receiver.recv_timeout(NOTICE) {
        Err(RecvTimeoutError::Timeout) => {
            output::tell("Waiting for the keyring to be unlocked …");
            receiver.recv_timeout(LIMIT)
        }
        answer => answer,
    };
    answer.map_err(|_| None)?.map_err(Some)
}

impl Trouble {
    /// Says what failed, without the contents of entries.
    fn of(error: Option<Error>) -> Self {
        match error {
            None => Self::Closed(format!("it has not answered within {} seconds", LIMIT.as_secs())),
            Some(Error::NoDefaultStore) => Self::Absent(match Entry::store_status() {
                Err(error) => reason(error),
                Ok(()) => "there is none".to_owned(),
            }),
            Some(error) => Self::Closed(reason(&error)),
        }
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::PlatformFailure(error) | Error::NoStorageAccess(error) => error.to_string(),
        Error::NoEntry => "it has no such entry".to_owned(),
        Error::Ambiguous(_) => "it has several such entries".to_owned(),
        Error::Invalid(..) => "this platform has none".to_owned(),
        _ => "its entry is damaged".to_owned(),
    }
}
