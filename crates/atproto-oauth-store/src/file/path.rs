//! The place of a record: folders and a file, each named by a hash.
//!
//! ```text
//! records/<hash of segment 1>/<xx>/<hash of segment 2>/…/<hash of the last segment>.record
//! ```
//!
//! A name is the first 40 hex digits of the SHA-256 of its segment, so no segment can leave the folder,
//! and no file system mistakes `A` for `a`. `xx` are the first two digits of the next name. They spread
//! the many accounts and logins over 256 folders, so that a page of a listing reads few names.

use sha2::{Digest, Sha256};

/// The end of the name of each record's file.
const RECORD: &str = ".record";

/// Hex digits of a name.
const DIGITS: usize = 40;

/// Number of the segment whose names are spread over folders of two digits.
const SPREAD: usize = 1;

/// The file of one record, relative to the folder of all records.
pub(super) struct RecordPath {
    /// Names of the folders, from the outside in.
    pub(super) folders: Vec<String>,
    /// Name of the file.
    pub(super) file: String,
}

impl RecordPath {
    /// The file of the record under `key`, which is one or more segments.
    pub(super) fn of(key: &str) -> Self {
        let mut folders = folders(key.split('/'));
        let file = folders.pop().unwrap_or_default() + RECORD;
        Self { folders, file }
    }

    /// Name of the lock that a writer of this record holds. It is one of 256, so two writers rarely
    /// wait for each other, unless they write the same record.
    pub(super) fn lock(&self) -> String {
        let whole = Sha256::digest(self.to_string().as_bytes());
        hex(&whole).chars().take(2).chain(".lock".chars()).collect()
    }
}

/// For error texts: the path of the file in the store's directory.
impl std::fmt::Display for RecordPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("records/")?;
        for folder in &self.folders {
            write!(f, "{folder}/")?;
        }
        f.write_str(&self.file)
    }
}

/// The folder of the keys that begin with `prefix`, which is empty or ends with `/`.
pub(super) fn folders_of_prefix(prefix: &str) -> Vec<String> {
    prefix.strip_suffix('/').map_or_else(Vec::new, |segments| folders(segments.split('/')))
}

/// Whether `name` can be that of a folder of records.
pub(super) fn is_folder(name: &str) -> bool {
    matches!(name.len(), 2 | DIGITS) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `name` can be that of a record's file.
pub(super) fn is_record(name: &str) -> bool {
    name.strip_suffix(RECORD).is_some_and(|name| name.len() == DIGITS && is_folder(name))
}

fn folders<'a>(segments: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names = Vec::new();
    for (number, segment) in segments.enumerate() {
        let name: String = hex(&Sha256::digest(segment.as_bytes())).chars().take(DIGITS).collect();
        if number == SPREAD {
            names.push(name.chars().take(2).collect());
        }
        names.push(name);
    }
    names
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
