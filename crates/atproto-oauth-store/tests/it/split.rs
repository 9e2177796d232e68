use atproto_oauth_store::{Expect, MemoryStore, Split, Store, StoreErrorKind, conformance};

use crate::value;

#[test]
fn blocking() {
    conformance::run(&Split::new(MemoryStore::new(), MemoryStore::new())).unwrap();
}

#[test]
fn in_async_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let store = Split::new(MemoryStore::new(), MemoryStore::new());
    runtime.block_on(conformance::run_async(&store)).unwrap();
}

#[test]
fn each_record_is_in_its_store() {
    let store = Split::new(MemoryStore::new(), MemoryStore::new());
    for key in ["state/a", "session/a/b", "salt"] {
        store.save(key, &value(b"1"), Expect::Absent, None).unwrap();
    }
    assert!(store.states().load("state/a").unwrap().is_some());
    assert!(store.sessions().load("state/a").unwrap().is_none());
    assert!(store.sessions().load("session/a/b").unwrap().is_some());
    assert!(store.sessions().load("salt").unwrap().is_some());
    let error = store.list("", Some("x")).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Invalid);
}

/// The two halves may be handles of one store.
#[test]
fn one_store_for_both_lists_no_key_twice() {
    struct Handle<'a>(&'a MemoryStore);
    impl Store for Handle<'_> {
        fn load(
            &self,
            key: &str,
        ) -> Result<Option<atproto_oauth_store::Record>, atproto_oauth_store::StoreError> {
            Store::load(self.0, key)
        }
        fn save(
            &self,
            key: &str,
            value: &atproto_oauth_store::SecretBytes,
            expect: Expect,
            expires_at: Option<atproto_oauth_store::UnixTime>,
        ) -> Result<atproto_oauth_store::Saved, atproto_oauth_store::StoreError> {
            Store::save(self.0, key, value, expect, expires_at)
        }
        fn delete(
            &self,
            key: &str,
            expect: Expect,
        ) -> Result<atproto_oauth_store::Deleted, atproto_oauth_store::StoreError> {
            Store::delete(self.0, key, expect)
        }
        fn list(
            &self,
            prefix: &str,
            after: Option<&str>,
        ) -> Result<atproto_oauth_store::Listing, atproto_oauth_store::StoreError> {
            Store::list(self.0, prefix, after)
        }
    }
    let store = MemoryStore::new();
    conformance::run(&Split::new(Handle(&store), Handle(&store))).unwrap();
}
