//! [`Witness`]: the call that this thread performs, as its connection sees it.
//!
//! ureq's errors do not say whether a request was sent, and ureq has no limit for the bytes that
//! arrive without being part of a body. A connection does not know its call either, because an idle
//! connection of an earlier call may be reused. But ureq sends a request, and reads the head of its
//! reply, in the thread of its caller, so thread-local values are enough.

use std::cell::Cell;
use std::time::Instant;

use atproto_sansio::{Phase, System, TransportError, UnixTime};

/// Records of this thread about the request between [`begin`](Self::begin) and drop.
pub(crate) struct Witness {
    before: Record,
}

/// Latest time to send a request.
#[derive(Clone, Copy)]
pub(crate) struct Latest {
    pub(crate) start_by: Option<UnixTime>,
    /// Latest moment with enough time left for the reply.
    pub(crate) moment: Option<Instant>,
}

/// Limits the bytes that may arrive until it is dropped. If the limit is exceeded, the connection
/// fails with [`Phase::TooLarge`].
pub(crate) struct Allowance {
    before: Option<usize>,
}

#[derive(Clone, Copy)]
struct Record {
    latest: Latest,
    was_begun: bool,
    was_cut_short: bool,
}

impl Witness {
    pub(crate) fn begin(latest: Latest) -> Self {
        let record = Record { latest, was_begun: false, was_cut_short: false };
        Self { before: RECORD.replace(record) }
    }

    /// Whether any byte of the request was sent. Bytes of a TLS handshake do not count.
    pub(crate) fn saw_bytes(&self) -> bool {
        RECORD.get().was_begun
    }
}

/// Restores the record of the outer call, because the reader of an attached body may perform a call
/// itself.
impl Drop for Witness {
    fn drop(&mut self) {
        RECORD.set(self.before);
    }
}

impl Latest {
    /// No limit.
    const NEVER: Self = Self { start_by: None, moment: None };

    /// Time until which a call with this deadline may wait in a queue.
    pub(crate) fn end_of_wait(self, deadline: Instant) -> Instant {
        let now = Instant::now;
        let start_by = self.start_by.and_then(|time| now().checked_add(time.since(System::now())));
        [self.moment, start_by].into_iter().flatten().fold(deadline, Instant::min)
    }

    /// Checks that the request may still be sent.
    ///
    /// # Errors
    ///
    /// `NotSent` if it is too late.
    pub(crate) fn check(self) -> Result<(), TransportError> {
        let reason = if self.start_by.is_some_and(|time| time < System::now()) {
            "its `start_by` time has passed"
        } else if self.moment.is_some_and(|moment| moment < Instant::now()) {
            "too little time is left for a reply to a request that can't be repeated"
        } else {
            return Ok(());
        };
        Err(TransportError::untried(reason))
    }
}

impl Allowance {
    pub(crate) fn of(bytes: usize) -> Self {
        Self { before: ALLOWED.replace(Some(bytes)) }
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        ALLOWED.set(self.before);
    }
}

/// Notes that bytes of the request are about to be sent.
///
/// # Errors
///
/// `NotSent` if these are the first bytes, and it is too late for them.
pub(crate) fn sends() -> Result<(), TransportError> {
    let record = RECORD.get();
    if !record.was_begun {
        // Here the host has let the call wait, with its handshake.
        let tried = |error| TransportError { is_untried: false, ..error };
        record.latest.check().map_err(tried)?;
    }
    RECORD.set(Record { was_begun: true, ..record });
    Ok(())
}

/// Notes that the server takes no more of the request, so that its body needs not be read.
pub(crate) fn cuts_short() {
    RECORD.set(Record { was_cut_short: true, ..RECORD.get() });
}

/// Whether the server takes no more of the request.
pub(crate) fn was_cut_short() -> bool {
    RECORD.get().was_cut_short
}

/// Checks that more bytes may arrive.
///
/// # Errors
///
/// `TooLarge` if the [`Allowance`] is used up.
pub(crate) fn may_receive() -> Result<(), TransportError> {
    match ALLOWED.get() {
        Some(0) => {
            let reason = "the head or the trailers of the reply are too large";
            Err(TransportError::new(Phase::TooLarge, reason))
        }
        Some(_) | None => Ok(()),
    }
}

/// Subtracts bytes that have arrived from the [`Allowance`].
pub(crate) fn received(bytes: usize) {
    ALLOWED.set(ALLOWED.get().map(|allowed| allowed.saturating_sub(bytes)));
}

thread_local! {
    static RECORD: Cell<Record> =
        const { Cell::new(Record { latest: Latest::NEVER, was_begun: false, was_cut_short: false }) };

    /// Bytes that may still arrive; `None` for no limit.
    static ALLOWED: Cell<Option<usize>> = const { Cell::new(None) };
}
