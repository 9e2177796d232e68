//! Encryption at rest: which values open, with which keys, and under which record keys.

use std::sync::Arc;

use atproto_oauth_store::{
    AsyncStore, Deleted, Expect, MemoryStore, Saved, Sealed, SealingKey, SealingKeys, Split, Store,
    StoreError, StoreErrorKind, UnixTime, conformance,
};
use atproto_sansio::SecretString;

use crate::{loaded, value};

fn key(byte: u8) -> SealingKey {
    SealingKey::new([byte; 32])
}

fn sealed(key: SealingKey) -> Sealed<Arc<MemoryStore>> {
    Sealed::new(Arc::default(), SealingKeys::new(key))
}

/// The sealed bytes of a record.
fn bytes(store: &Sealed<Arc<MemoryStore>>, key: &str) -> Vec<u8> {
    loaded(store.inner(), key).value.0.to_vec()
}

fn put(store: &impl Store, key: &str, bytes: &[u8]) {
    assert!(matches!(Store::save(store, key, &value(bytes), Expect::Any, None), Ok(Saved::As(_))));
}

#[track_caller]
fn unreadable(store: &impl Store, key: &str, hint: &str) {
    let error = Store::load(store, key).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreadable);
    assert!(error.detail.contains(hint), "{error}");
}

#[test]
fn the_checks_pass() {
    conformance::run(&sealed(key(1))).unwrap();
}

#[tokio::test]
async fn the_checks_pass_over_an_async_store() {
    conformance::run_async(&sealed(key(1))).await.unwrap();
}

#[test]
fn a_stored_value_shows_nothing_of_the_plain_one() {
    let store = sealed(key(1));
    put(&store, "session/a", b"the refresh token");
    let first = bytes(&store, "session/a");
    assert!(
        !first.windows(5).any(|part| b"the refresh token".windows(5).any(|plain| plain == part))
    );
    // magic, format, length, id, nonce, tag
    assert_eq!(first.len(), 4 + 1 + 1 + 16 + 24 + 17 + 16);
    put(&store, "session/a", b"the refresh token");
    assert_ne!(bytes(&store, "session/a")[22..46], first[22..46], "the nonce is new");
}

#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let store = sealed(key(1));
    put(&store, "session/a", b"value");
    let good = bytes(&store, "session/a");
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 1;
        put(store.inner(), "session/a", &changed);
        unreadable(&store, "session/a", "");
        put(store.inner(), "session/a", &good[..position]);
        unreadable(&store, "session/a", "");
    }
    put(store.inner(), "session/a", &good);
    assert_eq!(loaded(&store, "session/a").value, value(b"value"));
}

#[test]
fn a_value_opens_in_another_store_and_not_under_another_key() {
    let store = sealed(key(1));
    put(&store, "session/did:plc:a/1", b"value");
    let bytes = bytes(&store, "session/did:plc:a/1");

    let other = sealed(key(1));
    put(other.inner(), "session/did:plc:a/1", &bytes);
    assert_eq!(loaded(&other, "session/did:plc:a/1").value, value(b"value"));
    for key in ["session/did:plc:b/1", "state/did:plc:a/1", "session/did:plc:a/1/"] {
        let key = key.trim_end_matches('/');
        if key != "session/did:plc:a/1" {
            put(other.inner(), key, &bytes);
            unreadable(&other, key, "moved here from another record");
        }
    }
}

#[test]
fn a_value_under_an_unknown_key_is_kept_and_names_the_key() {
    let old = sealed(key(1).named("2025").unwrap());
    put(&old, "session/a", b"value");
    let store = Sealed::new(Arc::clone(old.inner()), SealingKeys::new(key(2)));
    unreadable(&store, "session/a", "the key `2025`");
    unreadable(&store, "session/a", "SealingKeys::and_open_with");

    // The same name for another key does not help.
    let store =
        Sealed::new(Arc::clone(old.inner()), SealingKeys::new(key(2).named("2025").unwrap()));
    unreadable(&store, "session/a", "does not open with the sealing key `2025`");
    assert_eq!(loaded(&old, "session/a").value, value(b"value"));
}

#[test]
fn a_plain_value_is_refused() {
    let store = sealed(key(1));
    for plain in [&b""[..], b"{}", b"\xffats"] {
        put(store.inner(), "session/a", plain);
        unreadable(&store, "session/a", "");
    }
    put(store.inner(), "session/a", b"{}");
    unreadable(&store, "session/a", "not sealed");
}

#[test]
fn a_key_is_replaced_page_by_page() {
    let old = sealed(key(1));
    for number in 0..150 {
        let expiry = Some(UnixTime::from_secs(number));
        let key = format!("session/{number:03}");
        Store::save(&old, &key, &value(key.as_bytes()), Expect::Any, expiry).unwrap();
    }
    put(old.inner(), "session/plain", b"plain");
    let keys = SealingKeys::new(key(2)).and_open_with(key(1));
    let both = Sealed::new(Arc::clone(old.inner()), keys);
    put(&both, "session/new", b"new");

    let first = both.reencrypt(None).unwrap();
    assert_eq!((first.resealed, first.already, first.conflicts, first.unreadable), (100, 0, 0, 0));
    let second = both.reencrypt(first.next.as_deref()).unwrap();
    assert_eq!(
        (second.resealed, second.already, second.conflicts, second.unreadable),
        (50, 1, 0, 1)
    );
    assert_eq!(second.next, None);

    let new = Sealed::new(Arc::clone(old.inner()), SealingKeys::new(key(2)));
    let record = loaded(&new, "session/042");
    assert_eq!(record.value, value(b"session/042"));
    assert_eq!(record.expires_at, Some(UnixTime::from_secs(42)));
    assert_eq!(loaded(old.inner(), "session/plain").value, value(b"plain"));
    assert!(!format!("{first:?}").contains("session"));
}

#[tokio::test]
async fn a_key_is_replaced_in_an_async_store() {
    let old = sealed(key(1));
    put(&old, "session/a", b"value");
    let both = Sealed::new(Arc::clone(old.inner()), SealingKeys::new(key(2)).and_open_with(key(1)));
    let page = both.reencrypt_async(None).await.unwrap();
    assert_eq!((page.resealed, page.next), (1, None));
    let page = both.reencrypt_async(None).await.unwrap();
    assert_eq!(page.already, 1);
    assert_eq!(AsyncStore::load(&both, "session/a").await.unwrap().unwrap().value, value(b"value"));
}

#[test]
fn keys_are_read_from_text() {
    let id = key(0xfb).id().to_owned();
    for text in [
        "fb".repeat(32),
        "FB".repeat(32),
        format!(" {}\n", "fb".repeat(32)),
        "+/v7".repeat(10) + "+/s=",
        "-_v7".repeat(10) + "-_s=",
        "-_v7".repeat(10) + "-_s",
    ] {
        assert_eq!(SealingKey::from_text(&text).unwrap().id(), id, "{text}");
    }
    assert_eq!(SealingKey::from_text(key(0xfb).to_text().expose()).unwrap().id(), id);
    for text in ["", "fb", &"fg".repeat(32), &"+/v7".repeat(10), &"é".repeat(32), &"fb".repeat(33)]
    {
        let error = SealingKey::from_text(text).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Misconfigured);
        assert!(text.len() < 4 || !error.detail.contains(text));
    }
}

#[test]
fn an_id_is_short_and_printable() {
    for id in ["2026-01", "a", &"x".repeat(32)] {
        assert_eq!(key(1).named(id).unwrap().id(), id);
    }
    for id in ["", "a b", "ä", "a/b", &"x".repeat(33)] {
        assert_eq!(key(1).named(id).unwrap_err().kind, StoreErrorKind::Misconfigured);
    }
    assert_ne!(SealingKey::generate().unwrap().id(), SealingKey::generate().unwrap().id());
}

#[test]
fn debug_shows_ids_and_no_key() {
    let store = Sealed::new(MemoryStore::new(), SealingKeys::new(key(171)).and_open_with(key(1)));
    let text = format!("{store:?}");
    assert!(text.contains(key(171).id()) && text.contains(key(1).id()));
    assert!(!text.contains("171, 171") && !text.contains("abab"));
}

fn passphrase(text: &str) -> SecretString {
    SecretString::new(text)
}

#[test]
fn a_passphrase_gives_the_same_key_in_each_process() {
    let store = Arc::new(MemoryStore::new());
    let ids: Vec<String> = std::thread::scope(|scope| {
        let derive = || SealingKey::from_passphrase(&*store, &passphrase("correct horse"));
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(derive)).collect();
        threads.into_iter().map(|t| t.join().unwrap().unwrap().id().to_owned()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // Another store has another salt.
    let other = SealingKey::from_passphrase(&MemoryStore::new(), &passphrase("correct horse"));
    assert_ne!(other.unwrap().id(), ids[0]);
}

#[tokio::test]
async fn a_wrong_passphrase_is_found_at_the_start() {
    let store = MemoryStore::new();
    let old = SealingKey::from_passphrase(&store, &passphrase("old")).unwrap();
    let error = SealingKey::from_passphrase_async(&store, &passphrase("odl")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Misconfigured);
    assert!(error.detail.contains("from_new_passphrase"), "{error}");
    assert!(SealingKey::from_passphrase(&store, &passphrase("")).is_err());

    let new = SealingKey::from_new_passphrase_async(&store, &passphrase("new")).await.unwrap();
    let again = SealingKey::from_passphrase_async(&store, &passphrase("new")).await.unwrap();
    assert_eq!(new.id(), again.id());
    assert_ne!(new.id(), old.id());
}

#[test]
fn a_damaged_salt_record_is_an_error() {
    let store = MemoryStore::new();
    SealingKey::from_passphrase(&store, &passphrase("right")).unwrap();
    let good = loaded(&store, "sealing/salt").value.0.to_vec();
    assert_eq!(good.len(), 4 + 1 + 12 + 16 + 8);
    let changed = |position: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[position] = byte;
        bytes
    };
    // The magic, the format, costs of 4 TiB or 2 passes less, an id that is cut.
    let broken =
        [changed(0, 0), changed(4, 9), changed(5, 1), changed(12, 1), good[..40].to_vec(), vec![]];
    for bytes in broken {
        put(&store, "sealing/salt", &bytes);
        let error = SealingKey::from_passphrase(&store, &passphrase("right")).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unreadable);
        assert!(error.detail.contains("sealing/salt"));
    }
}

#[test]
fn the_records_of_the_layer_are_not_for_its_users() {
    let inner = MemoryStore::new();
    let first = SealingKey::from_passphrase(&inner, &passphrase("right")).unwrap();
    let store = Sealed::new(inner, SealingKeys::new(first));
    let invalid = |error: StoreError| error.kind == StoreErrorKind::Invalid;
    assert!(Store::load(&store, "sealing/salt").is_err_and(invalid));
    let save = Store::save(&store, "sealing/salt", &value(b"1"), Expect::Any, None);
    assert!(save.is_err_and(invalid));
    assert!(Store::delete(&store, "sealing/salt", Expect::Any).is_err_and(invalid));
    assert!(Store::list(&store, "", None).unwrap().entries.is_empty());
    assert_eq!(store.reencrypt(None).unwrap().unreadable, 0);
    put(&store, "sealing", b"a key of one segment");
    assert_eq!(Store::delete(&store, "sealing", Expect::Any), Ok(Deleted::Yes));
}

#[test]
fn a_store_tells_whether_it_protects_its_records() {
    struct Plain(MemoryStore);
    impl Store for Plain {
        fn load(&self, key: &str) -> Result<Option<atproto_oauth_store::Record>, StoreError> {
            Store::load(&self.0, key)
        }
        fn save(
            &self,
            key: &str,
            value: &atproto_oauth_store::SecretBytes,
            expect: Expect,
            expires_at: Option<UnixTime>,
        ) -> Result<Saved, StoreError> {
            Store::save(&self.0, key, value, expect, expires_at)
        }
        fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
            Store::delete(&self.0, key, expect)
        }
        fn list(
            &self,
            prefix: &str,
            after: Option<&str>,
        ) -> Result<atproto_oauth_store::Listing, StoreError> {
            Store::list(&self.0, prefix, after)
        }
    }
    let plain = || Plain(MemoryStore::new());
    assert!(!plain().protects_at_rest());
    assert!(Store::protects_at_rest(&MemoryStore::new()));
    assert!(Sealed::new(plain(), SealingKeys::new(key(1))).protects_at_rest());
    assert!(!Split::new(MemoryStore::new(), plain()).protects_at_rest());
    let sessions = Sealed::new(plain(), SealingKeys::new(key(1)));
    assert!(Store::protects_at_rest(&Split::new(MemoryStore::new(), sessions)));
}
