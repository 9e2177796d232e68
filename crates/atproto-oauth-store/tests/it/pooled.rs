//! The checks of async stores, with a store whose futures wait: files behind a pool of threads.

use std::sync::Arc;

use atproto_oauth_store::{
    AsyncStore, Deleted, Expect, FileStore, Listing, Record, Saved, SecretBytes, Store, StoreError,
    UnixTime, conformance,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;

struct Pooled(Arc<FileStore>);

impl Pooled {
    fn open(place: &str) -> Self {
        Self(Arc::new(FileStore::open(place).unwrap()))
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&FileStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.0);
        spawn_blocking(move || operation(&store)).await.unwrap()
    }
}

impl AsyncStore for Pooled {
    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let key = key.to_owned();
        self.run(move |store| store.load(&key)).await
    }

    async fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        let (key, value) = (key.to_owned(), value.clone());
        self.run(move |store| store.save(&key, &value, expect, expires_at)).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        let key = key.to_owned();
        self.run(move |store| store.delete(&key, expect)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.run(move |store| store.list(&prefix, after.as_deref())).await
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().build().unwrap()
}

#[test]
fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    let store = Pooled::open(dir.path().join("store").to_str().unwrap());
    runtime().block_on(conformance::run_async(&store)).unwrap();
}

#[test]
fn processes_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let work = conformance::processes_async(
        "pooled::processes_add_up",
        place.to_str().unwrap(),
        async |place: &str| Pooled::open(place),
    );
    runtime().block_on(work).unwrap();
}
