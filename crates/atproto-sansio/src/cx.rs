//! What a machine sees of its flow: fresh values, remembered values, and a mailbox.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::call::{
    Address, Answer, Body, Call, HttpCall, Payload, Respond, SharedCall, SignCall, SleepCall,
    TxtCall,
};
use crate::env::{Entropy, Env, Keys, Memory, Topic};
use crate::error::TransportError;
use crate::machine::Machine;
use crate::reach::Reach;
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

/// A claim to the answer of one call. Dropping it withdraws the call: one that was not handed out
/// yet never will be, and the answer of any other is ignored.
#[must_use = "dropping a ticket withdraws its call"]
pub struct Ticket<T> {
    slot: u64,
    /// Its slot looks whether this is still alive.
    wanted: Arc<()>,
    kind: PhantomData<fn() -> T>,
}

/// How one request is to be performed.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The time for all of it.
    pub timeout: Duration,
    /// How the body of the reply is wanted.
    pub answer: Answer,
    /// Where the request may go.
    pub reach: Reach,
    /// Not to be started later than this.
    pub start_by: Option<UnixTime>,
}

/// What is fresh on each attempt.
#[non_exhaustive]
pub struct Fresh<'a> {
    /// Wall-clock time, as the server has it if that is known.
    pub now: UnixTime,
    /// A source of unpredictable bytes.
    pub entropy: &'a mut dyn Entropy,
    /// What the endpoint wanted to be signed, if it wanted that.
    pub signed: Option<Signed<'a>>,
}

/// A message and its signature by a key that lives elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// What was signed.
    pub message: &'a [u8],
    /// `r` and `s`, 32 bytes each.
    pub signature: &'a [u8; 64],
}

impl<'a> Fresh<'a> {
    /// The time `now`, and `entropy`.
    pub fn new(now: UnixTime, entropy: &'a mut dyn Entropy) -> Self {
        Self { now, entropy, signed: None }
    }
}

impl How {
    /// Ten seconds for at most `max` bytes.
    pub const fn buffered(max: usize, reach: Reach) -> Self {
        Self {
            timeout: Duration::from_secs(10),
            answer: Answer::Buffered(max),
            reach,
            start_by: None,
        }
    }
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
    pub fn generate_key(&mut self) -> Arc<dyn crate::env::Signer> {
        self.keys.generate(self.entropy)
    }

    /// What is fresh, for an [`Endpoint`](crate::Endpoint) whose server has the time `now`.
    pub fn fresh_at(&mut self, now: UnixTime) -> Fresh<'_> {
        Fresh::new(now, self.entropy)
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
        self.mailbox.queue.binary_search_by_key(&ticket.slot, |queued| queued.slot).is_err()
    }
}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(#{})", self.slot)
    }
}

/// The calls of one flow: asked for, handed out, answered.
pub(crate) struct Mailbox {
    pub(crate) identity: Arc<()>,
    next: u64,
    queue: VecDeque<Queued>,
    slots: BTreeMap<u64, Slot>,
    /// When the calls that are asked for now must be over.
    pub(crate) deadline: Duration,
    /// Whether something happened that the machine has not seen.
    pub(crate) news: bool,
}

/// A machine that repeats what is refused would never come to its end.
const MAX_ASKED: u64 = 1 << 20;

struct Queued {
    slot: u64,
    call: Call,
    deadline: Duration,
}

struct Slot {
    ticket: Weak<()>,
    outcome: Option<Box<dyn Any + Send>>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self {
            identity: Arc::default(),
            next: 0,
            queue: VecDeque::new(),
            slots: BTreeMap::new(),
            deadline: Duration::MAX,
            news: true,
        }
    }

    fn ask<T: Payload>(
        &mut self,
        limit: usize,
        call: impl FnOnce(Respond<T>) -> Call,
    ) -> Ticket<T> {
        let slot = self.next;
        self.next += 1;
        assert!(slot < MAX_ASKED, "a machine asks without end");
        let wanted = Arc::new(());
        let ticket = Arc::downgrade(&wanted);
        let address = Address { flow: Arc::clone(&self.identity), slot };
        let respond =
            Respond { address, host: None, limit, ticket: ticket.clone(), kind: PhantomData };
        let deadline = self.deadline;
        self.queue.push_back(Queued { slot, call: call(respond), deadline });
        self.slots.insert(slot, Slot { ticket, outcome: None });
        Ticket { slot, wanted, kind: PhantomData }
    }

    /// Answers a call that is still queued.
    fn refuse(&mut self, slot: u64, error: TransportError) {
        if let Some(index) = self.queue.iter().rposition(|queued| queued.slot == slot)
            && let Some(queued) = self.queue.remove(index)
        {
            let reply = queued.call.fail(error);
            self.accept(reply.address.slot, reply.outcome);
        }
    }

    /// The next call that is still wanted, and when it must be over.
    pub(crate) fn next_call(&mut self) -> Option<(Call, Duration)> {
        while let Some(Queued { slot, call, deadline }) = self.queue.pop_front() {
            if call.is_wanted() {
                return Some((call, deadline));
            }
            self.slots.remove(&slot);
        }
        None
    }

    /// Whether any call still waits for its answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.slots.values().any(|slot| slot.outcome.is_none() && slot.ticket.strong_count() > 0)
    }

    /// Keeps an answer for its ticket; without a ticket nobody wants it.
    pub(crate) fn accept(&mut self, slot: u64, outcome: Box<dyn Any + Send>) {
        match self.slots.get_mut(&slot) {
            Some(entry) if entry.ticket.strong_count() > 0 => {
                entry.outcome = Some(outcome);
                self.news = true;
            }
            Some(_) | None => drop(self.slots.remove(&slot)),
        }
    }

    fn take<T>(&mut self, ticket: &Ticket<T>) -> Option<Box<dyn Any + Send>> {
        let slot = self.slots.get_mut(&ticket.slot);
        let outcome = slot
            .filter(|slot| Weak::as_ptr(&slot.ticket) == Arc::as_ptr(&ticket.wanted))
            .expect("a ticket is redeemed once, in the flow that issued it")
            .outcome
            .take()?;
        self.slots.remove(&ticket.slot);
        Some(outcome)
    }
}
