//! [`Cx`]: the access of a machine to time, entropy, keys and cache, and to the calls of its flow.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::call::{
    Body, Call, How, HttpCall, Payload, Respond, SharedCall, SignCall, SleepCall, TxtCall,
};
use crate::env::{Entropy, Env, Keys, Memory, Signer, Topic};
use crate::error::TransportError;
use crate::machine::Machine;
use crate::mailbox::{Mailbox, Ticket};
use crate::store::{Deleted, Expect, Record, Saved, SecretBytes, StoreCall};
use crate::time::UnixTime;

/// Context of one poll: clock, entropy, keys and cache, and the methods that ask for calls.
pub struct Cx<'a> {
    now: UnixTime,
    elapsed: Duration,
    entropy: &'a mut dyn Entropy,
    memory: &'a dyn Memory,
    keys: &'a dyn Keys,
    mailbox: &'a mut Mailbox,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(env: &'a mut Env<'_>, mailbox: &'a mut Mailbox) -> Self {
        Self {
            now: env.now,
            elapsed: env.elapsed,
            entropy: env.entropy,
            memory: env.memory,
            keys: env.keys,
            mailbox,
        }
    }

    /// Wall-clock time of this poll.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Monotonic time since a fixed moment; see [`Env::elapsed`](crate::Env::elapsed).
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The source of unpredictable bytes, for keys, nonces and identifiers.
    pub fn entropy(&mut self) -> &mut dyn Entropy {
        self.entropy
    }

    /// The factory of signing keys.
    pub fn keys(&self) -> &'a dyn Keys {
        self.keys
    }

    /// Generates a new P-256 signing key from this context's entropy.
    pub fn generate_key(&mut self) -> Arc<dyn Signer> {
        self.keys.generate(self.entropy)
    }

    /// Returns the value that the cache holds under `key`, unless it has expired.
    pub fn recall(&self, topic: Topic, key: &str) -> Option<Bytes> {
        self.memory.get(topic, key, self.elapsed)
    }

    /// Caches `value` under `key` for the duration `time`. The cache may drop it earlier.
    pub fn remember(&self, topic: Topic, key: &str, value: Bytes, time: Duration) {
        self.memory.put(topic, key, value, self.elapsed.saturating_add(time));
    }

    /// Removes the value under `key` from the cache.
    pub fn forget(&self, topic: Topic, key: &str) {
        self.memory.forget(topic, key);
    }

    /// Runs `poll`, and limits the calls that `poll` asks for by `deadline`, a time on the scale of
    /// [`elapsed`](Self::elapsed).
    ///
    /// Timeouts and pauses are shortened to end at the deadline. After the deadline, every call
    /// that is not a store call fails with [`Phase::NotSent`](crate::Phase::NotSent). An earlier
    /// deadline of the flow or of an enclosing `until` stays in force.
    pub fn until<T>(&mut self, deadline: Duration, poll: impl FnOnce(&mut Cx<'_>) -> T) -> T {
        let outer = self.mailbox.deadline;
        self.mailbox.deadline = outer.min(deadline);
        let result = poll(self);
        self.mailbox.deadline = outer;
        result
    }

    /// Asks for an HTTP request. If its URL breaks the rules of `how.reach`, the call fails with
    /// [`Phase::Blocked`](crate::Phase::Blocked), and the driver never sees it.
    pub fn http(&mut self, request: Request<Body>, how: How) -> Ticket<Response<Bytes>> {
        let verdict = how.reach.check(request.uri());
        let How { timeout, answer, reach, start_by } = how;
        let host = request.uri().host().map(str::to_owned);
        let ticket = self.mailbox.ask(answer.limit(), |respond| {
            let respond = Respond { host, ..respond };
            Call::Http(HttpCall { request, timeout, start_by, answer, reach, respond })
        });
        if let Err(rule) = verdict {
            self.mailbox.refuse(ticket.slot, TransportError::blocked(rule));
        }
        ticket
    }

    /// Asks for the DNS TXT records of `name`, a name without the final dot.
    pub fn txt(&mut self, name: String, timeout: Duration) -> Ticket<Vec<String>> {
        self.mailbox.ask(usize::MAX, |respond| Call::Txt(TxtCall { name, timeout, respond }))
    }

    /// Asks for a pause of `duration`.
    pub fn sleep(&mut self, duration: Duration) -> Ticket<()> {
        self.mailbox.ask(usize::MAX, |respond| Call::Sleep(SleepCall { duration, respond }))
    }

    /// Asks the driver to run `machine` once for all flows that ask for `key`; see [`SharedCall`].
    pub fn shared<M>(&mut self, key: String, machine: M) -> Ticket<()>
    where
        M: Machine<Output = (), Error = Infallible> + Send + 'static,
    {
        let machine = Box::new(machine);
        self.mailbox.ask(usize::MAX, |respond| Call::Shared(SharedCall { key, machine, respond }))
    }

    /// Asks the remote signer for the `ES256` signature of `message` by the key `key_id`.
    pub fn sign(&mut self, key_id: String, message: Vec<u8>) -> Ticket<[u8; 64]> {
        self.mailbox.ask(usize::MAX, |respond| Call::Sign(SignCall { key_id, message, respond }))
    }

    /// Asks the store for the record under `key`.
    pub fn load(&mut self, key: String) -> Ticket<Option<Record>> {
        self.mailbox.ask(usize::MAX, |respond| Call::Store(StoreCall::Load { key, respond }))
    }

    /// Asks the store to write `value` under `key`, if the present record is as `expect` says. The
    /// store may drop the record after `expires_at`.
    pub fn save(
        &mut self,
        key: String,
        value: SecretBytes,
        expect: Expect,
        expires_at: Option<UnixTime>,
    ) -> Ticket<Saved> {
        self.mailbox.ask(usize::MAX, |respond| {
            Call::Store(StoreCall::Save { key, value, expect, expires_at, respond })
        })
    }

    /// Asks the store to remove the record under `key`, if the present record is as `expect` says.
    pub fn delete(&mut self, key: String, expect: Expect) -> Ticket<Deleted> {
        self.mailbox
            .ask(usize::MAX, |respond| Call::Store(StoreCall::Delete { key, expect, respond }))
    }

    /// Asks the store for all keys that begin with `prefix`.
    pub fn list(&mut self, prefix: String) -> Ticket<Vec<String>> {
        self.mailbox.ask(usize::MAX, |respond| Call::Store(StoreCall::List { prefix, respond }))
    }

    /// Takes the reply to a call; `Pending` as long as the reply has not arrived.
    ///
    /// # Panics
    ///
    /// Panics if the reply was already taken, or if the ticket belongs to another flow. Both are
    /// bugs of the machine.
    pub fn take<T: Payload>(&mut self, ticket: &Ticket<T>) -> Poll<Result<T, TransportError>> {
        match self.mailbox.take(ticket) {
            Some(outcome) => {
                Poll::Ready(*outcome.downcast().expect("a reply has the type of its ticket"))
            }
            None => Poll::Pending,
        }
    }

    /// Returns whether the call was handed to the driver. If it was, the server may have seen it.
    pub fn is_handed_out<T>(&self, ticket: &Ticket<T>) -> bool {
        self.mailbox.is_handed_out(ticket)
    }
}
