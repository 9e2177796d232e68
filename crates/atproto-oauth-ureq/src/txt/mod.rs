//! DNS TXT lookups: a stub resolver that sends queries over UDP, and over TCP if the answer is
//! truncated.
//!
//! RFC 1035; RFC 5452 for the checks that reject forged answers.

mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use atproto_sansio::dns::Question;
use atproto_sansio::{Entropy, Phase, SystemEntropy, TransportError};

use server::Server;

/// Queries `servers` in turn for the TXT records of `name`, which is taken as an absolute name.
///
/// If a server does not answer, it is queried again with twice the timeout, until `timeout` is
/// over. A server that returns an error or is unreachable is not queried again.
pub(crate) fn look_up(
    name: &str,
    timeout: Duration,
    servers: &[SocketAddr],
) -> Result<Vec<String>, TransportError> {
    let deadline = Deadline::after(timeout);
    let mut last = TransportError::new(
        Phase::NotSent,
        "the system has no usable nameserver: set one with `DriverBuilder::nameserver`",
    );
    let mut asked = Vec::new();
    for &address in servers {
        match Question::new(name, random_id()).and_then(|question| Server::new(address, question)) {
            Ok(server) => asked.push(server),
            Err(error) => last = error,
        }
    }
    let mut wait = FIRST_WAIT;
    while !asked.is_empty() {
        let mut silent = Vec::new();
        for mut server in asked {
            match server.ask(deadline, wait) {
                Ok(Some(records)) => return Ok(records),
                Ok(None) => silent.push(server),
                Err(error) => last = error,
            }
            if deadline.left().is_none() {
                return Err(TransportError::new(Phase::TimedOut, "no nameserver answered in time"));
            }
        }
        asked = silent;
        wait *= 2;
    }
    Err(last)
}

/// Returns an unpredictable query id (RFC 5452 section 9.2).
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

    /// The time until the deadline; `None` if it has passed.
    fn left(self) -> Option<Duration> {
        Some(self.0.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// The earlier of this deadline and `time` from now.
    fn or_after(self, time: Duration) -> Self {
        Self(self.0.min(Self::after(time).0))
    }
}

/// Timeout of the first query to each server. It doubles with each round.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Longest timeout, so that `Instant::now() + timeout` does not overflow.
const LONGEST: Duration = Duration::from_secs(60 * 60);
