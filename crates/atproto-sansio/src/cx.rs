//! [`Cx`]: the access of a machine to time, entropy, keys and cache, and to the calls of its flow.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::call::notice::{Notice, NotifyCall};
use crate::call::shared::{self, SharedCall, SharedKey, SharedResult, SharedTicket};
use crate::call::store::{
    Deleted, Expect, Listing, Record, Saved, SecretBytes, StoreCall, StoreOperation,
};
use crate::call::{
    Asked, Body, Call, How, HttpCall, Payload, Respond, SignCall, SleepCall, TxtCall,
};
use crate::env::{Entropy, Env, Keys, Memo, Memory, Signer, Topic};
use crate::error::{Phase, TransportError};
use crate::machine::Machine;
use crate::mailbox::{Mailbox, Place, Ticket};
use crate::time::{Moment, UnixTime};

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

    /// The time of this poll on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { now: self.now, elapsed: self.elapsed }
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
        self.memory.get(topic, key, self.moment())
    }

    /// Caches `value` under `key` for the duration `lifetime`. The cache may drop it earlier.
    ///
    /// The value is copied, because it may be a small part of a large buffer, such as the body of a reply in the
    /// buffer of its connection: the bound of the topic counts the bytes of the value only. A value of a secret
    /// topic is not copied, because each copy would have to be wiped.
    pub fn remember(&self, topic: Topic, key: &str, value: Bytes, lifetime: Duration) {
        self.remember_newer(topic, key, Memo { value, lifetime, order: 0 });
    }

    /// Caches a value that has an order ([`Memo::order`]) as [`remember`](Self::remember) does: a newer value
    /// under `key` stays.
    pub fn remember_newer(&self, topic: Topic, key: &str, memo: Memo) {
        let value = match topic.is_secret {
            true => memo.value,
            false => Bytes::copy_from_slice(&memo.value),
        };
        self.memory.put(topic, key, Memo { value, ..memo }, self.moment());
    }

    /// Removes the value under `key` from the cache.
    pub fn forget(&self, topic: Topic, key: &str) {
        self.memory.forget(topic, key);
    }

    /// Runs `poll`, and limits the calls that `poll` asks for by `deadline`, a time on the scale of
    /// [`elapsed`](Self::elapsed).
    ///
    /// Timeouts are shortened to end at the deadline. After the deadline, every call fails with
    /// [`Phase::NotSent`](crate::Phase::NotSent). An earlier deadline of the flow or of an enclosing
    /// `until` stays in force.
    pub fn until<T>(&mut self, deadline: Duration, poll: impl FnOnce(&mut Cx<'_>) -> T) -> T {
        self.extend_until(deadline.min(self.mailbox.deadline), poll)
    }

    /// Runs `poll`, and gives the calls that `poll` asks for the time until `deadline`, even if this
    /// is later than the deadline of the flow.
    ///
    /// It is for the calls that follow a single-use credential: once a code or a refresh token is
    /// spent, its tokens have to be saved or revoked, however late it is.
    pub fn extend_until<T>(
        &mut self,
        deadline: Duration,
        poll: impl FnOnce(&mut Cx<'_>) -> T,
    ) -> T {
        let outer = std::mem::replace(&mut self.mailbox.deadline, deadline);
        let result = poll(self);
        self.mailbox.deadline = outer;
        result
    }

    /// Asks for an HTTP request that does not depend on the time at which it is sent. If its URL
    /// breaks the rules of `how.reach`, the call fails with
    /// [`Phase::Blocked`](crate::Phase::Blocked), and the driver never sees it.
    pub fn http(&mut self, request: Request<Body>, how: How) -> Ticket<Response<Bytes>> {
        let ticket = self.mailbox.open();
        self.place(&ticket, Place::Back, request, how);
        ticket
    }

    /// Reserves a place in the queue for an HTTP request that carries a time, a nonce or a
    /// signature. When [`is_due`](Self::is_due) says that its turn has come, the machine makes the
    /// request and hands it over with [`send`](Self::send).
    ///
    /// A driver may perform one call after another, each for several seconds. A request that is made
    /// before its turn is out of date when the driver sends it.
    pub fn reserve(&mut self) -> Ticket<Response<Bytes>> {
        self.mailbox.reserve(Place::Back)
    }

    /// Like [`reserve`](Self::reserve), with a place in front of all queued calls: for a retry,
    /// because the server's demand may be out of date, too.
    pub fn reserve_first(&mut self) -> Ticket<Response<Bytes>> {
        self.mailbox.reserve(Place::Front)
    }

    /// Returns whether the turn of a reservation has come.
    pub fn is_due(&self, ticket: &Ticket<Response<Bytes>>) -> bool {
        self.mailbox.is_due(ticket)
    }

    /// Hands over the request of a reservation that has come due; the driver gets it next. The
    /// rules of [`http`](Self::http) apply.
    ///
    /// # Panics
    ///
    /// Panics if the reservation has not come due, or was used before. Both are bugs of the machine.
    pub fn send(&mut self, ticket: &Ticket<Response<Bytes>>, request: Request<Body>, how: How) {
        assert!(self.is_due(ticket), "a request is sent once, in its turn");
        self.place(ticket, Place::Front, request, how);
    }

    fn place(
        &mut self,
        ticket: &Ticket<Response<Bytes>>,
        place: Place,
        request: Request<Body>,
        how: How,
    ) {
        if let Err(rule) = how.reach.check(request.uri()) {
            return self.mailbox.refuse(ticket, TransportError::blocked(rule));
        }
        let How { timeout, answer, reach, start_by, least_time } = how;
        let target = Some((request.method().clone(), request.uri().clone()));
        self.mailbox.fill(ticket, place, |respond| {
            let respond = Respond { asked: Asked { target, limit: answer.limit() }, ..respond };
            Call::Http(HttpCall { request, timeout, start_by, least_time, answer, reach, respond })
        });
    }

    /// Asks for the DNS TXT records of `name`, a name without the final dot.
    pub fn txt(&mut self, name: String, timeout: Duration) -> Ticket<Vec<String>> {
        self.ask(|respond| Call::Txt(TxtCall { name, timeout, respond }))
    }

    /// Asks for a pause of `duration`. A pause that would end after the deadline fails at once, so a
    /// machine that waits for a change must end with that error.
    pub fn sleep(&mut self, duration: Duration) -> Ticket<()> {
        self.ask(|respond| Call::Sleep(SleepCall { duration, respond }))
    }

    /// Asks the driver to run `machine` once for all flows that ask for a machine of this type under
    /// `name`; see [`SharedCall`].
    ///
    /// The name must hold everything that the work depends on, such as its store and its client:
    /// all who ask get the result of one run. For work that no other flow may join, the name is
    /// random.
    pub fn shared<M>(&mut self, name: String, machine: M) -> SharedTicket<M::Output>
    where
        M: Machine<Output: Clone + Send + Sync + 'static, Error = Infallible> + Send + 'static,
    {
        SharedTicket::new(self.share(name, machine, false))
    }

    /// Asks the driver to begin `machine` and to let it run on in the background. The reply says that
    /// it runs, not that it has ended; its result is lost. If it runs already under this name,
    /// nothing is begun.
    pub fn detach<M>(&mut self, name: String, machine: M) -> SharedTicket<()>
    where
        M: Machine<Output = (), Error = Infallible> + Send + 'static,
    {
        SharedTicket::new(self.share(name, machine, true))
    }

    fn share<M>(&mut self, name: String, machine: M, is_detached: bool) -> Ticket<SharedResult>
    where
        M: Machine<Output: Send + Sync + 'static, Error = Infallible> + Send + 'static,
    {
        let (key, machine) = (SharedKey::new::<M>(name), shared::boxed(machine));
        let timeout = Duration::MAX;
        self.ask(|respond| Call::Shared(SharedCall { key, machine, timeout, is_detached, respond }))
    }

    /// Takes the result of a shared machine; `Pending` as long as the machine runs.
    ///
    /// # Panics
    ///
    /// Panics like [`take`](Self::take).
    pub fn take_shared<T: Clone + 'static>(
        &mut self,
        ticket: &SharedTicket<T>,
    ) -> Poll<Result<T, TransportError>> {
        self.take(&ticket.ticket).map(|result| {
            result?.to().ok_or_else(|| {
                let reason = "the driver answered with the result of another shared machine";
                TransportError::new(Phase::MaybeSent, reason)
            })
        })
    }

    /// Asks the remote signer for the `ES256` signature of `message` by the key `key_id`, in front
    /// of all queued calls, because a request whose turn has come waits for it.
    pub fn sign(&mut self, key_id: String, message: Vec<u8>) -> Ticket<[u8; 64]> {
        let timeout = SIGNING;
        self.mailbox
            .ask(Place::Front, |respond| Call::Sign(SignCall { key_id, message, timeout, respond }))
    }

    /// Asks the store for the record under `key`.
    pub fn load(&mut self, key: String) -> Ticket<Option<Record>> {
        self.store(|respond| StoreOperation::Load { key, respond })
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
        self.store(|respond| StoreOperation::Save { key, value, expect, expires_at, respond })
    }

    /// Asks the store to remove the record under `key`, if the present record is as `expect` says.
    pub fn delete(&mut self, key: String, expect: Expect) -> Ticket<Deleted> {
        self.store(|respond| StoreOperation::Delete { key, expect, respond })
    }

    /// Asks the store for the keys that begin with `prefix`: the first page, or the page at
    /// `after`, the [`Listing::next`] of the page before.
    pub fn list(&mut self, prefix: String, after: Option<String>) -> Ticket<Listing> {
        self.store(|respond| StoreOperation::List { prefix, after, respond })
    }

    /// Tells the program `notice`. A machine waits for the reply, so that the program has the notice
    /// before the result.
    pub fn notify(&mut self, notice: Notice) -> Ticket<()> {
        self.ask(|respond| Call::Notify(NotifyCall { notice, respond }))
    }

    /// Tells the program `notice`, in front of all queued calls, and does not wait. If the machine ends
    /// before the driver asks for its next call, the notice is lost.
    pub fn announce(&mut self, notice: Notice) {
        let call = |respond| Call::Notify(NotifyCall { notice, respond });
        self.mailbox.ask::<()>(Place::Front, call).waive();
    }

    fn store<T: Payload>(
        &mut self,
        operation: impl FnOnce(Respond<T>) -> StoreOperation,
    ) -> Ticket<T> {
        self.ask(|respond| {
            Call::Store(StoreCall { operation: operation(respond), timeout: STORING })
        })
    }

    fn ask<T: Payload>(&mut self, call: impl FnOnce(Respond<T>) -> Call) -> Ticket<T> {
        self.mailbox.ask(Place::Back, call)
    }

    /// Takes the reply to a call; `Pending` as long as the reply has not arrived.
    ///
    /// # Panics
    ///
    /// Panics if the reply was already taken, or if the ticket belongs to another flow. Both are
    /// bugs of the machine.
    pub fn take<T: Payload>(&mut self, ticket: &Ticket<T>) -> Poll<Result<T, T::Error>> {
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

/// Time limit of a remote signature.
const SIGNING: Duration = Duration::from_secs(10);

/// Time limit of one operation of a store.
const STORING: Duration = Duration::from_secs(10);
