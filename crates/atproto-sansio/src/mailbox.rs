//! [`Mailbox`]: the calls of one flow that are queued, in flight or answered, and their order.
//!
//! ```text
//!            ┌─ ask ────────────────────────▶ Queued ── driver ──▶ HandedOut ──▶ Answered
//!  machine ──┤                                  ▲
//!            └─ reserve ──▶ Reserved ──▶ Due ──fill
//! ```
//!
//! The queue holds calls and reservations. If a request carries a time, a nonce or a signature, its
//! machine reserves a place, and makes the request when all calls in front of it were handed out.
//! A request that waited in the queue would be out of date when a driver sends it.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smallvec::SmallVec;

use crate::call::{Address, Asked, Call, Payload, Respond};
use crate::error::{Phase, TransportError};

/// The claim of a machine to the reply of one call.
///
/// Dropping the ticket withdraws the call. If the call is still queued, the driver never sees it.
/// If the call is in flight, the flow ignores its reply.
#[must_use = "dropping a ticket withdraws its call"]
pub struct Ticket<T> {
    pub(crate) slot: u64,
    claim: Claim,
    kind: PhantomData<fn() -> T>,
}

/// The calls of one flow: queued, in flight (handed to the driver), or answered.
pub(crate) struct Mailbox {
    pub(crate) identity: Arc<()>,
    next: u64,
    /// The queue: its first entry apart, because most flows queue one call at a time.
    front: Option<Queued>,
    queue: VecDeque<Queued>,
    /// The slots of the calls that were not redeemed, in the order in which they were opened.
    slots: SmallVec<[(u64, Slot); 2]>,
    /// Deadline of the calls that are asked for now, on the scale of `Env::elapsed`.
    pub(crate) deadline: Duration,
    /// Whether a reply arrived, or a reservation came due, since the machine was polled last.
    pub(crate) news: bool,
}

/// The next entry of the queue.
#[expect(clippy::large_enum_variant, reason = "most entries are calls, the large variant")]
pub(crate) enum Next {
    /// A call for the driver, with its deadline.
    Call(Call, Duration),
    /// A reservation came due: the machine has to be polled.
    Due,
    /// The queue is empty.
    Nothing,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Front,
    Back,
}

/// Most calls that one flow may ask for. A machine that repeats a refused call would otherwise loop
/// for ever.
const MAX_ASKED: u64 = 1 << 20;

struct Queued {
    slot: u64,
    /// `None` for a reservation.
    call: Option<Call>,
    deadline: Duration,
}

struct Slot {
    line: Arc<Line>,
    state: State,
    /// Makes the outcome of this call in case the driver drops it.
    lost: fn() -> Box<dyn Any + Send>,
}

enum State {
    Reserved,
    Due,
    Queued,
    HandedOut,
    Answered(Box<dyn Any + Send>),
}

/// The two ends of a call. Each end shows whether the other one still exists.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Whether the machine has dropped its ticket.
    withdrawn: AtomicBool,
    /// Whether the machine has given up the reply, but not the call.
    waived: AtomicBool,
    /// Whether the driver has dropped the call, or its reply has arrived.
    closed: AtomicBool,
}

/// The end of the machine; dropping it withdraws the call, unless its reply was given up.
struct Claim(Arc<Line>);

/// The end of the driver, in a [`Respond`] and then in its reply. If it is dropped before the reply
/// arrives, the flow answers the call itself.
pub(crate) struct Answerer(Arc<Line>);

/// The wish of a machine for the reply to one call, as a driver sees it that has moved the [`Respond`] into a task.
#[derive(Debug)]
pub struct Interest(Arc<Line>);

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self {
            identity: Arc::default(),
            next: 0,
            front: None,
            queue: VecDeque::new(),
            slots: SmallVec::new(),
            deadline: Duration::MAX,
            news: true,
        }
    }

    /// Queues a call.
    pub(crate) fn ask<T: Payload>(
        &mut self,
        place: Place,
        call: impl FnOnce(Respond<T>) -> Call,
    ) -> Ticket<T> {
        let ticket = self.open();
        self.fill(&ticket, place, call);
        ticket
    }

    /// Queues a reservation; [`fill`](Self::fill) queues its call later.
    pub(crate) fn reserve<T: Payload>(&mut self, place: Place) -> Ticket<T> {
        let ticket = self.open();
        self.enqueue(place, ticket.slot, None);
        ticket
    }

    /// The claim to a call that is not queued yet.
    pub(crate) fn open<T: Payload>(&mut self) -> Ticket<T> {
        let slot = self.next;
        self.next += 1;
        assert!(slot < MAX_ASKED, "a machine asked for more than {MAX_ASKED} calls");
        let line: Arc<Line> = Arc::default();
        let (state, lost) = (State::Reserved, lost::<T> as fn() -> _);
        self.slots.push((slot, Slot { line: Arc::clone(&line), state, lost }));
        Ticket { slot, claim: Claim(line), kind: PhantomData }
    }

    /// Whether the reservation of `ticket` has come due.
    pub(crate) fn is_due<T>(&self, ticket: &Ticket<T>) -> bool {
        matches!(self.slot(ticket.slot), Some(Slot { state: State::Due, .. }))
    }

    /// Queues the call of a reservation.
    pub(crate) fn fill<T: Payload>(
        &mut self,
        ticket: &Ticket<T>,
        place: Place,
        call: impl FnOnce(Respond<T>) -> Call,
    ) {
        let call = call(self.respond(ticket));
        if let Some(slot) = self.slot_mut(ticket.slot) {
            slot.state = State::Queued;
        }
        self.enqueue(place, ticket.slot, Some(call));
    }

    /// Takes the next entry that was not withdrawn out of the queue.
    pub(crate) fn next(&mut self) -> Next {
        while let Some(Queued { slot, call, deadline }) = self.dequeue() {
            let Some(entry) = self.slot_mut(slot) else { continue };
            match call {
                _ if entry.line.is_withdrawn() => drop(self.close(slot)),
                Some(call) => {
                    entry.state = State::HandedOut;
                    return Next::Call(call, deadline);
                }
                None => {
                    entry.state = State::Due;
                    self.news = true;
                    return Next::Due;
                }
            }
        }
        Next::Nothing
    }

    /// Whether the call of `ticket` was handed to the driver.
    pub(crate) fn is_handed_out<T>(&self, ticket: &Ticket<T>) -> bool {
        self.slot(ticket.slot)
            .is_none_or(|slot| matches!(slot.state, State::HandedOut | State::Answered(_)))
    }

    /// Whether any call that was not withdrawn is in flight.
    pub(crate) fn is_waiting(&self) -> bool {
        self.slots
            .iter()
            .any(|(_, slot)| matches!(slot.state, State::HandedOut) && !slot.line.is_withdrawn())
    }

    /// Answers the calls that the driver has dropped. Returns whether there was any.
    ///
    /// The driver may have sent them, so the answer is `MaybeSent`: only a driver that answers knows
    /// more.
    pub(crate) fn answer_dropped(&mut self) -> bool {
        let is_dropped =
            |slot: &Slot| matches!(slot.state, State::HandedOut) && slot.line.is_closed();
        let dropped: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| is_dropped(slot))
            .map(|(number, slot)| (*number, slot.lost))
            .collect();
        for (slot, lost) in &dropped {
            self.accept(*slot, lost());
        }
        !dropped.is_empty()
    }

    /// Keeps a reply until its ticket takes it. If the ticket was dropped, the reply is dropped,
    /// too.
    pub(crate) fn accept(&mut self, slot: u64, outcome: Box<dyn Any + Send>) {
        match self.slot_mut(slot) {
            Some(entry) if entry.line.is_awaited() => {
                entry.state = State::Answered(outcome);
                self.news = true;
            }
            Some(_) | None => drop(self.close(slot)),
        }
    }

    /// Answers the call of `ticket` with `error`; the driver never sees the call.
    pub(crate) fn refuse<T: Payload>(&mut self, ticket: &Ticket<T>, error: TransportError) {
        self.accept(ticket.slot, Box::new(Err::<T, T::Error>(error.into())));
    }

    pub(crate) fn take<T>(&mut self, ticket: &Ticket<T>) -> Option<Box<dyn Any + Send>> {
        let slot = self
            .slot(ticket.slot)
            .filter(|slot| Arc::ptr_eq(&slot.line, &ticket.claim.0))
            .expect("a ticket is redeemed once, in the flow that issued it");
        if !matches!(slot.state, State::Answered(_)) {
            return None;
        }
        match self.close(ticket.slot)?.state {
            State::Answered(outcome) => Some(outcome),
            State::Reserved | State::Due | State::Queued | State::HandedOut => None,
        }
    }

    fn respond<T>(&self, ticket: &Ticket<T>) -> Respond<T> {
        Respond {
            address: Address { flow: Arc::clone(&self.identity), slot: ticket.slot },
            answerer: Answerer(Arc::clone(&ticket.claim.0)),
            asked: Asked { target: None, limit: usize::MAX },
            kind: PhantomData,
        }
    }

    fn enqueue(&mut self, place: Place, slot: u64, call: Option<Call>) {
        let queued = Queued { slot, call, deadline: self.deadline };
        match place {
            Place::Front => {
                if let Some(second) = self.front.replace(queued) {
                    self.queue.push_front(second);
                }
            }
            Place::Back if self.front.is_none() => self.front = Some(queued),
            Place::Back => self.queue.push_back(queued),
        }
    }

    fn dequeue(&mut self) -> Option<Queued> {
        let first = self.front.take();
        // An entry is large, so that even the move of none costs time.
        if !self.queue.is_empty() {
            self.front = self.queue.pop_front();
        }
        first
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        self.slots.iter().find(|(found, _)| *found == number).map(|(_, slot)| slot)
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|(found, _)| *found == number).map(|(_, slot)| slot)
    }

    /// Removes a slot.
    fn close(&mut self, number: u64) -> Option<Slot> {
        let place = self.slots.iter().position(|(found, _)| *found == number)?;
        Some(self.slots.remove(place).1)
    }
}

fn lost<T: Payload>() -> Box<dyn Any + Send> {
    let error = TransportError::new(Phase::MaybeSent, "the driver dropped the call unanswered");
    Box::new(Err::<T, T::Error>(error.into()))
}

impl Line {
    fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::Acquire)
    }

    /// Whether a machine takes the reply.
    fn is_awaited(&self) -> bool {
        !self.is_withdrawn() && !self.waived.load(Ordering::Relaxed)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Answerer {
    pub(crate) fn interest(&self) -> Interest {
        Interest(Arc::clone(&self.0))
    }

    /// Whether the machine still waits for the reply.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.is_withdrawn()
    }
}

impl Interest {
    /// Whether the machine still waits for the reply.
    pub fn is_left(&self) -> bool {
        !self.0.is_withdrawn()
    }
}

impl<T> Ticket<T> {
    /// Gives the reply up, but not the call: the driver performs it all the same.
    pub(crate) fn waive(self) {
        self.claim.0.waived.store(true, Ordering::Relaxed);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_waived = self.0.waived.load(Ordering::Relaxed);
        self.0.withdrawn.store(!is_waived, Ordering::Release);
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(#{})", self.slot)
    }
}
