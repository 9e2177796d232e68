//! The store of the command: encrypted files in a folder, whose key is in a file beside it.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::path::PathBuf;

use atproto_oauth_ureq::store::{
    FileStore, Sealed, SealingKey, SealingKeys, StoreError, secret_file,
};

use crate::arguments::Folder;
use crate::failure::{CONFIGURATION, Failure};

/// Opens the store. The folder and the key are created if they are missing.
pub(crate) fn open(folder: &Folder) -> Result<Sealed<FileStore>, Failure> {
    let folder = path(folder)?;
    let failed = |error: StoreError| {
        let clause = "name another folder with --sessions, or mend this one";
        Failure::new(CONFIGURATION, format!("the sessions in {}: {error}", folder.display()))
            .and(clause)
    };
    create_parent(&folder)
        .map_err(|error| Failure::file("the folder of the sessions", &folder, &error))?;
    let files = FileStore::open(&folder).map_err(failed)?;
    let new = SealingKey::generate().map_err(failed)?.to_text();
    let key = secret_file(key_file(&folder), &new).map_err(failed)?;
    let key = SealingKey::from_text(key.expose()).map_err(failed)?;
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
                    "there is no home directory; name the folder of the sessions with --sessions",
                )
            })?;
            Ok(home.join("atproto-oauth").join("sessions"))
        }
    }
}

/// `sessions.key` beside the folder `sessions`.
fn key_file(folder: &std::path::Path) -> PathBuf {
    let mut name = OsString::from(folder);
    name.push(".key");
    name.into()
}

/// Creates the folders above the store and its key, accessible by their owner only.
fn create_parent(folder: &std::path::Path) -> std::io::Result<()> {
    let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent)
}
