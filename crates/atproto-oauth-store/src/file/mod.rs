//! [`FileStore`]: one file a record.

mod failure;
mod format;
mod path;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod platform;
mod walk;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use atproto_sansio::{
    Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, StoreErrorKind, UnixTime,
    Version,
};

use crate::key::{check_key, check_prefix, check_value};
use crate::record::{deletion, is_met, new_version, whole_seconds};
use crate::store::Store;
use failure::{failed, failed_halfway, misconfigured, unreadable};
use format::{MAX_FILE, decode, encode};
use path::{RecordPath, folders_of_prefix};
use platform::{Folder, Found, Lock};

/// Age after which a temporary file is that of a process that has crashed.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Time that a writer waits for another writer of the same record.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Depth of the folders that many records share: the first segment, and the 256 folders below it.
const SHARED_DEPTH: usize = 2;

/// Number of shared folders that a store remembers.
const MAX_SYNCED: usize = 4096;

/// A store in a directory, for several processes on one machine.
///
/// # Files
///
/// Each record is a file. Its name, and those of the folders above it, are hashes of the segments of
/// the key, so no key can lead out of the directory. The file has the key in it, and a file that was
/// copied to another name is [`StoreErrorKind::Unreadable`] there. On Unix, only the owner may
/// access the directory and its files, and no link is followed; on Windows, the permissions are
/// those of the folder above.
///
/// # Promises
///
/// * A reader sees a whole record, the old one or the new one. Readers wait for nobody.
/// * A record is on the disk when `save` returns, and its removal when `delete` returns.
/// * A writer holds one of 256 locks of the operating system, which a crash releases. It waits ten
///   seconds for it at most.
/// * A file that can't be read is never replaced and never removed. `list` leaves it out if its key
///   can't be read.
/// * A temporary file of a crashed process is removed an hour later, by the next `save` or `list`.
///
/// The directory must be on a local file system. File systems of a network may neither lock files nor
/// write them to the disk.
///
/// Limits: [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES), [`MAX_SEGMENTS`](crate::MAX_SEGMENTS),
/// [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES). An expiry is kept in whole seconds. Values are stored
/// as they are; a removed value may stay on the disk until it is overwritten.
pub struct FileStore {
    path: PathBuf,
    records: Folder,
    locks: Folder,
    temporary: Folder,
    /// Outer folders that this process has seen on the disk.
    synced: Mutex<HashSet<Vec<String>>>,
}

impl FileStore {
    /// Opens the store in the directory `path`. A missing directory is created, for its owner only.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreErrorKind::Misconfigured`] if the directory can't be created or written, if
    /// other users may access it, if it belongs to another user, or if it is a link.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        // Without a slash at its end, behind which a link would be followed.
        let path: &Path = &path.as_ref().components().collect::<PathBuf>();
        let root = Folder::root(path)?;
        let open = |name: &str| {
            root.create(name).map(|(folder, _)| folder).map_err(|error| {
                let path = path.join(name);
                misconfigured(format!(
                    "the store can't open the folder {}: {error}",
                    path.display()
                ))
            })
        };
        let store = Self {
            path: path.to_owned(),
            records: open("records")?,
            locks: open("locks")?,
            temporary: open("temporary")?,
            synced: Mutex::default(),
        };
        root.sync().map_err(|error| {
            let detail = format!("the file system of {} can't sync: {error}", path.display());
            misconfigured(format!("{detail}; use a directory on a local disk"))
        })?;
        store.remove_stale();
        Ok(store)
    }

    /// Removes the records whose expiry is before `now`, and returns their number. It reads the
    /// header of every record.
    ///
    /// # Errors
    ///
    /// Fails if a file can't be read or removed. The records that were removed before stay removed.
    pub fn sweep(&self, now: UnixTime) -> Result<usize, StoreError> {
        let mut removed = 0;
        let mut after = None;
        loop {
            let page = self.list("", after.as_deref())?;
            for entry in page.entries {
                if entry.expires_at.is_some_and(|expiry| expiry < now)
                    && self.delete(&entry.key, Expect::Version(entry.version))? == Deleted::Yes
                {
                    removed += 1;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(removed);
            }
        }
    }

    /// Opens the folder of a record; `None` if there is none.
    fn folder(&self, folders: &[String]) -> std::io::Result<Option<Folder>> {
        let mut outer = self.records.again()?;
        for name in folders {
            let Some(inner) = outer.open(name)? else {
                return Ok(None);
            };
            outer = inner;
        }
        Ok(Some(outer))
    }

    /// Creates the folders of a record. They are on the disk before the record is in them, so a record
    /// that exists needs no more than the sync of its own folder.
    fn create_folder(&self, folders: &[String]) -> std::io::Result<Folder> {
        let mut outer = self.records.again()?;
        for (depth, name) in folders.iter().enumerate() {
            let (inner, is_new) = outer.create(name)?;
            // A folder that another process has created may not be on the disk yet.
            let shared = folders.get(..=depth).filter(|path| path.len() <= SHARED_DEPTH);
            if is_new || !shared.is_some_and(|path| self.synced().contains(path)) {
                outer.sync()?;
                let mut synced = self.synced();
                if let Some(path) = shared.filter(|_| synced.len() < MAX_SYNCED) {
                    synced.insert(path.to_vec());
                }
            }
            outer = inner;
        }
        Ok(outer)
    }

    fn synced(&self) -> MutexGuard<'_, HashSet<Vec<String>>> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the record of one file.
    fn read(
        &self,
        folder: Option<&Folder>,
        path: &RecordPath,
        key: &str,
    ) -> Result<Option<Record>, StoreError> {
        let Some(folder) = folder else {
            return Ok(None);
        };
        match folder.read(&path.file, MAX_FILE).map_err(|error| failed(path, &error))? {
            Found::Nothing => Ok(None),
            Found::Foreign => Err(unreadable(path, "is a link, or no file of a record's size")),
            Found::File(bytes) => {
                decode(bytes, key).map(Some).map_err(|what| unreadable(path, what))
            }
        }
    }

    /// Writes a whole file beside the records, and moves it to its place.
    fn place(
        &self,
        folder: &Folder,
        path: &RecordPath,
        file: &[u8],
        version: Version,
    ) -> Result<(), StoreError> {
        let name = format!("{:016x}.new", version.0);
        self.temporary.write_new(&name, file).map_err(|error| failed(path, &error))?;
        self.temporary.rename(&name, folder, &path.file).map_err(|error| {
            let _ = self.temporary.remove(&name);
            failed_halfway(path, &error)
        })?;
        folder.sync().map_err(|error| failed_halfway(path, &error))
    }

    /// Waits for the lock of a record.
    fn lock(&self, path: &RecordPath) -> Result<Lock, StoreError> {
        let name = path.lock();
        let start = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            match self.locks.try_lock(&name) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if start.elapsed() < LOCK_WAIT => {
                    sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(5));
                }
                Ok(None) => {
                    let detail = format!(
                        "another writer has held the lock locks/{name} for {} seconds",
                        LOCK_WAIT.as_secs()
                    );
                    return Err(StoreError::new(StoreErrorKind::Unavailable, detail));
                }
                Err(error) => {
                    let detail = format!("the lock locks/{name} can't be acquired: {error}");
                    return Err(StoreError::new(StoreErrorKind::Unavailable, detail));
                }
            }
        }
    }

    /// Removes the temporary files of crashed processes. A failure is left to the next time.
    fn remove_stale(&self) {
        let now = SystemTime::now();
        for name in self.temporary.names().unwrap_or_default() {
            if let Ok(Some(modified)) = self.temporary.modified(&name)
                && now.duration_since(modified).is_ok_and(|age| age > STALE)
            {
                let _ = self.temporary.remove(&name);
            }
        }
    }
}

impl Store for FileStore {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        let path = RecordPath::of(key);
        let folder = self.folder(&path.folders).map_err(|error| failed(&path, &error))?;
        self.read(folder.as_ref(), &path, key)
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        check_key(key)?;
        check_value(value)?;
        self.remove_stale();
        let version = new_version()?;
        let path = RecordPath::of(key);
        let _lock = self.lock(&path)?;

        let folder = self.folder(&path.folders).map_err(|error| failed(&path, &error))?;
        let present = self.read(folder.as_ref(), &path, key)?;
        if !is_met(expect, present.as_ref().map(|record| record.version)) {
            return Ok(Saved::Conflict);
        }
        let folder = match folder {
            Some(folder) if present.is_some() => folder,
            _ => self.create_folder(&path.folders).map_err(|error| failed(&path, &error))?,
        };
        let file = encode(key, &value.0, version, whole_seconds(expires_at));
        self.place(&folder, &path, &file, version)?;
        Ok(Saved::As(version))
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        check_key(key)?;
        let path = RecordPath::of(key);
        let _lock = self.lock(&path)?;
        let Some(folder) = self.folder(&path.folders).map_err(|error| failed(&path, &error))?
        else {
            return Ok(Deleted::Yes);
        };
        let present = self.read(Some(&folder), &path, key)?;
        match deletion(expect, present.map(|record| record.version)) {
            Some(Deleted::Conflict) => return Ok(Deleted::Conflict),
            // A process may have crashed between a removal and its sync.
            Some(Deleted::Yes) => {}
            None => folder.remove(&path.file).map_err(|error| failed_halfway(&path, &error))?,
        }
        folder.sync().map_err(|error| failed_halfway(&path, &error))?;
        Ok(Deleted::Yes)
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        check_prefix(prefix)?;
        let position = walk::position(after)?;
        self.remove_stale();
        let base = folders_of_prefix(prefix);
        let folder = self.folder(&base).map_err(|error| walk::failed(&error))?;
        let mut page = walk::Page::new(prefix, &base);
        if let Some(folder) = folder {
            page.visit(&folder, &position)?;
        }
        Ok(Listing { entries: page.entries, next: page.next })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path).finish_non_exhaustive()
    }
}
