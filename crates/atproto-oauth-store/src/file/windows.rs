//! Folders by their paths. Files have the permissions that the folder above the store hands down.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use atproto_sansio::StoreError;
use zeroize::Zeroizing;

use super::failure::misconfigured;

/// A folder.
pub(super) struct Folder(PathBuf);

/// An open file that no other process can open, until this one closes it or ends.
pub(super) struct Lock {
    _file: File,
}

/// The content of a name that was to be a file.
pub(super) enum Found {
    /// No file has this name.
    Nothing,
    /// The bytes of a file.
    File(Zeroizing<Vec<u8>>),
    /// A link, a folder, a device, or a file that is too large.
    Foreign,
}

/// Opens a link itself, and not its target.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// The error of a file that another process has opened for itself alone.
const ERROR_SHARING_VIOLATION: i32 = 32;

impl Folder {
    /// Opens the directory of a store. Creates it if it is missing. Refuses a link.
    pub(super) fn root(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display();
        fs::create_dir_all(path).map_err(|error| {
            misconfigured(format!("the store can't create the directory {shown}: {error}"))
        })?;
        match fs::symlink_metadata(path) {
            // A relative path must not change its meaning with the process's current directory.
            Ok(found) if found.is_dir() => std::path::absolute(path).map(Self).map_err(|error| {
                misconfigured(format!("the store can't open the directory {shown}: {error}"))
            }),
            Ok(_) => Err(misconfigured(format!(
                "{shown} is a link or no folder; open the store in the folder that the link leads to"
            ))),
            Err(error) => {
                Err(misconfigured(format!("the store can't open the directory {shown}: {error}")))
            }
        }
    }

    /// Another handle of this folder.
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }

    /// The folder `name` in this one; `None` if there is none.
    pub(super) fn open(&self, name: &str) -> io::Result<Option<Self>> {
        let path = self.0.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => Ok(Some(Self(path))),
            Ok(_) => Err(ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The folder `name` in this one, and whether it was missing and is new.
    pub(super) fn create(&self, name: &str) -> io::Result<(Self, bool)> {
        let is_new = match fs::create_dir(self.0.join(name)) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let folder = self.open(name)?.ok_or(ErrorKind::NotFound)?;
        Ok((folder, is_new))
    }

    /// Reads the file `name`, unless it is larger than `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: usize) -> io::Result<Found> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(_) if path.is_dir() => return Ok(Found::Foreign),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
        if !found.is_file() || size > limit {
            return Ok(Found::Foreign);
        }
        // The buffer never grows, because that would leave a copy of the value behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
        file.take(found.len()).read_to_end(&mut bytes)?;
        Ok(Found::File(bytes))
    }

    /// Writes a new file to the disk. It is removed if the write fails.
    pub(super) fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        drop(file);
        if written.is_err() {
            let _ = self.remove(name);
        }
        written
    }

    /// Moves the file `name` to the folder `to`, in place of a file that is there.
    pub(super) fn rename(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        fs::rename(self.0.join(name), to.0.join(new_name))
    }

    /// Removes the file `name`; no error if there is none.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The names in this folder, in no order. Names that are no text are left out.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Time of the last write to the file `name`; `None` if there is no such file.
    pub(super) fn modified(&self, name: &str) -> io::Result<Option<SystemTime>> {
        match fs::symlink_metadata(self.0.join(name)) {
            Ok(found) if found.is_file() => found.modified().map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does nothing: the file system keeps a journal of names, and has no call to write a folder.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Acquires the lock `name`; `None` if another thread or process holds it.
    pub(super) fn try_lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).share_mode(0);
        match options.open(self.0.join(name)) {
            Ok(file) => Ok(Some(Lock { _file: file })),
            Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
