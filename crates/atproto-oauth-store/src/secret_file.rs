//! [`secret_file`]: a secret that a program makes once, and keeps in a file of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use atproto_sansio::{SecretString, StoreError, StoreErrorKind};
use zeroize::Zeroizing;

/// Returns the secret in the file `path`, without white space at its end. If there is no such file,
/// `new` becomes the secret, and is written to a file for its owner only.
///
/// If several processes start at the same time, all of them return the secret of the one that made the
/// file. Keep the file apart from the store and its backups: the key of a sealed store is of no use
/// beside the store.
///
/// # Errors
///
/// Fails with [`StoreErrorKind::Misconfigured`] if the file can't be read or made, if it is empty, or if
/// other users may access it.
pub fn secret_file(path: impl AsRef<Path>, new: &SecretString) -> Result<SecretString, StoreError> {
    let path = path.as_ref();
    let found = match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(path, new).and_then(|()| read(path))
        }
        found => found,
    };
    found.map_err(|error| {
        let detail = format!("the secret file {}: {error}", path.display());
        StoreError::new(StoreErrorKind::Misconfigured, detail)
    })
}

fn read(path: &Path) -> io::Result<SecretString> {
    let file = File::open(path)?;
    check_access(&file)?;
    let text = Zeroizing::new(io::read_to_string(file)?);
    match text.trim_end() {
        "" => Err(io::Error::other("it is empty")),
        text => Ok(SecretString::new(text)),
    }
}

/// Makes the file, unless another process is faster. The file is complete when it gets its name.
fn make(path: &Path, secret: &SecretString) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.new", getrandom::u64().map_err(io::Error::other)?));
    let new = Path::new(&name);
    let mut file = create_for_owner(new)?;
    let written = file.write_all(secret.expose().as_bytes()).and_then(|()| file.sync_all());
    let made = written.and_then(|()| match fs::hard_link(new, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(new)?;
    made
}

#[cfg(unix)]
fn create_for_owner(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The folder of the file decides who may read it.
#[cfg(not(unix))]
fn create_for_owner(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn check_access(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match file.metadata()?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::other("other users may access it; run: chmod 600 on it")),
    }
}

#[cfg(not(unix))]
fn check_access(_: &File) -> io::Result<()> {
    Ok(())
}
