//! The key that encrypts the sessions, and its place: the keyring of the platform, or a file.
//!
//! The place is chosen when the store is new. From then on, a record of the store names the place and the
//! key, so that the command neither uses nor makes another one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use atproto_oauth_ureq::store::{
    Expect, FileStore, Saved, SealingKey, SecretBytes, Store as _, StoreError, secret_file,
};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::failed;
use super::keyring::{self, Trouble};
use crate::failure::{CONFIGURATION, Failure};
use crate::output;

/// Key of the record. It is not encrypted, and a sealed store does not list it.
const RECORD: &str = "sealing/key";

/// Place of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Place {
    /// The keyring of the platform
    Keyring,
    /// The file FOLDER.key
    File,
}

/// Contents of the record.
#[derive(Debug, Eq, PartialEq)]
struct Recorded {
    place: Place,
    /// Id of the key.
    id: String,
}

/// Returns the key of the store. A new store gets a new key: in the place of the option `wished`, or in the
/// keyring if there is one, or else in the file.
pub(super) fn key(
    files: &FileStore,
    folder: &Path,
    wished: Option<Place>,
) -> Result<SealingKey, Failure> {
    let recorded = match recorded(files, folder)? {
        Some(recorded) => recorded,
        None => choose(files, folder, wished)?,
    };
    if wished.is_some_and(|wished| wished != recorded.place) {
        let message = format!(
            "the key of the sessions in {} is in {}",
            folder.display(),
            described(recorded.place, folder)
        );
        return Err(Failure::new(
            CONFIGURATION,
            message,
            "leave out --sealing-key, or name another folder with --sessions and move the sessions \
             there with `sessions export` and `sessions import`",
        ));
    }
    let key = match recorded.place {
        Place::Keyring => from_keyring(&recorded.id, folder)?,
        Place::File => from_file(folder)?,
    };
    match key {
        Some(key) if key.id() == recorded.id => Ok(key),
        _ => Err(lost(recorded.place, folder)),
    }
}

/// Makes the key of a new store, and records its place. If several processes do so at the same time, all of
/// them return the record of one.
fn choose(files: &FileStore, folder: &Path, wished: Option<Place>) -> Result<Recorded, Failure> {
    let failed = |error: StoreError| failed(folder, &error);
    let file = key_file(folder);
    // A version of this command that had no record, or a process that ended too early, has made the file.
    let is_made = file.exists();
    if !is_made && !files.list("", None).map_err(failed)?.entries.is_empty() {
        // Another process may have chosen meanwhile.
        return recorded(files, folder)?.ok_or_else(|| lost(Place::File, folder));
    }
    let new = SealingKey::generate().map_err(failed)?;
    let place = match wished {
        _ if is_made => Place::File,
        Some(Place::File) => Place::File,
        Some(Place::Keyring) | None => match keyring::add(new.id(), &new.to_text()) {
            Ok(()) => Place::Keyring,
            // A keyring that is only locked is not given up for a file: the choice is for good.
            Err(Trouble::Absent(why)) if wished.is_none() => {
                output::tell(format!(
                    "note: the key of the sessions is in {}, because there is no keyring: {why}",
                    file.display()
                ));
                Place::File
            }
            Err(Trouble::Absent(why) | Trouble::Closed(why)) => {
                let message = format!("the keyring can't be used: {why}");
                let help = "unlock it, or keep the key in a file with --sealing-key file";
                return Err(Failure::new(CONFIGURATION, message, help));
            }
        },
    };
    let id = match place {
        Place::Keyring => new.id().to_owned(),
        Place::File => {
            let text = secret_file(&file, &new.to_text()).map_err(failed)?;
            SealingKey::from_text(text.expose()).map_err(failed)?.id().to_owned()
        }
    };
    let name = match place {
        Place::Keyring => "keyring",
        Place::File => "file",
    };
    let value = json!({ "place": name, "id": id }).to_string();
    match files.save(RECORD, &SecretBytes(value.into()), Expect::Absent, None).map_err(failed)? {
        Saved::As(_) => Ok(Recorded { place, id }),
        Saved::Conflict => {
            if place == Place::Keyring {
                keyring::remove(&id);
            }
            recorded(files, folder)?.ok_or_else(|| lost(place, folder))
        }
    }
}

fn recorded(files: &FileStore, folder: &Path) -> Result<Option<Recorded>, Failure> {
    let record = files.load(RECORD).map_err(|error| failed(folder, &error))?;
    let Some(record) = record else { return Ok(None) };
    parse(&record.value.0).map(Some).ok_or_else(|| {
        let message = format!(
            "the sessions in {}: the record of the place of their key is damaged, or of a newer version \
             of this command",
            folder.display()
        );
        Failure::new(CONFIGURATION, message, "use the newest version of this command")
    })
}

fn parse(value: &[u8]) -> Option<Recorded> {
    let value: Value = serde_json::from_slice(value).ok()?;
    let place = match value.get("place")?.as_str()? {
        "keyring" => Place::Keyring,
        "file" => Place::File,
        _ => return None,
    };
    Some(Recorded { place, id: value.get("id")?.as_str()?.to_owned() })
}

fn from_keyring(id: &str, folder: &Path) -> Result<Option<SealingKey>, Failure> {
    let found = keyring::load(id).map_err(|trouble| {
        let (why, help) = match trouble {
            Trouble::Absent(why) => {
                (why, "run the command where the keyring is, such as in the desktop's session")
            }
            Trouble::Closed(why) => (why, "unlock the keyring, and try again"),
        };
        let message =
            format!("the key of the sessions in {} can't be read: {why}", folder.display());
        Failure::new(CONFIGURATION, message, help)
    })?;
    // An entry that is no key is as good as none.
    Ok(found.and_then(|text| SealingKey::from_text(text.expose()).ok()))
}

fn from_file(folder: &Path) -> Result<Option<SealingKey>, Failure> {
    let file = key_file(folder);
    if !file.exists() {
        return Ok(None);
    }
    let failed = |error: StoreError| failed(folder, &error);
    let text = secret_file(&file, &SealingKey::generate().map_err(failed)?.to_text());
    SealingKey::from_text(text.map_err(failed)?.expose()).map(Some).map_err(failed)
}

fn lost(place: Place, folder: &Path) -> Failure {
    let message = format!(
        "the key of the sessions in {} is not in {}",
        folder.display(),
        described(place, folder)
    );
    Failure::new(CONFIGURATION, message, "restore it there, or remove the folder and log in again")
}

fn described(place: Place, folder: &Path) -> String {
    match place {
        Place::Keyring => "the keyring".to_owned(),
        Place::File => format!("the file {}", key_file(folder).display()),
    }
}

/// `sessions.key` beside the folder `sessions`.
fn key_file(folder: &Path) -> PathBuf {
    let mut name = OsString::from(folder);
    name.push(".key");
    name.into()
}
