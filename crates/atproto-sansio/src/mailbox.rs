//! [`Mailbox`]: the calls of one flow that are queued, in flight or answered.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::call::{Address, Call, Payload, Respond};
use crate::error::TransportError;

/// The claim of a machine to the reply of one call.
///
/// Dropping the ticket withdraws the call. If the call is still queued, the driver never sees it.
/// If the call is in flight, the flow ignores its reply.
#[must_use = "dropping a ticket withdraws its call"]
pub struct Ticket<T> {
    pub(crate) slot: u64,
    /// The slot holds a `Weak` of this; it dies with the ticket, and thereby withdraws the call.
    wanted: Arc<()>,
    kind: PhantomData<fn() -> T>,
}

/// The calls of one flow: queued, in flight (handed to the driver), or answered.
pub(crate) struct Mailbox {
    pub(crate) identity: Arc<()>,
    next: u64,
    queue: VecDeque<Queued>,
    slots: BTreeMap<u64, Slot>,
    /// Deadline of the calls that are asked for now, on the scale of `Env::elapsed`.
    pub(crate) deadline: Duration,
    /// Whether a reply arrived since the machine was polled last.
    pub(crate) news: bool,
}

/// Most calls that one flow may ask for. A machine that repeats a refused call would otherwise loop
/// for ever.
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

    pub(crate) fn ask<T: Payload>(
        &mut self,
        limit: usize,
        call: impl FnOnce(Respond<T>) -> Call,
    ) -> Ticket<T> {
        let slot = self.next;
        self.next += 1;
        assert!(slot < MAX_ASKED, "a machine asked for more than {MAX_ASKED} calls");
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

    /// Removes a call from the queue and answers it with `error`. Does nothing if it is in flight.
    pub(crate) fn refuse(&mut self, slot: u64, error: TransportError) {
        if let Some(index) = self.queue.iter().rposition(|queued| queued.slot == slot)
            && let Some(queued) = self.queue.remove(index)
        {
            let reply = queued.call.fail(error);
            self.accept(reply.address.slot, reply.outcome);
        }
    }

    /// Takes the next call that was not withdrawn out of the queue, with its deadline.
    pub(crate) fn next_call(&mut self) -> Option<(Call, Duration)> {
        while let Some(Queued { slot, call, deadline }) = self.queue.pop_front() {
            if call.is_wanted() {
                return Some((call, deadline));
            }
            self.slots.remove(&slot);
        }
        None
    }

    /// Whether the call of `ticket` has left the queue.
    pub(crate) fn is_handed_out<T>(&self, ticket: &Ticket<T>) -> bool {
        self.queue.binary_search_by_key(&ticket.slot, |queued| queued.slot).is_err()
    }

    /// Whether any call that was not withdrawn still waits for its reply.
    pub(crate) fn is_waiting(&self) -> bool {
        self.slots.values().any(|slot| slot.outcome.is_none() && slot.ticket.strong_count() > 0)
    }

    /// Keeps a reply until its ticket takes it. If the ticket was dropped, the reply is dropped,
    /// too.
    pub(crate) fn accept(&mut self, slot: u64, outcome: Box<dyn Any + Send>) {
        match self.slots.get_mut(&slot) {
            Some(entry) if entry.ticket.strong_count() > 0 => {
                entry.outcome = Some(outcome);
                self.news = true;
            }
            Some(_) | None => drop(self.slots.remove(&slot)),
        }
    }

    pub(crate) fn take<T>(&mut self, ticket: &Ticket<T>) -> Option<Box<dyn Any + Send>> {
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

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(#{})", self.slot)
    }
}
