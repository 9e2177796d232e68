//! Files that the verbs write: a new file for a private key, and documents that replace older ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use atproto_sansio::SecretString;

use crate::failure::{CONFIGURATION, Failure};

/// Creates a file that only its owner may read. A file that exists already stays as it is.
pub(crate) fn create_secret(path: &Path, text: &SecretString) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| refused(path, &error))?;
    let written = file.write_all(text.expose().as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // A part of a key is of no use, and would be in the way of the next attempt.
        let _ = fs::remove_file(path);
        Failure::file("the key file", path, &error)
    })
}

/// Writes documents that may replace older ones. A reader finds the old or the new document, never a
/// part: each is written beside its place, and all are moved into place when all are complete.
pub(crate) fn replace<'a>(
    documents: impl Iterator<Item = (&'a Path, &'a str)>,
) -> Result<(), Failure> {
    let mut written: Vec<(PathBuf, &Path)> = Vec::new();
    let mut result = Ok(());
    for (path, text) in documents {
        let beside = beside(path);
        if let Err(error) = write_new(&beside, text) {
            result = Err(Failure::file("the document", path, &error));
            break;
        }
        written.push((beside, path));
    }
    for (beside, path) in &written {
        if result.is_ok() {
            let moved = fs::rename(beside, path);
            result = moved.map_err(|error| Failure::file("the document", path, &error));
        }
        if result.is_err() {
            let _ = fs::remove_file(beside);
        }
    }
    result
}

/// Path of the temporary file for a document, in the same folder.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::file("the key file", path, error);
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(
            CONFIGURATION,
            format!(
                "{} exists already, and no key is overwritten, because sessions may need it",
                path.display()
            ),
            "name another file with --output",
        ),
        io::ErrorKind::NotFound => failure.help("create its folder first"),
        _ => failure,
    }
}
