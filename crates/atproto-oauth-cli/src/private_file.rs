//! Files with secrets, for their owner only. A file is read and replaced as a whole.
//!
//! A link is never followed, because somebody else may choose its target. A new file is written
//! beside the old one, reaches the disk, and then gets its name. So a crash leaves the old file or
//! the new one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};

use atproto_sansio::{Entropy, SecretString, SystemEntropy};
use zeroize::Zeroizing;

use crate::failure::{CONFIGURATION, Failure};
use crate::output::tell;

/// Largest file that is read, in bytes.
const MAX_FILE: usize = 256 * 1024;

/// Reads a file with a secret that need not be for its owner only, such as a mounted key.
pub(crate) fn read_secret_file(path: &Path) -> io::Result<SecretString> {
    read_opened(&File::open(path)?)
}

fn read_opened(file: &File) -> io::Result<SecretString> {
    let text = read_secret(file, file.metadata()?.len(), MAX_FILE)?;
    text.ok_or_else(|| io::Error::other("it is too large"))
}

/// Reads a text of `size` bytes, or of another size; `None` if it has more than `max` bytes. A buffer that is too
/// small is wiped, because a string that grows would leave copies of the secret behind.
pub(crate) fn read_secret(
    mut input: impl Read,
    size: u64,
    max: usize,
) -> io::Result<Option<SecretString>> {
    let size = usize::try_from(size).unwrap_or(max).min(max);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    let mut part = Zeroizing::new(vec![0; PART]);
    loop {
        let read = match input.read(&mut part) {
            Ok(0) => break,
            Ok(count) => part.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.len() + read.len() > max {
            return Ok(None);
        }
        if bytes.len() + read.len() > bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * bytes.capacity() + PART));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(read);
    }
    String::from_utf8(mem::take(&mut *bytes)).map(|text| Some(SecretString::new(text))).map_err(
        |error| {
            drop(Zeroizing::new(error.into_bytes()));
            io::Error::from(ErrorKind::InvalidData)
        },
    )
}

/// Bytes that are read at once.
const PART: usize = 64 * 1024;

/// Opened file, with its path and its name in messages.
#[derive(Debug)]
pub(crate) struct PrivateFile {
    what: &'static str,
    path: PathBuf,
    file: File,
}

impl PrivateFile {
    /// Opens the file; `None` if there is none. `what` names the file in messages.
    pub(crate) fn open(what: &'static str, path: &Path) -> Result<Option<Self>, Failure> {
        let failed = |error: io::Error| Failure::file(what, path, &error);
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found.map_err(failed)?,
        };
        check_type(what, path, &found)?;
        let file = File::open(path).map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        if !is_same(&found, &opened) {
            return Err(failed(io::Error::other("it was replaced while it was opened")));
        }
        check_access(what, path, &opened)?;
        Ok(Some(Self { what, path: path.to_owned(), file }))
    }

    /// Opens the file and locks it against other processes of this command; `None` if there is no
    /// file. The lock ends with the value.
    pub(crate) fn lock(what: &'static str, path: &Path) -> Result<Option<Self>, Failure> {
        loop {
            let Some(opened) = Self::open(what, path)? else { return Ok(None) };
            if opened.file.try_lock().is_err() {
                tell(format_args!("Waiting for another process that uses {} …", path.display()));
                opened.file.lock().map_err(|error| Failure::file(what, path, &error))?;
            }
            // The process that held the lock may have replaced the file, so that the lock is one of
            // the old file.
            let locked = opened.file.metadata();
            let current = fs::symlink_metadata(path);
            if let (Ok(locked), Ok(current)) = (locked, current)
                && is_same(&locked, &current)
            {
                return Ok(Some(opened));
            }
        }
    }

    /// Reads the whole file.
    pub(crate) fn read(&self) -> Result<SecretString, Failure> {
        read_opened(&self.file).map_err(|error| Failure::file(self.what, &self.path, &error))
    }

    /// Removes the file. It is an error if another process has removed or replaced it.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        let failed = |error: &io::Error| Failure::file(self.what, &self.path, error);
        let opened = self.file.metadata().map_err(|error| failed(&error))?;
        let current = fs::symlink_metadata(&self.path).map_err(|error| failed(&error))?;
        if !is_same(&opened, &current) {
            return Err(failed(&io::Error::other("another process has replaced it")));
        }
        fs::remove_file(&self.path).map_err(|error| failed(&error))
    }
}

/// New file beside the place that it is for. It is removed if it does not get there.
#[derive(Debug)]
pub(crate) struct Draft {
    what: &'static str,
    place: PathBuf,
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Creates the file. So a folder that can't be written is noticed before a secret is spent.
    pub(crate) fn create(what: &'static str, place: &Path) -> Result<Self, Failure> {
        let failed = |error: &io::Error| Failure::file(what, place, error);
        if let Ok(found) = fs::symlink_metadata(place) {
            check_type(what, place, &found)?;
        }
        let Some(name) = place.file_name() else {
            return Err(failed(&io::Error::from(ErrorKind::IsADirectory)));
        };
        let mut random = [0; 8];
        SystemEntropy.fill(&mut random);
        let mut draft = std::ffi::OsString::from(".");
        draft.push(name);
        draft.push(format!(".{:016x}.new", u64::from_be_bytes(random)));
        let path = place.with_file_name(draft);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| failed(&error))?;
        Ok(Self { what, place: place.to_owned(), path, file })
    }

    /// Writes the file, and moves it over the one that is there.
    pub(crate) fn replace(self, text: &str) -> Result<(), Failure> {
        self.write(text)
            .and_then(|()| fs::rename(&self.path, &self.place))
            .map_err(|error| Failure::file(self.what, &self.place, &error))?;
        self.sync_folder();
        Ok(())
    }

    /// Writes the file, and gives it its name unless there is a file of this name.
    pub(crate) fn add(self, text: &str) -> Result<(), Failure> {
        let added = self.write(text).and_then(|()| fs::hard_link(&self.path, &self.place));
        added.map_err(|error| Failure::file(self.what, &self.place, &error))?;
        self.sync_folder();
        Ok(())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        (&self.file).write_all(text.as_bytes())?;
        self.file.sync_all()
    }

    /// Makes the new name durable. The new file is in place already, so a failure is none of the
    /// caller's.
    fn sync_folder(&self) {
        #[cfg(unix)]
        {
            let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or_else(|| Path::new(".")));
            let _ = folder.and_then(|folder| folder.sync_all());
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `replace`, there is none.
        let _ = fs::remove_file(&self.path);
    }
}

fn check_type(what: &str, path: &Path, found: &Metadata) -> Result<(), Failure> {
    match found.is_file() {
        true => Ok(()),
        false => Err(Failure::file(what, path, &io::Error::other("it is a link or no file"))),
    }
}

#[cfg(unix)]
fn check_access(what: &str, path: &Path, found: &Metadata) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    match found.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(Failure::new(
            CONFIGURATION,
            format!("other users may access {what} {}", path.display()),
            "make it private (chmod 600), and log in again if they may have read it",
        )),
    }
}

#[cfg(not(unix))]
fn check_access(_: &str, _: &Path, _: &Metadata) -> Result<(), Failure> {
    Ok(())
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_any_size_is_read_up_to_the_limit() {
        let text = "é".repeat(PART);
        let read = |size: usize, max| read_secret(text.as_bytes(), size as u64, max);
        for size in [0, 1, text.len(), usize::MAX] {
            assert_eq!(read(size, text.len()).unwrap().unwrap().expose(), text);
            assert!(read(size, text.len() - 1).unwrap().is_none());
        }
        let error = read_secret(&b"\xff"[..], 1, 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
