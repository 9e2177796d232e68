//! Tests: a secret in a file is made once, for its owner only.

use std::fs;
use std::thread;

use atproto_oauth_store::{StoreErrorKind, secret_file};
use atproto_sansio::SecretString;

#[test]
fn a_secret_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealing.key");
    let first = secret_file(&path, &SecretString::new("first")).unwrap();
    let second = secret_file(&path, &SecretString::new("second")).unwrap();
    assert_eq!([first.expose(), second.expose()], ["first", "first"]);
    // The folder has no other file.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn programs_that_start_together_get_one_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let start = |number: usize| {
        let path = path.clone();
        thread::spawn(move || secret_file(path, &SecretString::new(format!("{number}"))).unwrap())
    };
    let started: Vec<_> = (0..8).map(start).collect();
    let secrets = started.into_iter().map(|thread| thread.join().unwrap().expose().to_owned());
    let mut secrets: Vec<_> = secrets.collect();
    secrets.dedup();
    assert_eq!(secrets.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_secret_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    secret_file(&path, &SecretString::new("secret")).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = secret_file(&path, &SecretString::new("other")).unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Misconfigured);
}

#[test]
fn an_empty_file_and_a_missing_folder_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    let new = SecretString::new("new");
    secret_file(&empty, &new).unwrap();
    fs::write(&empty, "\n").unwrap();
    for path in [empty, folder.path().join("missing/key")] {
        let error = secret_file(path, &new).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Misconfigured);
    }
}
