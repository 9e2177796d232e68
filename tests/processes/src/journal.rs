//! A store that tells each save of a session record before and after it.

use atproto_oauth_store::{
    AsyncStore, Deleted, Expect, Listing, Saved, SecretBytes, Store, StoreError, UnixTime,
};

use crate::line::{Fact, say};
use crate::record::Record;

/// The store below, and the journal of its saves.
pub(crate) struct Journal<S>(pub(crate) S);

/// A save that has begun.
struct Begun<'a> {
    session: &'a str,
    has_lease: bool,
}

impl<'a> Begun<'a> {
    /// Tells that the save begins; `None` if the record is no session.
    fn tell(key: &'a str, value: &SecretBytes) -> Option<Self> {
        let session = key.strip_prefix("session/")?;
        let lease = Record::read(value)?.lease;
        let has_lease = lease.is_some();
        say(session, lease.map_or(Fact::Saving, |lease| Fact::Leasing(lease.id)));
        Some(Self { session, has_lease })
    }

    fn end(self, result: &Result<Saved, StoreError>) {
        let fact = match result {
            Ok(Saved::As(_)) if self.has_lease => Fact::Leased,
            Ok(Saved::As(_)) => Fact::Saved,
            Ok(Saved::Conflict) => Fact::NotSaved("conflict".to_owned()),
            Err(error) => Fact::NotSaved(error.to_string()),
        };
        say(self.session, fact);
    }
}

impl<S: Store> Store for Journal<S> {
    fn load(&self, key: &str) -> Result<Option<atproto_oauth_store::Record>, StoreError> {
        self.0.load(key)
    }

    fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        let begun = Begun::tell(key, value);
        let result = self.0.save(key, value, expect, expires_at);
        if let Some(begun) = begun {
            begun.end(&result);
        }
        result
    }

    fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        self.0.delete(key, expect)
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        self.0.list(prefix, after)
    }

    fn protects_at_rest(&self) -> bool {
        self.0.protects_at_rest()
    }
}

impl<S: AsyncStore> AsyncStore for Journal<S> {
    async fn load(&self, key: &str) -> Result<Option<atproto_oauth_store::Record>, StoreError> {
        self.0.load(key).await
    }

    async fn save(
        &self,
        key: &str,
        value: &SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Result<Saved, StoreError> {
        let begun = Begun::tell(key, value);
        let result = self.0.save(key, value, expect, expires_at).await;
        if let Some(begun) = begun {
            begun.end(&result);
        }
        result
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Deleted, StoreError> {
        self.0.delete(key, expect).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        self.0.list(prefix, after).await
    }

    fn protects_at_rest(&self) -> bool {
        self.0.protects_at_rest()
    }
}
