//! File that stores the session: readable by its owner only, replaced atomically, and locked during
//! a change.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use atproto_oauth_core::Session;
use tempfile::NamedTempFile;

use crate::arguments::Common;
use crate::failure::{CONFIGURATION, Failure, SESSION_OVER};

/// Path of the session file.
#[derive(Debug)]
pub(crate) struct SessionFile {
    path: PathBuf,
}

/// Exclusive lock of the session file. Because of the lock, no two processes send the same
/// single-use refresh token.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "dropping the file releases the lock")] File);

/// Number of bytes for which there must be room on the disk; a session is smaller.
const ROOM: usize = 64 * 1024;

impl SessionFile {
    /// Determines the path. If it is a symbolic link, the path is that of the linked file.
    pub(crate) fn new(common: &Common) -> Result<Self, Failure> {
        let path = match &common.session {
            Some(path) => path.clone(),
            None => dirs::state_dir()
                .or_else(dirs::data_local_dir)
                .ok_or_else(|| {
                    Failure::new(
                        CONFIGURATION,
                        "there is no home directory; name the session file with --session",
                    )
                })?
                .join("atproto-oauth")
                .join("session.json"),
        };
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => match fs::canonicalize(&path) {
                Ok(path) => Ok(Self { path }),
                Err(error) => Err(Failure::file("the session file", &path, &error)),
            },
            Ok(_) | Err(_) => Ok(Self { path }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that a session can be stored: the path, the lock, and room on the disk. Changes
    /// nothing, except that a missing folder is created.
    pub(crate) fn try_out(&self) -> Result<(), Failure> {
        let _lock = self.lock()?;
        self.try_out_locked()
    }

    /// Like [`try_out`](Self::try_out), for a caller that has the lock.
    pub(crate) fn try_out_locked(&self) -> Result<(), Failure> {
        self.check()?;
        let folder = self.folder()?;
        let written = write_to_disk(folder, &[b' '; ROOM]);
        written.map(drop).map_err(|error| self.failure(&error))
    }

    /// Reads the session from the file. A missing file is the failure `SESSION_OVER`.
    pub(crate) fn load(&self) -> Result<Session, Failure> {
        self.check()?;
        match fs::read_to_string(&self.path) {
            Ok(json) => Ok(Session::from_json(&json)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::new(
                SESSION_OVER,
                format!(
                    "no session file at {}; run `atproto-oauth login` first",
                    self.path.display()
                ),
            )),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Writes the session and replaces the old one. After success, the new session survives a crash
    /// of the machine.
    pub(crate) fn save(&self, session: &Session) -> Result<(), Failure> {
        let json = session.to_json()?;
        self.check()?;
        let folder = self.folder()?;
        let write = || {
            write_to_disk(folder, json.expose().as_bytes())?.persist(&self.path)?;
            // The folder is synced so that the new name survives a crash. Errors are ignored,
            // because not every system can sync a folder.
            File::open(folder).and_then(|folder| folder.sync_all()).ok();
            Ok(())
        };
        write().map_err(|error| self.failure(&error))
    }

    /// Waits until no other process holds the lock, and acquires it.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        self.check()?;
        self.folder()?;
        // The name is never that of the session file itself.
        let mut path = OsString::from(&self.path);
        path.push(".lock");
        let path = PathBuf::from(path);
        let open = || {
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(Lock(file))
        };
        open().map_err(|error| Failure::file("the lock file", &path, &error))
    }

    /// Refuses a path that is no regular file, such as a device, which must not be replaced; and a
    /// file that other users may read. A missing file is accepted.
    fn check(&self) -> Result<(), Failure> {
        let path = self.path.display();
        match fs::symlink_metadata(&self.path) {
            Ok(found) if !found.is_file() => Err(Failure::new(
                CONFIGURATION,
                format!("{path} is not a regular file; name another file with --session"),
            )),
            Ok(found) if is_open_to_others(&found) => Err(Failure::new(
                CONFIGURATION,
                format!(
                    "other users may read or change the session file {path}; run: chmod 600 \
                     {}",
                    quoted(&path.to_string())
                ),
            )),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Returns the folder of the file. A missing folder is created, accessible by its owner only.
    fn folder(&self) -> Result<&Path, Failure> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| self.failure(&error))?;
        Ok(folder)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::file("the session file", &self.path, error)
    }
}

/// Writes a temporary file, which is removed unless it is persisted. It is readable by its owner
/// only, from its creation on.
fn write_to_disk(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(unix)]
fn is_open_to_others(file: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Metadata) -> bool {
    false // such a system has no permissions of this kind
}

/// Quotes text for a shell if necessary.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    let text = text.to_owned();
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
