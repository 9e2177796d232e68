//! The store of the command: encrypted files in a folder.

mod keyring;
mod sealing;

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};

use atproto_oauth_ureq::store::{FileStore, Sealed, SealingKeys, StoreError};

pub(crate) use self::sealing::Place;
use crate::arguments::Folder;
use crate::failure::{CONFIGURATION, Failure};

/// Opens the store. The folder and the key are created if they are missing.
pub(crate) fn open(folder: &Folder) -> Result<Sealed<FileStore>, Failure> {
    let path = path(folder)?;
    create_parent(&path)
        .map_err(|error| Failure::file("the folder of the sessions", &path, &error))?;
    let files = FileStore::open(&path).map_err(|error| failed(&path, &error))?;
    let key = sealing::key(&files, &path, folder.sealing_key)?;
    Ok(Sealed::new(files, SealingKeys::new(key)))
}

/// The folder of the options, or the default one.
pub(crate) fn path(folder: &Folder) -> Result<PathBuf, Failure> {
    match &folder.sessions {
        Some(folder) => Ok(folder.clone()),
        None => {
            let home = dirs::state_dir().or_else(dirs::data_local_dir).ok_or_else(|| {
                Failure::new(
                    CONFIGURATION,
                    "there is no home directory",
                    "name the folder of the sessions with --sessions",
                )
            })?;
            Ok(home.join("atproto-oauth").join("sessions"))
        }
    }
}

fn failed(folder: &Path, error: &StoreError) -> Failure {
    let help = "name another folder with --sessions, or mend this one";
    Failure::new(CONFIGURATION, format!("the sessions in {}: {error}", folder.display()), help)
}

/// Creates the folders above the store and its key, accessible by their owner only.
fn create_parent(folder: &Path) -> std::io::Result<()> {
    let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent)
}
