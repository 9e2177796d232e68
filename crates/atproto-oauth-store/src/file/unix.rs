//! Folders by their descriptors: no name is looked up through a link.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use atproto_sansio::StoreError;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, flock, mkdirat, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::failure::{misconfigured, quoted};

/// An open folder.
pub(super) struct Folder(File);

/// A lock of the operating system, which ends with the process at the latest.
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

impl Folder {
    /// Opens the directory of a store. Creates it, for its owner only, if it is missing. Refuses a
    /// link, and a directory that others may read or write.
    pub(super) fn root(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display();
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            misconfigured(format!("{what} the directory {shown}: {error}"))
        };
        create_root(path).map_err(|error| failed("the store can't create", &error))?;
        let folder = openat(CWD, path, FOLDER, Mode::empty()).map_err(|error| {
            if is_no_folder(error) {
                let target = "open the store in the folder that the link leads to";
                return misconfigured(format!("{shown} is a link or no folder; {target}"));
            }
            failed("the store can't open", &error)
        })?;
        let folder = File::from(folder);
        let found = folder.metadata().map_err(|error| failed("the store can't open", &error))?;
        let user = rustix::process::geteuid().as_raw();
        if found.uid() != user {
            let owner = found.uid();
            return Err(misconfigured(format!(
                "the directory {shown} belongs to user {owner}, and the program runs as user \
                 {user}; run the program as user {owner}, or run: chown -R {user} {}",
                quoted(path)
            )));
        }
        if found.mode() & 0o077 != 0 {
            return Err(misconfigured(format!(
                "other users may access the directory {shown} (its mode is {:03o}); run: chmod 700 \
                 {}",
                found.mode() & 0o777,
                quoted(path)
            )));
        }
        Ok(Self(folder))
    }

    /// Another handle of this folder.
    pub(super) fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// The folder `name` in this one; `None` if there is none.
    pub(super) fn open(&self, name: &str) -> io::Result<Option<Self>> {
        match openat(&self.0, name, FOLDER, Mode::empty()) {
            Ok(folder) => Ok(Some(Self(folder.into()))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) if is_no_folder(error) => Err(ErrorKind::NotADirectory.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder `name` in this one, and whether it was missing and is new.
    pub(super) fn create(&self, name: &str) -> io::Result<(Self, bool)> {
        let is_new = match mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let folder = self.open(name)?.ok_or(ErrorKind::NotFound)?;
        Ok((folder, is_new))
    }

    /// Reads the file `name`, unless it is larger than `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: usize) -> io::Result<Found> {
        // A named pipe would block without `NONBLOCK`.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | SAFE;
        let file = match openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => return Ok(Found::Foreign),
            Err(error) => return Err(error.into()),
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

    /// Writes a new file to the disk, for its owner only. It is removed if the write fails.
    pub(super) fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | SAFE;
        let mut file = File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if written.is_err() {
            let _ = self.remove(name);
        }
        written
    }

    /// Moves the file `name` to the folder `to`, in place of a file that is there.
    pub(super) fn rename(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        renameat(&self.0, name, &to.0, new_name).map_err(Into::into)
    }

    /// Removes the file `name`; no error if there is none.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The names in this folder, in no order. Names that are no text are left out.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Time of the last write to the file `name`; `None` if there is no such file.
    pub(super) fn modified(&self, name: &str) -> io::Result<Option<SystemTime>> {
        let found = match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let seconds = u64::try_from(found.st_mtime).unwrap_or_default();
        Ok(SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds)))
    }

    /// Writes the names of this folder to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// Acquires the lock `name`; `None` if another thread or process holds it.
    pub(super) fn try_lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let flags = OFlags::RDWR | OFlags::CREATE | SAFE;
        let file = File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

const FOLDER: OFlags = SAFE.union(OFlags::DIRECTORY).union(OFlags::RDONLY);

/// Whether `error` is that of a name that is a link or a file and not a folder.
fn is_no_folder(error: Errno) -> bool {
    matches!(error, Errno::NOTDIR | Errno::LOOP | Errno::MLINK)
}

/// Creates a directory and the missing ones above it, and writes their names to the disk.
fn create_root(path: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<_> = path.ancestors().take_while(is_missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for created in missing {
        let outer = created.parent().filter(|outer| !outer.as_os_str().is_empty());
        File::open(outer.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
