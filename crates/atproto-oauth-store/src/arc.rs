//! A store in an [`Arc`] is a store, so that several owners can share it.

use std::sync::Arc;

use atproto_sansio::{Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreError, UnixTime};

use crate::store::{AsyncStore, Store};

impl<S: Store + ?Sized> Store for Arc<S> {
    fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        (**self).load(key)
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        (**self).save(key, value, expect, expires_at)
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        (**self).delete(key, expect)
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        (**self).list(prefix, after)
    }

    fn protects_at_rest(&self) -> bool {
        (**self).protects_at_rest()
    }
}

impl<S: AsyncStore> AsyncStore for Arc<S> {
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send {
        (**self).load(key)
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> impl Future<Output = Result<Saved, StoreError>> + Send {
        (**self).save(key, value, expect, expires_at)
    }

    fn delete(
        &self,
        key: &str,
        expect: Expect,
    ) -> impl Future<Output = Result<Deleted, StoreError>> + Send {
        (**self).delete(key, expect)
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Listing, StoreError>> + Send {
        (**self).list(prefix, after)
    }

    fn protects_at_rest(&self) -> bool {
        (**self).protects_at_rest()
    }
}
