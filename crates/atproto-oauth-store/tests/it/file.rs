use std::env;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use atproto_oauth_store::{Expect, FileStore, Saved, Store, StoreErrorKind, UnixTime, conformance};
use tempfile::TempDir;

use crate::{loaded, value};

const DIR: &str = "ATPROTO_OAUTH_STORE_TEST_DIR";

const KEY: &str = "session/did:plc:a/1";

fn open() -> (TempDir, FileStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path().join("store")).unwrap();
    (dir, store)
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The one file of a record.
fn record(dir: &TempDir) -> PathBuf {
    let [file] = <[PathBuf; 1]>::try_from(files(&dir.path().join("store/records"))).unwrap();
    file
}

#[track_caller]
fn is_unreadable(store: &FileStore, key: &str) {
    assert_eq!(store.load(key).unwrap_err().kind, StoreErrorKind::Unreadable);
    for expect in [Expect::Absent, Expect::Any] {
        let error = store.save(key, &value(b"2"), expect, None).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unreadable);
        assert!(!error.maybe_applied);
    }
    let error = store.delete(key, Expect::Any).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreadable);
    assert!(!error.to_string().contains(key));
}

#[test]
fn conforms() {
    let (_dir, store) = open();
    conformance::run(&store).unwrap();
}

#[test]
fn conforms_as_half_of_a_split() {
    let (_dir, states) = open();
    let store = atproto_oauth_store::Split::new(states, atproto_oauth_store::MemoryStore::new());
    conformance::run(&store).unwrap();
}

#[test]
fn processes_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let open = |place: &str| FileStore::open(place).unwrap();
    let place = dir.path().join("store");
    conformance::processes("file::processes_add_up", place.to_str().unwrap(), open).unwrap();
}

#[test]
fn a_record_outlives_its_store() {
    let (dir, store) = open();
    let expiry = Some(UnixTime::from_secs(5));
    let saved = store.save(KEY, &value(b"1"), Expect::Absent, expiry).unwrap();
    drop(store);
    let store = FileStore::open(dir.path().join("store")).unwrap();
    let record = loaded(&store, KEY);
    assert_eq!(saved, Saved::As(record.version));
    assert_eq!(record.expires_at, expiry);
}

#[test]
fn permissions_are_the_owners() {
    let (dir, store) = open();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o777;
    let root = dir.path().join("store");
    assert_eq!(mode(&root), 0o700);
    for file in files(&root) {
        assert_eq!(mode(&file), 0o600);
        for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(&root)) {
            assert_eq!(mode(folder), 0o700);
        }
    }
}

#[test]
fn a_directory_that_others_may_access_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("open to others");
    fs::create_dir(&path).unwrap();
    for mode in [0o755, 0o770, 0o702, 0o701] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = FileStore::open(&path).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Misconfigured);
        let way_out = format!("run: chmod 700 '{}'", path.display());
        assert!(error.to_string().contains(&way_out), "{error}");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    FileStore::open(&path).unwrap();
}

#[test]
fn no_segment_leaves_the_directory() {
    let (dir, store) = open();
    let keys =
        ["session/../../../evil", "../evil", "session/did:web:..%2f..%2fevil/1", "state/a\\..\\b"];
    for key in keys {
        store.save(key, &value(b"1"), Expect::Absent, None).unwrap();
        assert_eq!(&*loaded(&store, key).value.0, b"1");
    }
    assert_eq!(files(&dir.path().join("store/records")).len(), keys.len());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    for file in files(&dir.path().join("store")) {
        assert!(!file.to_str().unwrap().contains("evil"));
    }
}

#[test]
fn a_link_in_place_of_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    drop(FileStore::open(&target).unwrap());
    symlink(&target, &link).unwrap();
    for path in [link.clone(), link.join(""), link.join(".")] {
        assert_eq!(FileStore::open(path).unwrap_err().kind, StoreErrorKind::Misconfigured);
    }
}

#[test]
fn a_link_in_place_of_a_record_is_not_followed() {
    let (dir, store) = open();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let (file, outside) = (record(&dir), dir.path().join("outside"));
    fs::rename(&file, &outside).unwrap();
    let before = fs::read(&outside).unwrap();
    symlink(&outside, &file).unwrap();
    is_unreadable(&store, KEY);
    assert!(store.list("", None).unwrap().entries.is_empty());
    assert_eq!(fs::read(&outside).unwrap(), before);
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
}

#[test]
fn a_link_in_place_of_a_folder_is_not_followed() {
    let (dir, store) = open();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let folder = record(&dir).parent().unwrap().to_owned();
    let outside = dir.path().join("outside");
    fs::rename(&folder, &outside).unwrap();
    symlink(&outside, &folder).unwrap();
    is_unreadable(&store, KEY);
    let error = store.save("session/did:plc:a/2", &value(b"1"), Expect::Any, None).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreadable);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(store.list("session/", None).unwrap().entries.is_empty());
}

#[test]
fn links_in_place_of_locks_and_temporary_files_are_not_followed() {
    let (dir, store) = open();
    let (locks, outside) = (dir.path().join("store/locks"), dir.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    for number in 0..=255 {
        symlink(outside.join("lock"), locks.join(format!("{number:02x}.lock"))).unwrap();
    }
    assert!(store.save(KEY, &value(b"1"), Expect::Absent, None).is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    for folder in ["locks", "temporary", "records"] {
        let path = dir.path().join("store").join(folder);
        fs::remove_dir_all(&path).unwrap();
        symlink(&outside, &path).unwrap();
        let error = FileStore::open(dir.path().join("store")).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Misconfigured);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_named_pipe_does_not_block() {
    let (dir, store) = open();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let file = record(&dir);
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    is_unreadable(&store, KEY);
    assert!(store.list("", None).unwrap().entries.is_empty());
}

#[test]
fn a_file_of_another_key_is_unreadable_and_kept() {
    let (dir, store) = open();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    let first = record(&dir);
    let other = "session/did:plc:b/1";
    store.save(other, &value(b"2"), Expect::Absent, None).unwrap();
    let second =
        files(&dir.path().join("store/records")).into_iter().find(|file| *file != first).unwrap();
    fs::copy(&first, &second).unwrap();
    is_unreadable(&store, other);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let entries = store.list("", None).unwrap().entries;
    assert_eq!(entries.len(), 1, "the record is listed under its own name only");
    // Also a copy below the folder of the same prefix.
    fs::copy(&first, dir.path().join("store/records").join(first.file_name().unwrap())).unwrap();
    assert_eq!(store.list("", None).unwrap().entries.len(), 1);
}

#[test]
fn a_truncated_or_changed_file_is_unreadable_and_kept() {
    let (dir, store) = open();
    let expiry = Some(UnixTime::from_secs(9));
    store.save(KEY, &value(b"a value of some bytes"), Expect::Absent, expiry).unwrap();
    let file = record(&dir);
    let whole = fs::read(&file).unwrap();
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        is_unreadable(&store, KEY);
        assert_eq!(fs::read(&file).unwrap(), &whole[..length]);
        store.list("", None).unwrap();
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&file, &changed).unwrap();
        is_unreadable(&store, KEY);
        store.list("", None).unwrap();
    }
    fs::write(&file, [&whole[..], b"x"].concat()).unwrap();
    is_unreadable(&store, KEY);
    File::create(&file).unwrap().set_len(1 << 30).unwrap();
    is_unreadable(&store, KEY);
    fs::write(&file, &whole).unwrap();
    assert_eq!(&*loaded(&store, KEY).value.0, b"a value of some bytes");
}

#[test]
fn the_format_of_a_file_does_not_change() {
    let (dir, store) = open();
    let saved =
        store.save("a", &value(b"v"), Expect::Absent, Some(UnixTime::from_secs(9))).unwrap();
    let Saved::As(version) = saved else { panic!("a first save conflicts") };
    let file = record(&dir);
    // printf a | sha256sum | cut -c 1-40
    assert_eq!(file.file_name().unwrap(), "ca978112ca1bbdcafac231b39a23dc4da786eff8.record");
    let bytes = fs::read(&file).unwrap();
    let header = [
        b"atproto-oauth-store record 1\n",
        &version.0.to_be_bytes()[..],
        &[1, 0, 0, 0, 0, 0, 0, 0, 9],
        &[0, 0, 0, 1, 0, 0, 0, 1],
        b"a",
    ]
    .concat();
    assert_eq!(bytes[..header.len()], header);
    assert_eq!(bytes[header.len() + 32], b'v');
    assert_eq!(bytes.len(), header.len() + 32 + 1 + 32);
}

#[test]
fn a_stale_temporary_file_is_removed_and_a_fresh_one_is_not() {
    let (dir, store) = open();
    let folder = dir.path().join("store/temporary");
    let (stale, fresh) = (folder.join("stale.new"), folder.join("fresh.new"));
    let prepare = || {
        for (path, age) in [(&stale, 61), (&fresh, 59)] {
            let time = SystemTime::now() - Duration::from_secs(age * 60);
            File::create(path).unwrap().set_modified(time).unwrap();
        }
    };
    let check = |what: &str| {
        assert!(!stale.exists(), "{what} keeps a stale file");
        assert!(fresh.exists(), "{what} removes a fresh file");
    };
    prepare();
    store.list("", None).unwrap();
    check("list");
    prepare();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    check("save");
    prepare();
    FileStore::open(dir.path().join("store")).unwrap();
    check("open");
}

#[test]
fn nothing_temporary_remains_after_a_write() {
    let (dir, store) = open();
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    store.save(KEY, &value(b"2"), Expect::Absent, None).unwrap();
    store.save(KEY, &value(b"2"), Expect::Any, None).unwrap();
    assert!(files(&dir.path().join("store/temporary")).is_empty());
}

#[test]
fn a_sweep_removes_what_has_expired() {
    let (_dir, store) = open();
    for number in 0..250 {
        let expiry = Some(UnixTime::from_secs(number % 2));
        store.save(&format!("state/{number}"), &value(b"1"), Expect::Absent, expiry).unwrap();
    }
    store.save(KEY, &value(b"1"), Expect::Absent, None).unwrap();
    assert_eq!(store.sweep(UnixTime::from_secs(0)).unwrap(), 0);
    assert_eq!(store.sweep(UnixTime::from_secs(1)).unwrap(), 125);
    assert_eq!(store.sweep(UnixTime::from_secs(9)).unwrap(), 125);
    loaded(&store, KEY);
}

#[test]
fn debug_and_errors_of_a_missing_directory_are_clear() {
    let (dir, store) = open();
    assert!(format!("{store:?}").contains("store"));
    let file = dir.path().join("file");
    File::create(&file).unwrap();
    for path in [file.clone(), file.join("below")] {
        assert_eq!(FileStore::open(path).unwrap_err().kind, StoreErrorKind::Misconfigured);
    }
    // The directory is removed while the store is open.
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    let error = store.save(KEY, &value(b"1"), Expect::Any, None).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable);
}

/// The body of a process that is killed: writes values of one repeated byte.
#[test]
fn writer_that_is_killed() {
    let Ok(dir) = env::var(DIR) else { return };
    let store = FileStore::open(dir).unwrap();
    println!("ready");
    for number in 0_usize.. {
        let letter = b'a' + u8::try_from(number % 26).unwrap();
        let bytes = vec![letter; 1000 + number % 7 * 10_000];
        let key = format!("session/did:plc:a/{}", number % 5);
        store.save(&key, &value(&bytes), Expect::Any, None).unwrap();
        if number % 11 == 0 {
            store.delete(&key, Expect::Any).unwrap();
        }
    }
}

#[test]
fn a_killed_writer_leaves_whole_records_and_no_lock() {
    let (dir, store) = open();
    for round in 0..10_u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["file::writer_that_is_killed", "--exact", "--nocapture"])
            .env(DIR, dir.path().join("store"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap().contains("ready")));
        std::thread::sleep(Duration::from_millis(20 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for number in 0..5 {
            let key = format!("session/did:plc:a/{number}");
            if let Some(record) = store.load(&key).unwrap() {
                let bytes = &record.value.0;
                assert!(bytes.len() >= 1000 && bytes.iter().all(|byte| *byte == bytes[0]));
            }
            store.save(&key, &value(&[b'z'; 1000]), Expect::Any, None).unwrap();
        }
        let count = store.list("session/did:plc:a/", None).unwrap().entries.len();
        assert_eq!(count, 5);
    }
}
