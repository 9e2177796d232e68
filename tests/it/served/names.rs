//! The nameserver of the sandbox over UDP and TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use atproto_oauth_sandbox::{Dns, Seen, Served};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::served::raw::{LONG, SHORT, get};

const ALICE: &str = "_atproto.alice.test";

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    message.add_query(Query::query(name, kind));
    message
}

fn over_udp(at: SocketAddr, question: &Message, patience: Duration) -> Option<Message> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(&question.to_vec().unwrap(), at).unwrap();
    let mut buffer = [0; 65_535];
    match socket.recv(&mut buffer) {
        Ok(size) => Some(Message::from_vec(&buffer[..size]).unwrap()),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            None
        }
    }
}

fn over_tcp(stream: &mut TcpStream, question: &Message, patience: Duration) -> Option<Message> {
    stream.set_read_timeout(Some(patience)).unwrap();
    let bytes = question.to_vec().unwrap();
    stream.write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&bytes).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut bytes).unwrap();
    Some(Message::from_vec(&bytes).unwrap())
}

fn texts(message: &Message) -> Vec<String> {
    let text = |data: &RData| match data {
        RData::TXT(txt) => String::from_utf8(txt.txt_data.concat()).unwrap(),
        data => panic!("{data}"),
    };
    message.answers.iter().map(|record| text(&record.data)).collect()
}

#[test]
fn udp_and_tcp_have_the_same_answers() {
    let served = Served::start(1).unwrap();
    let did = served.sandbox().did("alice.test").unwrap().to_owned();
    let long = format!("{}\u{e9}", "x".repeat(400));
    let cases = [
        (Dns::did(&did), Some((ResponseCode::NoError, vec![format!("did={did}")]))),
        (Dns::NoSuchName, Some((ResponseCode::NXDomain, vec![]))),
        (Dns::Fails, Some((ResponseCode::ServFail, vec![]))),
        (Dns::Records(vec![]), Some((ResponseCode::NoError, vec![]))),
        (
            Dns::Records(vec![long.clone(), String::new()]),
            Some((ResponseCode::NoError, vec![long, String::new()])),
        ),
        (Dns::Silent, None),
    ];
    let mut stream = TcpStream::connect(served.nameserver()).unwrap();
    for (dns, expected) in cases {
        served.sandbox().handle_answers("alice.test").dns = dns;
        let asked = question(ALICE, RecordType::TXT);
        let patience = if expected.is_some() { LONG } else { SHORT };
        let answers = [
            over_udp(served.nameserver(), &asked, patience),
            over_tcp(&mut stream, &asked, patience),
        ];
        for answer in answers {
            if let Some(answer) = &answer {
                assert_eq!((answer.metadata.id, &answer.queries), (77, &asked.queries));
                assert!(!answer.metadata.truncation);
            }
            let meant = answer.map(|answer| (answer.metadata.response_code, texts(&answer)));
            assert_eq!(meant, expected);
        }
    }
}

#[test]
fn a_reply_too_large_for_udp_comes_over_tcp() {
    let served = Served::start(1).unwrap();
    let records: Vec<String> = (0..20).map(|at| format!("{at}{}", "x".repeat(80))).collect();
    served.sandbox().handle_answers("alice.test").dns = Dns::Records(records.clone());
    let mut asked = question(ALICE, RecordType::TXT);
    let short = over_udp(served.nameserver(), &asked, LONG).unwrap();
    assert!(short.metadata.truncation && short.answers.is_empty());
    let mut stream = TcpStream::connect(served.nameserver()).unwrap();
    assert_eq!(texts(&over_tcp(&mut stream, &asked, LONG).unwrap()), records);
    // A client may allow larger datagrams by EDNS (RFC 6891).
    asked.set_edns({
        let mut edns = Edns::new();
        edns.set_max_payload(4096);
        edns
    });
    let whole = over_udp(served.nameserver(), &asked, LONG).unwrap();
    assert_eq!(texts(&whole), records);
    assert!(whole.edns.is_some());
}

#[test]
fn other_dns_queries_are_answered() {
    let served = Served::start(1).unwrap();
    let ask = |name, kind| over_udp(served.nameserver(), &question(name, kind), LONG).unwrap();
    for name in ["alice.test", "Carol.TEST", "localhost"] {
        let answer = ask(name, RecordType::A);
        assert_eq!(answer.answers[0].data.to_string(), "127.0.0.1", "{name}");
    }
    for (name, kind) in [("alice.test", RecordType::AAAA), ("nobody.test", RecordType::A)] {
        let answer = ask(name, kind);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert!(answer.answers.is_empty());
    }
    let nobody = ask("_atproto.nobody.test", RecordType::TXT);
    assert_eq!(nobody.metadata.response_code, ResponseCode::NXDomain);
    // A malformed datagram is ignored, and the next query is answered.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"noise", served.nameserver()).unwrap();
    assert_eq!(texts(&ask("_ATPROTO.Alice.test", RecordType::TXT)).len(), 1);
}

#[test]
fn lookups_over_udp_and_https_are_logged() {
    let served = Served::start(1).unwrap();
    let did = served.sandbox().did("alice.test").unwrap().to_owned();
    let (answer, _) = get(&served.names().doh, &format!("/dns-query?name={ALICE}&type=TXT"));
    assert!(answer.contains(&did), "{answer}");
    over_udp(served.nameserver(), &question(ALICE, RecordType::TXT), LONG).unwrap();
    let sandbox = served.sandbox();
    let names = sandbox.log().iter().filter_map(|seen| match seen {
        Seen::Lookup { name, .. } => Some(name.as_str()),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), [ALICE, ALICE]);
}
