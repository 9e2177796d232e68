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
/// over. A server that returns an error or is unreachable is not queried again. If no server has
/// records, the error of a server prevails over the silence of the others.
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
    let mut refusal = None;
    let mut wait = FIRST_WAIT;
    while !asked.is_empty() {
        let mut silent = Vec::new();
        let is_only = asked.len() == 1;
        for mut server in asked {
            // An only server has all the time over TCP; several of them leave time for each other.
            let over_tcp = if is_only { deadline } else { deadline.or_after(wait * 2) };
            match server.ask(deadline.or_after(wait), over_tcp) {
                Ok(Some(records)) => return Ok(records),
                Ok(None) => silent.push(server),
                Err(error) => refusal = Some(error),
            }
            if deadline.left().is_none() {
                return Err(refusal.unwrap_or_else(|| {
                    TransportError::new(Phase::TimedOut, "no nameserver answered in time")
                }));
            }
        }
        asked = silent;
        wait *= 2;
    }
    Err(refusal.unwrap_or(last))
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::thread;

    use atproto_sansio_conformance::nameserver::{Nameserver, answer, failing, txt};
    use hickory_proto::op::{Message, ResponseCode};

    use super::*;

    const NAME: &str = "_atproto.alice.example";

    #[test]
    fn a_refusal_is_reported_although_another_nameserver_is_silent() {
        let refusing = Nameserver::start(|_, _, q| vec![failing(q, ResponseCode::ServFail)]);
        let silent = Nameserver::start(|_, _, _| vec![]);
        for servers in [[refusing.address, silent.address], [silent.address, refusing.address]] {
            let error = look_up(NAME, Duration::from_secs(2), &servers).unwrap_err();
            assert_eq!(error.phase, Phase::MaybeSent, "{error}");
            assert!(error.detail.contains("SERVFAIL"), "{error}");
        }
    }

    #[test]
    fn a_nameserver_that_is_silent_over_tcp_leaves_time_for_the_next() {
        // The listener never accepts: its system completes the connections, and no answer comes.
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        let _listener = TcpListener::bind(address).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            let (size, from) = udp.recv_from(&mut buffer).unwrap();
            let mut message = answer(&Message::from_vec(&buffer[..size]).unwrap());
            message.metadata.truncation = true;
            udp.send_to(&message.to_vec().unwrap(), from).unwrap();
        });
        let answering = Nameserver::start(|_, _, q| {
            let mut message = answer(q);
            message.add_answers([txt(NAME, &["text"])]);
            vec![message]
        });
        let servers = [address, answering.address];
        assert_eq!(look_up(NAME, Duration::from_secs(3), &servers).unwrap(), ["text"]);
    }
}
