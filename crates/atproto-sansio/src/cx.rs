//! What a machine sees of its flow: fresh values, remembered values, and a mailbox.

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

/// What a machine is given on each poll.
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

    /// Wall-clock time.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Monotonic time.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// A source of unpredictable bytes.
    pub fn entropy(&mut self) -> &mut dyn Entropy {
        self.entropy
    }

    /// Makes and imports keys.
    pub fn keys(&self) -> &'a dyn Keys {
        self.keys
    }

    /// A new key.
    pub fn generate_key(&mut self) -> Arc<dyn Signer> {
        self.keys.generate(self.entropy)
    }

    /// Looks `key` up in the memory.
    pub fn recall(&self, topic: Topic, key: &str) -> Option<Bytes> {
        self.memory.get(topic, key, self.elapsed)
    }

    /// Remembers `value` under `key` for some time, if there is room.
    pub fn remember(&self, topic: Topic, key: &str, value: Bytes, time: Duration) {
        self.memory.put(topic, key, value, self.elapsed.saturating_add(time));
    }

    /// Forgets what is remembered under `key`.
    pub fn forget(&self, topic: Topic, key: &str) {
        self.memory.forget(topic, key);
    }

    /// Polls a child whose calls must be over by `deadline`, on the scale of [`elapsed`](Self::elapsed).
    pub fn until<T>(&mut self, deadline: Duration, poll: impl FnOnce(&mut Cx<'_>) -> T) -> T {
        let outer = self.mailbox.deadline;
        self.mailbox.deadline = outer.min(deadline);
        let result = poll(self);
        self.mailbox.deadline = outer;
        result
    }

    /// Asks for an HTTP request. If its URL breaks the rules of its reach, it is answered at once.
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

    /// Asks for the TXT records of `name`.
    pub fn txt(&mut self, name: String, timeout: Duration) -> Ticket<Vec<String>> {
        self.mailbox.ask(usize::MAX, |respond| Call::Txt(TxtCall { name, timeout, respond }))
    }

    /// Asks for a pause.
    pub fn sleep(&mut self, duration: Duration) -> Ticket<()> {
        self.mailbox.ask(usize::MAX, |respond| Call::Sleep(SleepCall { duration, respond }))
    }

    /// Asks for a machine to be run once for all who ask for `key`.
    pub fn shared<M>(&mut self, key: String, machine: M) -> Ticket<()>
    where
        M: Machine<Output = (), Error = Infallible> + Send + 'static,
    {
        let machine = Box::new(machine);
        self.mailbox.ask(usize::MAX, |respond| Call::Shared(SharedCall { key, machine, respond }))
    }

    /// Asks for a signature by a key that lives elsewhere.
    pub fn sign(&mut self, key_id: String, message: Vec<u8>) -> Ticket<[u8; 64]> {
        self.mailbox.ask(usize::MAX, |respond| Call::Sign(SignCall { key_id, message, respond }))
    }

    /// Asks for the record under `key`.
    pub fn load(&mut self, key: String) -> Ticket<Option<Record>> {
        self.mailbox.ask(usize::MAX, |respond| Call::Store(StoreCall::Load { key, respond }))
    }

    /// Asks to write the record under `key`.
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

    /// Asks to remove the record under `key`.
    pub fn delete(&mut self, key: String, expect: Expect) -> Ticket<Deleted> {
        self.mailbox
            .ask(usize::MAX, |respond| Call::Store(StoreCall::Delete { key, expect, respond }))
    }

    /// Asks for the keys that begin with `prefix`.
    pub fn list(&mut self, prefix: String) -> Ticket<Vec<String>> {
        self.mailbox.ask(usize::MAX, |respond| Call::Store(StoreCall::List { prefix, respond }))
    }

    /// The answer to a call, once it is there.
    ///
    /// # Panics
    ///
    /// The answer was already taken, or the ticket belongs to another flow: bugs of a machine.
    pub fn take<T: Payload>(&mut self, ticket: &Ticket<T>) -> Poll<Result<T, TransportError>> {
        match self.mailbox.take(ticket) {
            Some(outcome) => {
                Poll::Ready(*outcome.downcast().expect("a reply is of the kind of its call"))
            }
            None => Poll::Pending,
        }
    }

    /// Whether the call was handed to the driver, so that its peer may see it.
    pub fn is_handed_out<T>(&self, ticket: &Ticket<T>) -> bool {
        self.mailbox.is_handed_out(ticket)
    }
}
