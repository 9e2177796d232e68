//! [`Lookup`]: asks nameservers in turn for the TXT records of one name.
//!
//! ```text
//!  step() ── Ask(over UDP) ──┬─ records ───────────────────────────────► Done
//!    ▲                       ├─ truncated ── Ask(over TCP) ─ records ──► Done
//!    │                       ├─ silent: asked again later, with twice the time
//!    └───────────────────────┴─ error: not asked again
//! ```
//!
//! If no server has an answer, the error of a server prevails over the silence of the others.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::driver::dns::message::{Answer, Question, absolute};
use crate::env::Entropy;
use crate::error::{Phase, TransportError};

/// A lookup of the TXT records of one name.
///
/// The driver calls [`step`](Self::step) for the next exchange, performs it, and reports the result with
/// [`read`](Self::read), [`time_out`](Self::time_out), [`fail`](Self::fail) or [`skip`](Self::skip).
#[derive(Debug)]
pub struct Lookup {
    /// The servers that are still asked, the next one first.
    servers: VecDeque<Server>,
    /// The exchange that is in progress.
    current: Option<(Server, Transport)>,
    records: Option<Vec<String>>,
    /// The error of a server that was asked.
    refusal: Option<TransportError>,
    /// The error if no server was asked.
    unsent: TransportError,
}

/// A nameserver, and the query for it. Each server has a query id of its own.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    question: Question,
    message: Bytes,
    /// How long the next answer may take.
    wait: Duration,
}

/// The next thing that a driver does for a [`Lookup`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must decide on each of them")]
pub enum Step {
    /// Performs this exchange.
    Ask(Exchange),
    /// The lookup has ended. An empty list means that the name has no TXT record.
    Done(Result<Vec<String>, TransportError>),
}

/// A message to send to a nameserver, and the time for the answer.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a driver uses every field")]
pub struct Exchange {
    /// The nameserver.
    pub server: SocketAddr,
    /// The transport protocol.
    pub transport: Transport,
    /// The bytes to send; over TCP, they begin with the length of the message.
    pub bytes: Bytes,
    /// The time until the answer must have arrived. [`Lookup::time_out`] reports that it has passed.
    pub time: Duration,
}

/// The transport protocol of an [`Exchange`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a driver has a socket for each of them")]
pub enum Transport {
    /// One datagram for each message.
    ///
    /// The socket must accept datagrams of the server alone. It stays open until the lookup ends, because
    /// the answer to an earlier query of the same server may be late.
    Udp,
    /// A new connection, on which each message follows its length in two bytes (RFC 7766 section 8).
    Tcp,
}

impl Lookup {
    /// A lookup of `name`, which is taken as an absolute name, at `servers` in their order. The query
    /// ids come from `entropy`, because they protect against forged answers (RFC 5452 section 9.2).
    ///
    /// # Errors
    ///
    /// [`Phase::NotSent`] if DNS cannot hold `name`.
    pub fn new(
        name: &str,
        servers: &[SocketAddr],
        entropy: &mut dyn Entropy,
    ) -> Result<Self, TransportError> {
        let name = absolute(name)?;
        let server = |&address| {
            let mut id = [0; 2];
            entropy.fill(&mut id);
            let question = Question::of(name.clone(), u16::from_be_bytes(id));
            let message = question.encode()?.into();
            Ok(Server { address, question, message, wait: FIRST_WAIT })
        };
        Ok(Self {
            servers: servers.iter().map(server).collect::<Result<_, TransportError>>()?,
            current: None,
            records: None,
            refusal: None,
            unsent: TransportError::new(
                Phase::NotSent,
                "the system has no usable nameserver: set one with `DriverBuilder::nameserver`",
            ),
        })
    }

    /// Returns the next exchange, or the end of the lookup. `left` is the time until the lookup times out.
    pub fn step(&mut self, left: Duration) -> Step {
        if let Some(records) = self.records.take() {
            return Step::Done(Ok(records));
        }
        let next =
            self.current.take().or_else(|| Some((self.servers.pop_front()?, Transport::Udp)));
        let Some((server, transport)) = next else {
            return Step::Done(Err(self.refusal.take().unwrap_or_else(|| self.unsent.clone())));
        };
        if left.is_zero() {
            return Step::Done(Err(self.refusal.take().unwrap_or_else(|| {
                TransportError::new(Phase::TimedOut, "no nameserver answered in time")
            })));
        }
        let (server, transport) = self.current.insert((server, transport));
        let (bytes, time) = match transport {
            Transport::Udp => (server.message.clone(), server.wait),
            // An only server has all the time over TCP; several of them leave time for each other.
            Transport::Tcp if self.servers.is_empty() => (with_length(&server.message), left),
            Transport::Tcp => (with_length(&server.message), server.wait.saturating_mul(2)),
        };
        let (server, transport) = (server.address, *transport);
        Step::Ask(Exchange { server, transport, bytes, time: time.min(left) })
    }

    /// Reads a message that has arrived. Returns whether the exchange has ended; if not, the message is
    /// unrelated or forged, and the driver waits for the next one.
    pub fn read(&mut self, message: &[u8]) -> bool {
        let Some((server, transport)) = self.current.take() else { return true };
        match (server.question.read(message), transport) {
            (Answer::Records(records), _) => self.records = Some(records),
            (Answer::Failed(error), _) => self.refusal = Some(error),
            (Answer::Truncated, Transport::Udp) => self.current = Some((server, Transport::Tcp)),
            (Answer::Foreign, Transport::Udp) => {
                self.current = Some((server, transport));
                return false;
            }
            (Answer::Foreign | Answer::Truncated, Transport::Tcp) => {
                self.refusal = Some(TransportError::new(
                    Phase::Truncated,
                    "the nameserver's answer over TCP is truncated or does not match the query",
                ));
            }
        }
        true
    }

    /// The time of the exchange has passed without an answer. The server is asked again after the others,
    /// with twice the time.
    pub fn time_out(&mut self) {
        if let Some((mut server, _)) = self.current.take() {
            server.wait = server.wait.saturating_mul(2);
            self.servers.push_back(server);
        }
    }

    /// The exchange has failed after the message may have been sent. The server is not asked again.
    pub fn fail(&mut self, reason: &dyn fmt::Display) {
        self.current = None;
        self.refusal = Some(failed(Phase::MaybeSent, reason));
    }

    /// No message can be sent to the server, such as to an IPv6 address on a machine without IPv6. The
    /// server is not asked again.
    pub fn skip(&mut self, reason: &dyn fmt::Display) {
        self.current = None;
        self.unsent = failed(Phase::NotSent, reason);
    }
}

fn failed(phase: Phase, reason: &dyn fmt::Display) -> TransportError {
    TransportError::new(phase, format!("nameserver: {reason}"))
}

fn with_length(message: &[u8]) -> Bytes {
    // A query has one name, of at most 255 bytes.
    let length = u16::try_from(message.len()).expect("a query is shorter than 64 KiB");
    [&length.to_be_bytes()[..], message].concat().into()
}

/// Time for the first answer of each server. It doubles with each further query.
const FIRST_WAIT: Duration = Duration::from_secs(1);
