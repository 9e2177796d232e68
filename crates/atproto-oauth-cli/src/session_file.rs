//! File that stores the session: readable by its owner only, replaced atomically, and locked during
//! a change.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
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

impl SessionFile {
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
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the session from the file. A missing file is the failure `SESSION_OVER`.
    pub(crate) fn load(&self) -> Result<Session, Failure> {
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
        let folder = self.folder()?;
        let write = || {
            // A `NamedTempFile` is readable by its owner only, from its creation on.
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(json.expose().as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            // The folder is synced so that the new name survives a crash. Errors are ignored,
            // because not every system can sync a folder.
            File::open(folder).and_then(|folder| folder.sync_all()).ok();
            Ok(())
        };
        write().map_err(|error| self.failure(&error))
    }

    /// Waits until no other process holds the lock, and acquires it.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        self.folder()?;
        let path = self.path.with_extension("lock");
        let open = || {
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(Lock(file))
        };
        open().map_err(|error| Failure::file("the lock file", &path, &error))
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

    fn failure(&self, error: &std::io::Error) -> Failure {
        Failure::file("the session file", &self.path, error)
    }
}
