//! Files that the verbs write: a new file for a private key, and documents that replace older ones.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

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

fn refused(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::file("the key file", path, error);
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(
            CONFIGURATION,
            format!(
                "{} exists already, and no key is overwritten, because sessions may need it; name \
                 another file with --output",
                path.display()
            ),
        ),
        io::ErrorKind::NotFound => failure.and("create its folder first"),
        _ => failure,
    }
}
