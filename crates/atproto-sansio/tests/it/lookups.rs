//! TXT lookups: which nameserver is asked, in which order and for how long.
//!
//! A network of scripted nameservers takes the place of sockets, and time is a number.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test helper fails its test by a panic"
)]

use std::net::SocketAddr;
use std::time::Duration;

use atproto_sansio::dns::{Exchange, Lookup, Step, Transport, of_resolv_conf};
use atproto_sansio::{Entropy, Phase, TransportError};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{Name, RData, Record};

const NAME: &str = "_atproto.alice.example";

/// The reaction of a nameserver to a query.
#[derive(Clone, Copy)]
enum Does {
    Answer,
    AnswerOverTcp,
    StallOverTcp,
    Refuse,
    Forge,
    BeSilent,
    CloseTheConnection,
    HaveNoRoute,
}

/// A query that was sent: the number of the server, the protocol, and the milliseconds for the answer.
type Sent = (usize, Transport, u128);

/// Looks `NAME` up at servers that react as `servers` say. Returns the queries and the result.
fn look_up(
    servers: &[Does],
    timeout: Duration,
) -> (Vec<Sent>, Result<Vec<String>, TransportError>) {
    let addresses: Vec<_> = (0..servers.len()).map(address).collect();
    let mut lookup = Lookup::new(NAME, &addresses, &mut Counter(0)).unwrap();
    let (mut left, mut sent) = (timeout, Vec::new());
    loop {
        let exchange = match lookup.step(left) {
            Step::Ask(exchange) => exchange,
            Step::Done(result) => return (sent, result),
        };
        let Exchange { server, transport, time, .. } = exchange;
        let index = addresses.iter().position(|address| *address == server).unwrap();
        sent.push((index, transport, time.as_millis()));
        assert!(sent.len() < 100, "the lookup does not end");
        assert!(time <= left);
        let mut wait = |lookup: &mut Lookup| {
            left -= time;
            lookup.time_out();
        };
        let bytes = match transport {
            Transport::Udp => &exchange.bytes[..],
            Transport::Tcp => exchange.bytes.strip_prefix(&length(&exchange.bytes)).unwrap(),
        };
        let query = Message::from_vec(bytes).unwrap();
        match (servers[index], transport) {
            (Does::Answer, _) | (Does::AnswerOverTcp, Transport::Tcp) => {
                assert!(lookup.read(&answer(&query, index).to_vec().unwrap()));
            }
            (Does::AnswerOverTcp | Does::StallOverTcp, Transport::Udp) => {
                let mut message = answer(&query, index);
                message.answers.clear();
                message.metadata.truncation = true;
                assert!(lookup.read(&message.to_vec().unwrap()));
            }
            (Does::Refuse, _) => {
                let mut message = answer(&query, index);
                message.metadata.response_code = ResponseCode::Refused;
                assert!(lookup.read(&message.to_vec().unwrap()));
            }
            (Does::Forge, _) => {
                let mut message = answer(&query, index);
                message.metadata.id ^= 1;
                assert!(!lookup.read(&message.to_vec().unwrap()));
                wait(&mut lookup);
            }
            (Does::BeSilent, _) | (Does::StallOverTcp, Transport::Tcp) => wait(&mut lookup),
            (Does::CloseTheConnection, _) => lookup.fail(&"connection refused"),
            (Does::HaveNoRoute, _) => lookup.skip(&"no route"),
        }
    }
}

/// An entropy that counts, so that each server has another query id.
struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(self.0);
    }
}

fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(index).unwrap()], 53))
}

/// The first two bytes of a query over TCP.
fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len() - 2).unwrap().to_be_bytes()
}

/// An answer whose text is the number of the server.
fn answer(query: &Message, index: usize) -> Message {
    let mut message = Message::response(query.metadata.id, OpCode::Query);
    message.add_query(query.queries[0].clone());
    let text = RData::TXT(TXT::new(vec![index.to_string()]));
    message.add_answers([Record::from_rdata(Name::from_ascii(NAME).unwrap(), 60, text)]);
    message
}

const UDP: Transport = Transport::Udp;
const TCP: Transport = Transport::Tcp;
const LONG: Duration = Duration::from_secs(100);

#[test]
fn servers_are_asked_in_turn_and_again_with_twice_the_time() {
    let (sent, result) = look_up(&[Does::BeSilent, Does::Forge], Duration::from_millis(6500));
    assert_eq!(
        sent,
        [(0, UDP, 1000), (1, UDP, 1000), (0, UDP, 2000), (1, UDP, 2000), (0, UDP, 500)]
    );
    assert_eq!(result.unwrap_err().phase, Phase::TimedOut);
}

#[test]
fn the_first_answer_is_the_result() {
    let (sent, result) = look_up(&[Does::BeSilent, Does::Answer, Does::Answer], LONG);
    assert_eq!(sent, [(0, UDP, 1000), (1, UDP, 1000)]);
    assert_eq!(result.unwrap(), ["1"]);
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp_at_the_same_server() {
    let (sent, result) = look_up(&[Does::AnswerOverTcp, Does::Answer], LONG);
    assert_eq!(sent, [(0, UDP, 1000), (0, TCP, 2000)]);
    assert_eq!(result.unwrap(), ["0"]);
}

#[test]
fn a_server_that_is_silent_over_tcp_leaves_time_for_the_next() {
    let (sent, result) = look_up(&[Does::StallOverTcp, Does::Answer], Duration::from_secs(3));
    assert_eq!(sent, [(0, UDP, 1000), (0, TCP, 2000), (1, UDP, 1000)]);
    assert_eq!(result.unwrap(), ["1"]);
}

#[test]
fn an_only_server_has_all_the_time_over_tcp() {
    let (sent, result) = look_up(&[Does::StallOverTcp], LONG);
    assert_eq!(sent, [(0, UDP, 1000), (0, TCP, 100_000)]);
    assert_eq!(result.unwrap_err().phase, Phase::TimedOut);
    let (sent, _) = look_up(&[Does::Refuse, Does::StallOverTcp], LONG);
    assert_eq!(sent[1..], [(1, UDP, 1000), (1, TCP, 100_000)]);
}

#[test]
fn a_server_that_fails_is_not_asked_again() {
    for does in [Does::Refuse, Does::CloseTheConnection, Does::HaveNoRoute] {
        let (sent, _) = look_up(&[does, Does::BeSilent], Duration::from_secs(4));
        assert_eq!(sent, [(0, UDP, 1000), (1, UDP, 1000), (1, UDP, 2000), (1, UDP, 1000)]);
    }
}

#[test]
fn a_refusal_prevails_over_the_silence_of_other_servers() {
    // Rule A-35
    for servers in [[Does::Refuse, Does::BeSilent], [Does::BeSilent, Does::Refuse]] {
        let error = look_up(&servers, Duration::from_secs(4)).1.unwrap_err();
        assert_eq!(error.phase, Phase::MaybeSent, "{error}");
        assert!(error.detail.contains("REFUSED"), "{error}");
    }
}

#[test]
fn a_lookup_without_a_server_that_can_be_reached_was_not_sent() {
    for servers in [&[][..], &[Does::HaveNoRoute], &[Does::HaveNoRoute, Does::HaveNoRoute]] {
        assert_eq!(look_up(servers, LONG).1.unwrap_err().phase, Phase::NotSent);
    }
    // A query that another server did not answer was sent.
    let error = look_up(&[Does::HaveNoRoute, Does::BeSilent], LONG).1.unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut);
    let error = look_up(&[Does::CloseTheConnection, Does::HaveNoRoute], LONG).1.unwrap_err();
    assert_eq!(error.phase, Phase::MaybeSent);
}

#[test]
fn no_query_is_sent_without_time() {
    let (sent, result) = look_up(&[Does::Answer], Duration::ZERO);
    assert_eq!(sent, []);
    assert_eq!(result.unwrap_err().phase, Phase::TimedOut);
}

#[test]
fn each_server_has_a_query_id_of_its_own() {
    let servers = [address(0), address(1)];
    let mut lookup = Lookup::new(NAME, &servers, &mut Counter(0)).unwrap();
    let ids = [1, 2, 1, 2].map(|_| {
        let Step::Ask(exchange) = lookup.step(LONG) else { panic!() };
        lookup.time_out();
        [exchange.bytes[0], exchange.bytes[1]]
    });
    assert_eq!(ids, [[1, 1], [2, 2], [1, 1], [2, 2]]);
}

#[test]
fn the_nameservers_of_a_configuration_file_are_used_in_their_order() {
    // Rule A-36
    let text = b"# a comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n\
                 nameserver fe80::1%2\nnonsense\nnameserver 2001:db8::1\nnameserver 192.0.2.9\n";
    let expected = ["192.0.2.1:53", "[fe80::1%2]:53", "[2001:db8::1]:53"];
    assert_eq!(
        of_resolv_conf(text).iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
        expected
    );
    assert!(of_resolv_conf(b"").iter().all(|server| server.ip().is_loopback()));
    assert!(!of_resolv_conf(b"").is_empty());
}
