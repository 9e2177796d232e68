//! Listings: a walk through the folders, in the order of their names.

use std::io;

use atproto_sansio::{Listed, StoreError, StoreErrorKind};

use super::format::{MAX_FILE, header};
use super::path::{RecordPath, is_folder, is_record};
use super::platform::{Folder, Found};
use crate::key::{MAX_SEGMENTS, PAGE, foreign_position};

/// One page of a walk.
pub(super) struct Page<'a> {
    prefix: &'a str,
    /// Names of the folders of the prefix.
    base: &'a [String],
    /// Names from the folder of the prefix to the present one.
    path: Vec<String>,
    pub(super) entries: Vec<Listed>,
    /// Position of the last entry, if the page is full.
    pub(super) next: Option<String>,
}

impl<'a> Page<'a> {
    /// An empty page of the keys under `prefix`, whose folder is `base`.
    pub(super) fn new(prefix: &'a str, base: &'a [String]) -> Self {
        Self { prefix, base, path: Vec::new(), entries: Vec::new(), next: None }
    }

    /// Walks through `folder` until the page is full. `after` are the names, from this folder on, that
    /// lead to the last entry of the page before; empty if that was not in this folder.
    pub(super) fn visit(&mut self, folder: &Folder, after: &[&str]) -> Result<(), StoreError> {
        if self.path.len() > MAX_SEGMENTS {
            return Ok(()); // no record is as deep
        }
        let mut names = folder.names().map_err(|error| failed(&error))?;
        names.sort_unstable();
        names.dedup();
        for name in names {
            if self.next.is_some() {
                break;
            }
            let rest = match after.split_first() {
                Some((first, _)) if name.as_str() < *first => continue,
                Some((first, rest)) if name == *first => rest,
                _ => &[],
            };
            self.path.push(name.clone());
            if is_folder(&name) {
                match folder.open(&name) {
                    Ok(Some(inner)) => self.visit(&inner, rest)?,
                    Ok(None) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
                    Err(error) => return Err(failed(&error)),
                }
            } else if is_record(&name) && after.first() != Some(&name.as_str()) {
                self.read(folder, &name)?;
            }
            self.path.pop();
        }
        Ok(())
    }

    /// Adds the record of the file `name`. A file that is no record, or that is the record of another
    /// name, has no key that could be listed.
    fn read(&mut self, folder: &Folder, name: &str) -> Result<(), StoreError> {
        let Found::File(file) = folder.read(name, MAX_FILE).map_err(|error| failed(&error))? else {
            return Ok(());
        };
        let Ok(header) = header(&file) else {
            return Ok(());
        };
        if !header.key.starts_with(self.prefix) || !self.is_at_home(header.key) {
            return Ok(());
        }
        let (version, expires_at) = (header.version, header.expires_at);
        self.entries.push(Listed { key: header.key.to_owned(), version, expires_at });
        if self.entries.len() >= PAGE {
            self.next = Some(self.path.join("/"));
        }
        Ok(())
    }

    /// Whether the present path is that of the record under `key`.
    fn is_at_home(&self, key: &str) -> bool {
        let home = RecordPath::of(key);
        home.folders.iter().chain([&home.file]).eq(self.base.iter().chain(&self.path))
    }
}

/// Reads the position of a listing.
pub(super) fn position(after: Option<&str>) -> Result<Vec<&str>, StoreError> {
    let names: Vec<_> = after.map_or_else(Vec::new, |after| after.split('/').collect());
    if let Some((file, folders)) = names.split_last()
        && !(is_record(file) && folders.iter().all(|name| is_folder(name)))
    {
        return Err(foreign_position());
    }
    Ok(names)
}

pub(super) fn failed(error: &io::Error) -> StoreError {
    let detail = format!("the folders of the store can't be read: {error}");
    StoreError::new(StoreErrorKind::Unavailable, detail)
}
