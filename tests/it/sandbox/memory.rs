//! A memory that the caller provides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atproto_dpop::{NONCES, P256Keys};
use atproto_oauth_core::Subject;
use atproto_oauth_sandbox::{Exchange, Sandbox};
use atproto_sansio::{MapMemory, Memo, Memory, Moment, System, Topic, drive};
use bytes::Bytes;

use crate::sandbox::{ALICE, loopback};

/// A memory that counts the nonces that are put into it; a [`MapMemory`] stores all values.
#[derive(Default)]
struct CountingMemory {
    nonces: AtomicUsize,
    inner: MapMemory,
}

impl Memory for CountingMemory {
    fn get(&self, topic: Topic, key: &str, at: Moment) -> Option<Bytes> {
        self.inner.get(topic, key, at)
    }

    fn put(&self, topic: Topic, key: &str, memo: Memo, at: Moment) {
        self.nonces.fetch_add(usize::from(topic == NONCES), Ordering::SeqCst);
        self.inner.put(topic, key, memo, at);
    }

    fn forget(&self, topic: Topic, key: &str) {
        self.inner.forget(topic, key);
    }
}

#[test]
fn nonces_are_cached_in_the_memory_of_the_caller() {
    // Rule E-41
    let memory = Arc::new(CountingMemory::default());
    let system = System::new(P256Keys).with_memory(memory.clone());
    let mut sandbox = Sandbox::new(1);
    sandbox.advance(System::now().since(sandbox.now()));
    // The first login pushes twice, because it has no nonce; the second one has the cached nonce.
    for pushed in [2, 1] {
        sandbox.clear_log();
        let login = loopback().authorize(Subject::parse(ALICE).unwrap());
        let _ = drive(&system, login, |call| sandbox.respond(call)).unwrap();
        let par = |exchange: &&Exchange| exchange.url.path() == "/oauth/par";
        assert_eq!(sandbox.requests().filter(par).count(), pushed);
    }
    // A nonce that stays the same is not kept again within a second.
    assert!((1..=3).contains(&memory.nonces.load(Ordering::SeqCst)));
}
