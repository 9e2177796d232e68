//! DNS TXT look-ups: a stub resolver that asks over UDP, and over TCP if the answer is too long.
//!
//! RFC 1035; RFC 5452 for what tells an answer from a forgery.

mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use atproto_sansio::dns::Question;
use atproto_sansio::{Entropy, Phase, SystemEntropy, TransportError};

use server::Server;

/// The TXT records of `name`, taken as an absolute one, asked of `servers` in turn.
///
/// A server that does not answer is asked again, with more patience, as long as there is time. A
/// server that refuses, or can't be reached, is not asked again.
pub(crate) fn look_up(
    name: &str,
    timeout: Duration,
    servers: &[SocketAddr],
) -> Result<Vec<String>, TransportError> {
    let deadline = Deadline::after(timeout);
    let mut last = TransportError::new(Phase::NotSent, "there is no nameserver to ask");
    let mut asked = Vec::new();
    for &address in servers {
        match Question::new(name, random_id()).and_then(|question| Server::new(address, question)) {
            Ok(server) => asked.push(server),
            Err(error) => last = error,
        }
    }
    let mut patience = FIRST_PATIENCE;
    while !asked.is_empty() {
        let mut silent = Vec::new();
        for mut server in asked {
            match server.ask(deadline, patience) {
                Ok(Some(records)) => return Ok(records),
                Ok(None) => silent.push(server),
                Err(error) => last = error,
            }
            if deadline.left().is_none() {
                return Err(TransportError::new(Phase::TimedOut, "no nameserver answered"));
            }
        }
        asked = silent;
        patience *= 2;
    }
    Err(last)
}

/// RFC 5452 section 9.2: an id that nobody can guess.
fn random_id() -> u16 {
    let mut id = [0; 2];
    SystemEntropy.fill(&mut id);
    u16::from_be_bytes(id)
}

#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(Instant::now() + time.min(LONGEST))
    }

    /// The time that is left, if any.
    fn left(self) -> Option<Duration> {
        Some(self.0.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn or_after(self, time: Duration) -> Self {
        Self(self.0.min(Self::after(time).0))
    }
}

const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// No sum of instants overflows.
const LONGEST: Duration = Duration::from_secs(60 * 60);
